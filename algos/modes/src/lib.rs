//! Block cipher modes over data units: the CPU paths that kgpu's cipher crates share.
//!
//! Each mode is a [`kgpu_core::cpu::CpuKey`] over any block cipher of the `cipher` crate: it runs a
//! tile in place or apart, steps the IV from unit to unit, and hands the cipher as many blocks at a
//! time as it takes in parallel. Not an algorithm itself: the registry does not list it.
//!
//! # Timing
//!
//! The modes branch on lengths and positions, never on keys or data; what the cipher under them
//! does is the cipher's own affair.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod cbc;
mod cipher_trait;
mod ctr;
mod ecb;
mod gf128;
mod tile;
mod units;
mod wide;
mod xts;

pub use cbc::Cbc;
pub use cipher_trait::ModeCipher;
pub use ctr::Ctr;
pub use ecb::Ecb;
pub use xts::Xts;
