//! Why a request was not computed: what the completion's status and detail say, and what the log
//! says. Numbers only; never a byte of data or key.

use kgpu_core::abi::{InvalidCode, Status};
use kgpu_core::cpu::{KeyError, WorkError};
use kgpu_core::request::ShapeError;

use crate::region::SpanError;

/// Why a request was not computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A wire code that names nothing.
    Code(InvalidCode),
    /// The submission is of another session.
    Session {
        /// The session it names.
        found: u32,
        /// This session.
        expected: u32,
    },
    /// Its tiles are not tiles of the table, or it has none.
    TileRange {
        /// First tile.
        first: u32,
        /// Number of tiles.
        count: u32,
        /// Tiles of the table.
        table: u32,
    },
    /// More tiles are in flight than the table has.
    TilesInFlight {
        /// Tiles of the table.
        table: u32,
    },
    /// The tiles' lengths do not add up to the submission's.
    Sum {
        /// Which length.
        what: &'static str,
        /// Over all tiles.
        found: u64,
        /// The submission's.
        expected: u32,
    },
    /// The tile is of another algorithm or operation than its submission.
    Foreign {
        /// The tile's algorithm.
        algorithm: u16,
        /// The tile's operation.
        op: u8,
    },
    /// The helper does not know the algorithm.
    UnknownAlgorithm(u16),
    /// There is no such operation, or the algorithm does not offer it.
    UnknownOp(u8),
    /// The tile is no piece of a request of its algorithm.
    Shape(ShapeError),
    /// The destination is not as long as the output.
    OutputLength {
        /// The tile's.
        found: u32,
        /// The algorithm's.
        expected: u32,
    },
    /// The source or destination can't be used.
    Span(SpanError),
    /// The tile starts inside its data unit where the mode can't, or ends outside of it.
    FirstBlock {
        /// Blocks before the tile.
        first_block: u32,
    },
    /// A field that must be zero is not.
    NotZero(&'static str),
    /// The key slot is not one of the table's, or an algorithm without a key names one.
    KeySlot {
        /// The slot.
        slot: u32,
    },
    /// The slot holds another generation than the tile names.
    StaleKey {
        /// The slot.
        slot: u32,
        /// The generation the tile names.
        wanted: u32,
        /// The slot's.
        found: u32,
    },
    /// The slot's key is for another algorithm.
    KeyOfOther {
        /// The algorithm the key is for.
        algorithm: u16,
    },
    /// The algorithm refuses the slot's key.
    Key(KeyError),
    /// The algorithm refused the work.
    Work(WorkError),
    /// The algorithm's code panicked.
    Panicked,
    /// The helper was told to end at once.
    ShuttingDown,
    /// The device failed at a time when results may already lie on their sources.
    DeviceFailed,
}

impl Fault {
    /// The status of the completion.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::UnknownAlgorithm(_) | Self::UnknownOp(_) => Status::Unsupported,
            Self::StaleKey { .. } => Status::StaleKey,
            Self::Work(_) | Self::Panicked | Self::DeviceFailed => Status::BackendFailed,
            Self::ShuttingDown => Status::ShuttingDown,
            _ => Status::Malformed,
        }
    }

    /// The completion's detail: which fault, for the module's log. Stable numbers.
    #[must_use]
    pub const fn detail(&self) -> u64 {
        match self {
            Self::Code(_) => 1,
            Self::Session { .. } => 2,
            Self::TileRange { .. } => 3,
            Self::TilesInFlight { .. } => 4,
            Self::Sum { .. } => 5,
            Self::Foreign { .. } => 6,
            Self::UnknownAlgorithm(_) => 7,
            Self::UnknownOp(_) => 8,
            Self::Shape(_) => 9,
            Self::OutputLength { .. } => 10,
            Self::Span(_) => 11,
            Self::FirstBlock { .. } => 12,
            Self::NotZero(_) => 13,
            Self::KeySlot { .. } => 14,
            Self::StaleKey { .. } => 15,
            Self::KeyOfOther { .. } => 16,
            Self::Key(_) => 17,
            Self::Work(_) => 18,
            Self::Panicked => 19,
            Self::ShuttingDown => 20,
            Self::DeviceFailed => 21,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(e) => e.fmt(f),
            Self::Session { found, expected } => {
                write!(f, "submission of session {found} in session {expected}")
            }
            Self::TileRange {
                first,
                count,
                table,
            } => write!(f, "{count} tiles from {first} in a table of {table}"),
            Self::TilesInFlight { table } => {
                write!(f, "more tiles in flight than the table's {table}")
            }
            Self::Sum {
                what,
                found,
                expected,
            } => write!(
                f,
                "the tiles' {what} is {found}, the submission's {expected}"
            ),
            Self::Foreign { algorithm, op } => write!(
                f,
                "tile of algorithm {algorithm}, operation {op}, unlike its submission"
            ),
            Self::UnknownAlgorithm(id) => write!(f, "unknown algorithm {id}"),
            Self::UnknownOp(code) => write!(f, "the algorithm has no operation {code}"),
            Self::Shape(e) => e.fmt(f),
            Self::OutputLength { found, expected } => {
                write!(
                    f,
                    "destination of {found} bytes for an output of {expected}"
                )
            }
            Self::Span(e) => e.fmt(f),
            Self::FirstBlock { first_block } => {
                write!(f, "the tile can't start at block {first_block} of its unit")
            }
            Self::NotZero(what) => write!(f, "{what} is not zero"),
            Self::KeySlot { slot } => write!(f, "key slot {slot}"),
            Self::StaleKey {
                slot,
                wanted,
                found,
            } => write!(
                f,
                "key slot {slot} has generation {found}, the tile wants {wanted}"
            ),
            Self::KeyOfOther { algorithm } => write!(f, "the key is for algorithm {algorithm}"),
            Self::Key(e) => e.fmt(f),
            Self::Work(e) => e.fmt(f),
            Self::Panicked => f.write_str("the algorithm's code panicked"),
            Self::ShuttingDown => f.write_str("shutting down"),
            Self::DeviceFailed => {
                f.write_str("the device failed after it may have overwritten the source")
            }
        }
    }
}
