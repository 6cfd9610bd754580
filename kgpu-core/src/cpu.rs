//! The CPU side of an algorithm: a key, expanded, that runs tiles.

use alloc::boxed::Box;

use crate::abi::{IvStep, Op, Tile};
use crate::algorithm::IV_BYTES_MAX;

/// Expands a key. Algorithms without a key get an empty one.
///
/// # Errors
/// [`KeyError`] when the algorithm has no key of that length.
pub type ExpandFn = fn(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError>;

/// A key that an algorithm does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError {
    /// Its length in bytes.
    pub len: usize,
}

impl core::fmt::Display for KeyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "no key is {} bytes long in this algorithm", self.len)
    }
}

/// An expanded key of one algorithm. Clears itself when dropped; its `Debug` prints no key.
pub trait CpuKey: Send + Sync + core::fmt::Debug {
    /// Runs one tile over its data.
    ///
    /// # Errors
    /// [`WorkError`] when lengths do not fit the algorithm; nothing is guaranteed of the
    /// destination then.
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError>;
}

/// A tile's bytes.
#[derive(Debug)]
pub enum Data<'a> {
    /// Source and destination are the same bytes.
    InPlace(&'a mut [u8]),
    /// Source and destination do not overlap.
    Apart {
        /// Read.
        src: &'a [u8],
        /// Written completely.
        dst: &'a mut [u8],
    },
}

impl Data<'_> {
    /// Source bytes.
    #[must_use]
    pub fn src_len(&self) -> usize {
        match self {
            Data::InPlace(data) => data.len(),
            Data::Apart { src, .. } => src.len(),
        }
    }
}

/// What to do with a tile's bytes: the fields of [`Tile`] as an algorithm needs them.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// The operation.
    pub op: Op,
    /// Bytes of a data unit, at least 1.
    pub data_unit_size: u32,
    /// How the IV steps from unit to unit.
    pub iv_step: IvStep,
    /// IV as it stands at the tile's first block (XTS: at the start of its first unit).
    pub iv: [u8; IV_BYTES_MAX],
    /// Blocks between the start of the tile's first unit and the tile (XTS; else 0).
    pub first_block: u32,
}

impl TryFrom<&Tile> for Work {
    type Error = crate::abi::InvalidCode;
    fn try_from(tile: &Tile) -> Result<Self, Self::Error> {
        if crate::abi::TileFlags::from_bits(tile.flags).is_none() {
            return Err(Self::Error {
                what: "tile flags",
                value: u64::from(tile.flags),
            });
        }
        if tile.data_unit_size == 0 {
            return Err(Self::Error {
                what: "data unit size",
                value: 0,
            });
        }
        Ok(Self {
            op: Op::try_from(tile.op)?,
            data_unit_size: tile.data_unit_size,
            iv_step: IvStep::try_from(tile.iv_step)?,
            iv: tile.iv,
            first_block: tile.first_block,
        })
    }
}

/// Why a tile could not be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkError {
    /// The algorithm does not offer the operation.
    Op(Op),
    /// The source is not whole blocks, or the first block of a mode that does not count is not 0.
    Source {
        /// Source bytes.
        len: usize,
        /// Bytes of a block.
        block: usize,
    },
    /// The destination is not as long as the output.
    Destination {
        /// Destination bytes.
        len: usize,
        /// Output bytes.
        expected: usize,
    },
}

impl core::fmt::Display for WorkError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Op(op) => write!(f, "the algorithm does not {op}"),
            Self::Source { len, block } => {
                write!(f, "{len} source bytes are not whole blocks of {block}")
            }
            Self::Destination { len, expected } => {
                write!(f, "destination of {len} bytes for an output of {expected}")
            }
        }
    }
}
