//! AES for kgpu's GPU kernels (FIPS 197): bitsliced, without tables, in each mode. What the `aes-*` crates
//! declare as their kernels; not an algorithm itself, so the registry does not list it.
//!
//! A thread computes eight blocks at a time, and one operation on a word does one bit of all four columns of
//! all eight blocks.
//!
//! # Timing
//!
//! Constant: no tables, no branches on keys or data.
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

mod cbc;
mod cipher;
mod ctr;
mod direction;
mod ecb;
#[cfg(not(target_arch = "nvptx64"))]
mod field;
mod layout;
mod mix;
mod planes;
mod sbox;
#[cfg(not(target_arch = "nvptx64"))]
mod schedule;
mod stage;
mod xts;

pub use cbc::{CbcDecrypt, CbcEncrypt};
pub use cipher::Aes;
pub use ctr::Ctr;
pub use ecb::{EcbDecrypt, EcbEncrypt};
pub use layout::WORDS;
#[cfg(not(target_arch = "nvptx64"))]
pub use schedule::{pair, schedule};
pub use xts::{XtsDecrypt, XtsEncrypt};
