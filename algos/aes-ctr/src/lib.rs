//! AES in counter mode: `ctr(aes)`.
//!
//! FIPS 197 (the cipher), SP 800-38A section 6.5 (the mode). The counter is the whole block,
//! big-endian, and wraps, as in the kernel; the last block may be partial.
//!
//! # Timing
//!
//! Constant time in key and data: with AES instructions where the processor has them, else with
//! RustCrypto's bitsliced implementation. On a GPU bitsliced too, without tables (`kgpu-aes-device`).
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(target_arch = "nvptx64", feature(abi_ptx, asm_experimental_arch))]

#[cfg(not(kgpu_kernel))]
extern crate alloc;

#[cfg(not(kgpu_kernel))]
mod cpu;
#[cfg(any(target_arch = "nvptx64", not(kgpu_kernel)))]
mod device;
mod known_answers;

use kgpu_core::abi::AlgorithmId;
use kgpu_core::algorithm::{Algorithm, Fallback, KeySizes, Launch, Load, Mode, Output, spread};

/// Bytes queued from which a GPU is done sooner than one core: measured on an H200 (docs/benchmarks.md, Crossovers).
const CROSSOVER: u32 = 2 << 20;
/// A core does this in about 10 us; waking another for less does not pay. A starting value.
const LANE_BYTES: u64 = 64 << 10;

/// Key lengths of the kernel's `aes`: 128, 192 and 256 bits.
const KEYS: KeySizes = KeySizes {
    min: 16,
    max: 32,
    step: 8,
};

/// The algorithms of this crate.
pub static ALGORITHMS: &[Algorithm] = &[Algorithm {
    id: AlgorithmId(3),
    name: "ctr(aes)",
    driver: "ctr-aes-kgpu",
    mode: Mode::Ctr,
    block_size: 16,
    key_sizes: KEYS,
    output: Output::SameAsInput,
    fallback: Fallback::Skcipher,
    crossover: CROSSOVER,
    known_answers: known_answers::CTR,
    launch,
    #[cfg(not(kgpu_kernel))]
    cpu: cpu::expand,
    #[cfg(not(kgpu_kernel))]
    device: Some(&device::CODE),
}];

/// Spreads a load over lanes.
fn launch(load: &Load) -> Launch {
    spread(load, LANE_BYTES)
}
