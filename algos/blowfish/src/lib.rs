//! Blowfish in ECB, CBC and CTR mode: `ecb(blowfish)`, `cbc(blowfish)`, `ctr(blowfish)`.
//!
//! B. Schneier, "Description of a New Variable-Length Key, 64-Bit Block Cipher (Blowfish)", 1993;
//! SP 800-38A (the modes, on 8-byte blocks). With blocks of 8 bytes, collisions show after some
//! 32 GiB under one key: for existing volumes, not for new ones.
//!
//! # Timing
//!
//! Not constant time on the CPU: its substitution tables are indexed by data. Who can watch the caches
//! of the machine that encrypts may learn about the key. The kernel's own driver has the same property.
//! On a GPU the look-ups of a warp always go to different banks of shared memory: their time depends on
//! no data. Keys for the GPU are expanded on the CPU.
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
const CROSSOVER: u32 = 8 << 10;
/// The same in CBC, whose encryption goes unit by unit.
const CBC_CROSSOVER: u32 = 128 << 10;
/// A core needs tens of microseconds for this; waking another for less does not pay. A starting value.
const LANE_BYTES: u64 = 8 << 10;

/// Key lengths of the kernel's `blowfish`: 32 to 448 bits.
const KEYS: KeySizes = KeySizes {
    min: 4,
    max: 56,
    step: 1,
};

/// The algorithms of this crate.
pub static ALGORITHMS: &[Algorithm] = &[
    Algorithm {
        id: AlgorithmId(16),
        name: "ecb(blowfish)",
        driver: "ecb-blowfish-kgpu",
        mode: Mode::Ecb,
        block_size: 8,
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
        id: AlgorithmId(17),
        name: "cbc(blowfish)",
        driver: "cbc-blowfish-kgpu",
        mode: Mode::Cbc,
        block_size: 8,
        key_sizes: KEYS,
        output: Output::SameAsInput,
        fallback: Fallback::Skcipher,
        crossover: CBC_CROSSOVER,
        known_answers: known_answers::CBC,
        launch,
        #[cfg(not(kgpu_kernel))]
        cpu: cpu::cbc,
        #[cfg(not(kgpu_kernel))]
        device: Some(&device::CBC),
    },
    Algorithm {
        id: AlgorithmId(18),
        name: "ctr(blowfish)",
        driver: "ctr-blowfish-kgpu",
        mode: Mode::Ctr,
        block_size: 8,
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
];

/// Spreads a load over lanes.
fn launch(load: &Load) -> Launch {
    spread(load, LANE_BYTES)
}
