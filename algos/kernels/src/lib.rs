//! What the GPU kernels of kgpu's ciphers share: the thread shim, the tiles of a launch, and the modes
//! over any cipher. Not an algorithm itself: the registry does not list it.
//!
//! One source, two targets: compiled for `nvptx64` it is the device module, compiled for the host it
//! runs the same code thread by thread, so that tests need no GPU ([`gpu::grid`], [`gpu::phase`]).
//!
//! # A cipher's kernels
//!
//! A cipher implements [`Cipher`] (some cells at a time, its schedule in shared memory), and declares its
//! kernels with [`kernels!`], one for each mode, direction and layout:
//!
//! ```ignore
//! kgpu_kernels::kernels! {
//!     /// ECB encryption, ...
//!     ECB_ENCRYPT: kgpu_ecb_twofish_encrypt_r32 = EcbEncrypt<Rounds<R32>, 1>,
//!         op: Encrypt, threads: 1024, blocks: 1, shared: R32::BYTES, bytes_per_key: 32 << 10;
//! }
//! ```
//!
//! which makes the PTX entry point on the device and the `Entry` of the descriptor on the host. A mode of
//! one's own implements [`Kernel`].
//!
//! # Shape of the work
//!
//! A block of threads takes a span (items under one key) at a time: it loads the key's schedule to shared
//! memory, prepares scratch memory where the mode wants it (XTS: the tweak of each data unit), and then its
//! warps take items of up to 256 cells of 16 bytes. See `kgpu_core::device`.
//!
//! # Timing
//!
//! The modes branch on lengths and positions, never on keys or data.
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(
    target_arch = "nvptx64",
    feature(abi_ptx, stdarch_nvptx, asm_experimental_arch)
)]

#[cfg(not(target_arch = "nvptx64"))]
extern crate std;

mod cipher;
mod counter;
mod entry;
mod gf128;
pub mod gpu;
mod item;
mod launch;
mod modes;
pub mod tables;
mod unit;
mod unroll;

pub use cipher::Cipher;
pub use counter::step;
pub use entry::{Kernel, Traits, run};
pub use gf128::{times_bits, times_small, times_word};
pub use item::{At, Item};
pub use launch::{Chain, Launch, Schedule, Work};
pub use modes::{
    CbcDecrypt, CbcEncrypt, Ctr, EcbDecrypt, EcbEncrypt, XtsDecrypt, XtsEncrypt, load_block,
    store_block,
};
pub use unit::Unit;
pub use unroll::unroll;

#[doc(hidden)]
pub use kgpu_core;
