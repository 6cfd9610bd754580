//! The device module of kgpu: the kernels of every algorithm in the registry, as one PTX text for compute
//! capability 7.5 and up, which the driver compiles for the device at hand.
//!
//! What belongs here: building and embedding the module. Kernels live with their ciphers under `algos/`,
//! what they share in `algos/kernels`, and what launches them in `userhelper`.
#![no_std]
#![forbid(unsafe_code)]

/// The module. ASCII, without a terminating zero.
pub static MODULE: &str = include_str!(env!("KGPU_PTX"));
