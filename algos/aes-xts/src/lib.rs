//! AES in XTS mode: `xts(aes)`.
//!
//! FIPS 197 (the cipher), IEEE 1619-2007 and SP 800-38E (the mode), on data units of whole blocks:
//! ciphertext stealing is left to the fallback. As the kernel does outside FIPS mode, it takes two
//! equal key halves; whoever chooses keys should not.
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

/// Twice those of the kernel's `aes`, as its `xts` takes them: two keys of 128, 192 or 256 bits.
const KEYS: KeySizes = KeySizes {
    min: 32,
    max: 64,
    step: 16,
};

/// The algorithms of this crate.
pub static ALGORITHMS: &[Algorithm] = &[Algorithm {
    id: AlgorithmId(4),
    name: "xts(aes)",
    driver: "xts-aes-kgpu",
    mode: Mode::Xts,
    block_size: 16,
    key_sizes: KEYS,
    output: Output::SameAsInput,
    fallback: Fallback::Skcipher,
    crossover: CROSSOVER,
    known_answers: known_answers::XTS,
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
