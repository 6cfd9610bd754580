//! Serpent in ECB, CBC, CTR and XTS mode: `ecb(serpent)`, `cbc(serpent)`, `ctr(serpent)`,
//! `xts(serpent)`.
//!
//! R. Anderson, E. Biham, L. Knudsen, "Serpent: A Proposal for the Advanced Encryption Standard", 1998,
//! in the byte order of the kernel's `serpent` and of the NESSIE vectors (words little-endian); SP 800-38A
//! and IEEE 1619-2007 (the modes). XTS takes data units of whole blocks.
//!
//! # Timing
//!
//! Constant time: boolean operations, shifts and rotations of words, by distances that do not depend on
//! data. No tables. The number of blocks and the key's length are not secret.
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(target_arch = "nvptx64", feature(abi_ptx, asm_experimental_arch))]

#[cfg(not(kgpu_kernel))]
extern crate alloc;

#[cfg(not(kgpu_kernel))]
mod cipher;
#[cfg(not(kgpu_kernel))]
mod cpu;
#[cfg(any(target_arch = "nvptx64", not(kgpu_kernel)))]
mod device;
pub mod gates;
mod known_answers;
pub mod lut3;
pub mod luts;
pub mod rounds;
pub mod sbox;
pub mod schedule;

use kgpu_core::abi::AlgorithmId;
use kgpu_core::algorithm::{Algorithm, Fallback, KeySizes, Launch, Load, Mode, Output, spread};

/// Bytes queued from which a GPU is done sooner than one core: measured on an H200 (docs/benchmarks.md, Crossovers).
const CROSSOVER: u32 = 64 << 10;
/// A core needs tens of microseconds for this; waking another for less does not pay. A starting value.
const LANE_BYTES: u64 = 32 << 10;

/// Key lengths of the kernel's `serpent`: any from nothing to 256 bits. The kernel's own self-tests
/// set an empty key, so a driver that refused it would not be registered.
const KEYS: KeySizes = KeySizes {
    min: 0,
    max: 32,
    step: 1,
};

/// Twice those, for XTS: two keys of one length.
const XTS_KEYS: KeySizes = KeySizes {
    min: 0,
    max: 64,
    step: 2,
};

/// The algorithms of this crate.
pub static ALGORITHMS: &[Algorithm] = &[
    Algorithm {
        id: AlgorithmId(48),
        name: "ecb(serpent)",
        driver: "ecb-serpent-kgpu",
        mode: Mode::Ecb,
        block_size: 16,
        key_sizes: KEYS,
        output: Output::SameAsInput,
        fallback: Fallback::Skcipher,
        crossover: CROSSOVER,
        known_answers: known_answers::ECB,
        launch,
        #[cfg(not(kgpu_kernel))]
        cpu: cpu::ecb,
        #[cfg(not(kgpu_kernel))]
        device: Some(&device::ECB),
    },
    Algorithm {
        id: AlgorithmId(49),
        name: "cbc(serpent)",
        driver: "cbc-serpent-kgpu",
        mode: Mode::Cbc,
        block_size: 16,
        key_sizes: KEYS,
        output: Output::SameAsInput,
        fallback: Fallback::Skcipher,
        crossover: CROSSOVER,
        known_answers: known_answers::CBC,
        launch,
        #[cfg(not(kgpu_kernel))]
        cpu: cpu::cbc,
        #[cfg(not(kgpu_kernel))]
        device: Some(&device::CBC),
    },
    Algorithm {
        id: AlgorithmId(50),
        name: "ctr(serpent)",
        driver: "ctr-serpent-kgpu",
        mode: Mode::Ctr,
        block_size: 16,
        key_sizes: KEYS,
        output: Output::SameAsInput,
        fallback: Fallback::Skcipher,
        crossover: CROSSOVER,
        known_answers: known_answers::CTR,
        launch,
        #[cfg(not(kgpu_kernel))]
        cpu: cpu::ctr,
        #[cfg(not(kgpu_kernel))]
        device: Some(&device::CTR),
    },
    Algorithm {
        id: AlgorithmId(51),
        name: "xts(serpent)",
        driver: "xts-serpent-kgpu",
        mode: Mode::Xts,
        block_size: 16,
        key_sizes: XTS_KEYS,
        output: Output::SameAsInput,
        fallback: Fallback::Skcipher,
        crossover: CROSSOVER,
        known_answers: known_answers::XTS,
        launch,
        #[cfg(not(kgpu_kernel))]
        cpu: cpu::xts,
        #[cfg(not(kgpu_kernel))]
        device: Some(&device::XTS),
    },
];

/// Spreads a load over lanes.
fn launch(load: &Load) -> Launch {
    spread(load, LANE_BYTES)
}
