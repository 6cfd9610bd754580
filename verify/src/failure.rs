//! Why a check did not pass.

use std::fmt;

use kgpu_core::abi::InvalidCode;
use kgpu_core::cpu::{KeyError, WorkError};
use kgpu_core::request::ShapeError;

/// Why a check did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The key was refused.
    Key(KeyError),
    /// The request is not one of the algorithm's.
    Shape(ShapeError),
    /// A tile was malformed.
    Tile(InvalidCode),
    /// A tile could not be run.
    Work(WorkError),
    /// A vector file cannot be read.
    File {
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The bytes are not the expected ones.
    Differs {
        /// Which answer, and how it was computed.
        what: String,
        /// First byte that differs, or the length of the shorter.
        at: usize,
    },
    /// The check cannot be made.
    Impossible(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::Shape(error) => error.fmt(f),
            Self::Tile(error) => error.fmt(f),
            Self::Work(error) => error.fmt(f),
            Self::File { line, why } => write!(f, "line {line}: {why}"),
            Self::Differs { what, at } => write!(f, "{what}: differs from byte {at} on"),
            Self::Impossible(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<ShapeError> for Failure {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}

impl From<InvalidCode> for Failure {
    fn from(error: InvalidCode) -> Self {
        Self::Tile(error)
    }
}

impl From<WorkError> for Failure {
    fn from(error: WorkError) -> Self {
        Self::Work(error)
    }
}

/// Compares bytes.
///
/// # Errors
/// [`Failure::Differs`], naming `what`.
pub fn same(what: impl FnOnce() -> String, got: &[u8], expected: &[u8]) -> Result<(), Failure> {
    if got == expected {
        return Ok(());
    }
    let at = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
    Err(Failure::Differs { what: what(), at })
}
