//! Twofish in ECB, CBC, CTR and XTS mode: `ecb(twofish)`, `cbc(twofish)`, `ctr(twofish)`,
//! `xts(twofish)`.
//!
//! B. Schneier, J. Kelsey, D. Whiting, D. Wagner, C. Hall, N. Ferguson, "Twofish: A 128-Bit Block
//! Cipher", 1998; SP 800-38A and IEEE 1619-2007 (the modes). XTS takes data units of whole blocks.
//!
//! # Timing
//!
//! Not constant time on the CPU: its substitution tables are indexed by data. Who can watch the caches
//! of the machine that encrypts may learn about the key. The kernel's own driver has the same property.
//! On a GPU the look-ups of a warp always go to different banks of shared memory: their time depends on
//! no data.
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(target_arch = "nvptx64", feature(abi_ptx, asm_experimental_arch))]

#[cfg(not(kgpu_kernel))]
extern crate alloc;

#[cfg(not(kgpu_kernel))]
mod cpu;
#[cfg(any(target_arch = "nvptx64", not(kgpu_kernel)))]
mod device;
#[cfg(not(kgpu_kernel))]
mod field;
mod known_answers;
#[cfg(not(kgpu_kernel))]
mod rounds;
#[cfg(not(kgpu_kernel))]
mod schedule;

use kgpu_core::abi::AlgorithmId;
use kgpu_core::algorithm::{Algorithm, Fallback, KeySizes, Launch, Load, Mode, Output, spread};

/// Bytes queued from which a GPU is done sooner than one core: measured on an H200 (docs/benchmarks.md, Crossovers).
const CROSSOVER: u32 = 8 << 10;
/// The same in CBC, whose encryption goes unit by unit.
const CBC_CROSSOVER: u32 = 64 << 10;
/// The same in CTR.
const CTR_CROSSOVER: u32 = 16 << 10;
/// A core needs tens of microseconds for this; waking another for less does not pay. A starting value.
const LANE_BYTES: u64 = 8 << 10;

/// Key lengths of the kernel's `twofish`: 128, 192 and 256 bits.
const KEYS: KeySizes = KeySizes {
    min: 16,
    max: 32,
    step: 8,
};

/// Twice those, for XTS: two keys of 128, 192 or 256 bits.
const XTS_KEYS: KeySizes = KeySizes {
    min: 32,
    max: 64,
    step: 16,
};

/// The algorithms of this crate.
pub static ALGORITHMS: &[Algorithm] = &[
    Algorithm {
        id: AlgorithmId(32),
        name: "ecb(twofish)",
        driver: "ecb-twofish-kgpu",
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
        id: AlgorithmId(33),
        name: "cbc(twofish)",
        driver: "cbc-twofish-kgpu",
        mode: Mode::Cbc,
        block_size: 16,
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
        id: AlgorithmId(34),
        name: "ctr(twofish)",
        driver: "ctr-twofish-kgpu",
        mode: Mode::Ctr,
        block_size: 16,
        key_sizes: KEYS,
        output: Output::SameAsInput,
        fallback: Fallback::Skcipher,
        crossover: CTR_CROSSOVER,
        known_answers: known_answers::CTR,
        launch,
        #[cfg(not(kgpu_kernel))]
        cpu: cpu::ctr,
        #[cfg(not(kgpu_kernel))]
        device: Some(&device::CTR),
    },
    Algorithm {
        id: AlgorithmId(35),
        name: "xts(twofish)",
        driver: "xts-twofish-kgpu",
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
