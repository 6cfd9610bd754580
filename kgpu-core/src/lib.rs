//! The one definition of everything that kgpu's kernel module and its helper share.
//!
//! `no_std` and free of allocation. Three rooms:
//!
//! * [`abi`]: what lies in shared memory and crosses the ioctls. Types and validation, no logic.
//! * [`cell`] and [`ring`]: how one side reads what the other may be rewriting, and the rings on top.
//! * [`algorithm`], [`request`], [`tiling`], [`iv`]: the interface every algorithm implements, and
//!   [`device`]: its part for GPUs.
//!
//! [`runs`], [`slots`] and [`inflight`] are the submitting side's private books: what it must
//! remember for itself because the other side is not trusted to remember it truthfully.
//!
//! `peer`, behind the feature of that name, is for tests: both sides as hostile as can be.
#![cfg_attr(not(any(test, loom, shuttle)), no_std)]
#![deny(unsafe_code)]

#[cfg(feature = "cpu")]
extern crate alloc;

pub mod abi;
pub mod algorithm;
pub mod cell;
#[cfg(feature = "cpu")]
pub mod cpu;
pub mod device;
pub mod hex;
pub mod inflight;
pub mod iv;
pub mod keytable;
pub mod num;
#[cfg(feature = "peer")]
pub mod peer;
#[cfg(any(kani, test, feature = "proof"))]
pub mod proof;
pub mod request;
pub mod ring;
pub mod runs;
pub mod slots;
pub mod tiling;
