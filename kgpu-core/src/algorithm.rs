//! The descriptor through which everything knows an algorithm: the module registers it, the
//! helper runs it, tests and benchmarks iterate over it, and none of them names one.

use crate::abi::{AlgorithmId, IvStep, Op};

/// Longest IV of any algorithm, in bytes.
pub const IV_BYTES_MAX: usize = 16;

/// How an algorithm uses its blocks, and with it what a request of it may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Electronic codebook (SP 800-38A, 6.1).
    Ecb,
    /// Cipher block chaining (SP 800-38A, 6.2).
    Cbc,
    /// Counter mode, the counter the whole block, big-endian (SP 800-38A, 6.5).
    Ctr,
    /// XEX with tweak and ciphertext stealing (IEEE 1619, SP 800-38E), whole blocks only.
    Xts,
    /// A service without key or IV: an output of its own length per data unit.
    Digest,
}

/// Key lengths in bytes: `min`, `min + step`, … `max`. All zero for algorithms without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySizes {
    /// Shortest.
    pub min: u16,
    /// Longest.
    pub max: u16,
    /// Distance between two lengths.
    pub step: u16,
}

impl KeySizes {
    /// No key.
    pub const NONE: Self = Self {
        min: 0,
        max: 0,
        step: 0,
    };

    /// Whether `len` bytes are a key's length.
    #[must_use]
    pub const fn contains(self, len: usize) -> bool {
        let (min, max, step) = (self.min as usize, self.max as usize, self.step as usize);
        len >= min && len <= max && (step == 0 || (len - min).is_multiple_of(step))
    }

    /// Every length, shortest first.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (usize::from(self.min)..=usize::from(self.max)).step_by(usize::from(self.step.max(1)))
    }
}

/// How many bytes come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// As many as went in.
    SameAsInput,
    /// This many for each data unit, a short last one included.
    PerUnit(u32),
}

/// What the kernel module computes with when no helper can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The kernel's skcipher of the algorithm's own name.
    Skcipher,
    /// The kernel's shash of this name, once per data unit.
    Shash(&'static str),
}

/// A test with a published or independently computed answer, run through each helper before
/// requests are routed to it. Ciphers run it in both directions.
#[derive(Clone, Copy, Debug)]
pub struct KnownAnswer {
    /// Where the answer comes from.
    pub source: &'static str,
    /// Key; empty for algorithms without one.
    pub key: &'static [u8],
    /// IV of the first data unit, zero-padded.
    pub iv: [u8; IV_BYTES_MAX],
    /// How the IV steps.
    pub iv_step: IvStep,
    /// Bytes of a data unit.
    pub data_unit_size: u32,
    /// Plaintext, or a service's input.
    pub input: &'static [u8],
    /// Ciphertext, or a service's output.
    pub output: &'static [u8],
}

/// What is to be spread over a backend's lanes (threads of a CPU; a GPU's blocks are planned by [`crate::device::plan`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Tiles of this algorithm and operation, over all requests and keys.
    pub tiles: u32,
    /// Their source bytes.
    pub bytes: u64,
    /// Lanes that can work at the same time.
    pub lanes: u32,
}

/// How a load is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Consecutive tiles that one lane takes at a time, at least 1.
    pub tiles_per_lane: u32,
    /// Lanes worth waking, at least 1.
    pub lanes: u32,
}

/// The launch shape of an algorithm for a load.
pub type LaunchFn = fn(&Load) -> Launch;

/// Everything that is to be known about an algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Algorithm {
    /// Stable number, never reused.
    pub id: AlgorithmId,
    /// The kernel's name: `xts(twofish)`.
    pub name: &'static str,
    /// The driver's name: `xts-twofish-kgpu`.
    pub driver: &'static str,
    /// Mode of operation.
    pub mode: Mode,
    /// Bytes of a block; 1 for services.
    pub block_size: u16,
    /// Key lengths.
    pub key_sizes: KeySizes,
    /// Bytes that come out.
    pub output: Output,
    /// What the kernel module falls back to.
    pub fallback: Fallback,
    /// Bytes queued at a flush from which a helper is worth the trip, unless measured or set.
    pub crossover: u32,
    /// Answers a helper must give before anything is routed to it.
    pub known_answers: &'static [KnownAnswer],
    /// How a load is spread over lanes.
    pub launch: LaunchFn,
    /// Expands a key for the CPU.
    #[cfg(feature = "cpu")]
    pub cpu: crate::cpu::ExpandFn,
    /// Its kernels for a GPU; `None` where the CPU is all there is.
    #[cfg(feature = "cpu")]
    pub device: Option<&'static crate::device::Code>,
}

impl Algorithm {
    /// Bytes of the IV: a block's where the mode has one.
    #[must_use]
    pub const fn iv_size(&self) -> usize {
        match self.mode {
            Mode::Cbc | Mode::Ctr | Mode::Xts => self.block_size as usize,
            Mode::Ecb | Mode::Digest => 0,
        }
    }

    /// Whether requests need a key.
    #[must_use]
    pub const fn has_key(&self) -> bool {
        self.key_sizes.max > 0
    }

    /// Whether the algorithm offers `op`.
    #[must_use]
    pub const fn offers(&self, op: Op) -> bool {
        match op {
            Op::Encrypt | Op::Decrypt => !matches!(self.mode, Mode::Digest),
            Op::Compute => matches!(self.mode, Mode::Digest),
        }
    }

    /// The operations the algorithm offers.
    #[must_use]
    pub const fn ops(&self) -> &'static [Op] {
        match self.mode {
            Mode::Digest => &[Op::Compute],
            _ => &[Op::Encrypt, Op::Decrypt],
        }
    }

    /// Whether the IV can step from unit to unit in this way: 64-bit counters need an IV of at
    /// least 8 bytes, 128-bit ones need 16.
    #[must_use]
    pub const fn steps(&self, step: IvStep) -> bool {
        match step {
            IvStep::None => true,
            IvStep::Le64 | IvStep::Be64 => self.iv_size() >= 8,
            IvStep::Le128 | IvStep::Be128 => self.iv_size() == 16,
        }
    }

    /// Whether a data unit can be computed in pieces that do not know of each other.
    #[must_use]
    pub const fn splits_units(&self, op: Op) -> bool {
        match self.mode {
            Mode::Ecb | Mode::Ctr | Mode::Xts => true,
            Mode::Cbc => matches!(op, Op::Decrypt),
            Mode::Digest => false,
        }
    }

    /// Whether the last data unit may have any length (otherwise data is whole units of whole
    /// blocks).
    #[must_use]
    pub const fn partial_last_unit(&self) -> bool {
        matches!(self.mode, Mode::Ctr | Mode::Digest)
    }
}

/// Spreads a load evenly over the lanes, but gives none fewer than `bytes` bytes to do: waking a
/// lane for less costs more than it brings.
#[must_use]
pub fn spread(load: &Load, bytes: u64) -> Launch {
    let tiles = u64::from(load.tiles.max(1));
    let lanes = u64::from(load.lanes.max(1))
        .min((load.bytes / bytes.max(1)).max(1))
        .min(tiles);
    // Four turns a lane even out lanes that are held up, at little cost.
    let turns = if lanes == 1 { 1 } else { 4 };
    let per_lane = tiles.div_ceil(lanes * turns).max(1);
    Launch {
        tiles_per_lane: u32::try_from(per_lane).unwrap_or(u32::MAX),
        lanes: u32::try_from(lanes).unwrap_or(1),
    }
}
