//! A request as its submitter describes it, and the checks it must pass.

use crate::abi::{IvStep, Op};
use crate::algorithm::{Algorithm, IV_BYTES_MAX, Output};

/// One operation under one key over data units that each have their own IV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The operation.
    pub op: Op,
    /// Source bytes, at least 1.
    pub len: u32,
    /// Bytes of a data unit; `len` for a request with a single IV.
    pub data_unit_size: u32,
    /// IV of the first unit, zero-padded.
    pub iv: [u8; IV_BYTES_MAX],
    /// How the IV steps from unit to unit.
    pub iv_step: IvStep,
}

/// Why a shape is not one of an algorithm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// The algorithm does not offer the operation.
    Op(Op),
    /// There is nothing to do.
    Empty,
    /// Data units must not be empty.
    Unit,
    /// The length is not whole data units of whole blocks.
    Length {
        /// Source bytes.
        len: u32,
        /// Bytes of a data unit.
        data_unit_size: u32,
        /// Bytes of a block.
        block_size: u16,
    },
    /// The IV is too short to step in that way.
    Step(IvStep),
    /// The output would be 4 GiB or more.
    Output,
}

impl core::fmt::Display for ShapeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Op(op) => write!(f, "the algorithm does not {op}"),
            Self::Empty => f.write_str("the request has no data"),
            Self::Unit => f.write_str("the data unit size is 0"),
            Self::Length {
                len,
                data_unit_size,
                block_size,
            } => write!(
                f,
                "{len} bytes are not whole data units of {data_unit_size} bytes \
                 in whole blocks of {block_size}"
            ),
            Self::Step(step) => write!(f, "the IV is too short to step as {step}"),
            Self::Output => f.write_str("the output would be 4 GiB or more"),
        }
    }
}

impl Shape {
    /// A request under one IV: one data unit.
    #[must_use]
    pub const fn single(op: Op, len: u32, iv: [u8; IV_BYTES_MAX]) -> Self {
        Self {
            op,
            len,
            data_unit_size: len,
            iv,
            iv_step: IvStep::None,
        }
    }

    /// Number of data units, a short last one included.
    #[must_use]
    pub const fn units(&self) -> u32 {
        if self.data_unit_size == 0 {
            0
        } else {
            self.len.div_ceil(self.data_unit_size)
        }
    }

    /// Bytes that come out.
    ///
    /// # Errors
    /// [`ShapeError::Output`] when they do not fit 32 bits.
    pub fn output_len(&self, algorithm: &Algorithm) -> Result<u32, ShapeError> {
        match algorithm.output {
            Output::SameAsInput => Ok(self.len),
            Output::PerUnit(bytes) => self.units().checked_mul(bytes).ok_or(ShapeError::Output),
        }
    }

    /// Checks the shape against the algorithm.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, algorithm: &Algorithm) -> Result<(), ShapeError> {
        if !algorithm.offers(self.op) {
            return Err(ShapeError::Op(self.op));
        }
        if self.len == 0 {
            return Err(ShapeError::Empty);
        }
        if self.data_unit_size == 0 {
            return Err(ShapeError::Unit);
        }
        if !algorithm.steps(self.iv_step) {
            return Err(ShapeError::Step(self.iv_step));
        }
        let block = u32::from(algorithm.block_size);
        let units = self.len > self.data_unit_size;
        let fits = if algorithm.partial_last_unit() {
            // A unit that another one follows must end where a block ends.
            !units || self.data_unit_size.is_multiple_of(block)
        } else {
            self.data_unit_size.is_multiple_of(block)
                && self.len.is_multiple_of(self.data_unit_size)
        };
        if !fits {
            return Err(ShapeError::Length {
                len: self.len,
                data_unit_size: self.data_unit_size,
                block_size: algorithm.block_size,
            });
        }
        self.output_len(algorithm).map(|_| ())
    }
}
