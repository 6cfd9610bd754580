//! CRC-32C of each data unit: the service `crc32c`.
//!
//! Castagnoli's polynomial 0x1EDC6F41, reflected, register preset to ones, result inverted, written
//! little-endian: the digest of the kernel's shash `crc32c` with its default seed, and RFC 3720's.
//! One 4-byte output for each data unit, a short last one included; no key, no IV.
//!
//! # Timing
//!
//! Nothing here is secret. A checksum finds accidents; it is no defence against anyone.
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

/// A starting value until it is measured: the CPU has an instruction for this.
const CROSSOVER: u32 = 1 << 20;
/// A core does this in some 20 us; waking another for less does not pay. A starting value.
const LANE_BYTES: u64 = 256 << 10;

/// The algorithms of this crate.
pub static ALGORITHMS: &[Algorithm] = &[Algorithm {
    id: AlgorithmId(256),
    name: "crc32c",
    driver: "crc32c-kgpu",
    mode: Mode::Digest,
    block_size: 1,
    key_sizes: KeySizes::NONE,
    output: Output::PerUnit(4),
    fallback: Fallback::Shash("crc32c"),
    crossover: CROSSOVER,
    known_answers: known_answers::CRC32C,
    launch,
    #[cfg(not(kgpu_kernel))]
    cpu: cpu::expand,
    #[cfg(not(kgpu_kernel))]
    device: Some(&device::CRC32C),
}];

/// Spreads a load over lanes.
fn launch(load: &Load) -> Launch {
    spread(load, LANE_BYTES)
}
