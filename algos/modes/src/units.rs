//! Where the data units of a tile start, and with which IV.

use kgpu_core::abi::IvStep;
use kgpu_core::algorithm::IV_BYTES_MAX;
use kgpu_core::cpu::{Work, WorkError};
use kgpu_core::{iv, num};

/// A walk over a tile's blocks that knows which data unit it is in.
#[derive(Clone, Debug)]
pub(crate) struct Units {
    /// IV of the unit.
    iv: [u8; IV_BYTES_MAX],
    /// Bytes of the IV.
    size: usize,
    /// How it steps.
    step: IvStep,
    /// Blocks of a unit.
    blocks: usize,
    /// Blocks left in the unit.
    left: usize,
}

impl Units {
    /// At the tile's first block. `len` is the tile's bytes, `block` a block's.
    ///
    /// # Errors
    /// [`WorkError::Source`] when the tile starts behind its first unit's end, or a unit that
    /// another one follows does not end where a block ends.
    pub(crate) fn new(work: &Work, len: usize, block: usize) -> Result<Self, WorkError> {
        let unit = num::index(u64::from(work.data_unit_size));
        let before = num::index(u64::from(work.first_block));
        let blocks = unit.div_ceil(block);
        let left = blocks.saturating_sub(before);
        if left == 0 || (len.div_ceil(block) > left && !unit.is_multiple_of(block)) {
            return Err(WorkError::Source { len: unit, block });
        }
        Ok(Self {
            iv: work.iv,
            size: block,
            step: work.iv_step,
            blocks,
            left,
        })
    }

    /// The same for a mode whose tiles say all with the IV.
    ///
    /// # Errors
    /// As [`Self::new`], and when the tile counts blocks before its first.
    pub(crate) fn uncounted(work: &Work, len: usize, block: usize) -> Result<Self, WorkError> {
        if work.first_block != 0 {
            return Err(WorkError::Source { len, block });
        }
        Self::new(work, len, block)
    }

    /// IV of the unit.
    pub(crate) const fn iv(&self) -> &[u8; IV_BYTES_MAX] {
        &self.iv
    }

    /// Blocks of a whole unit.
    pub(crate) const fn blocks(&self) -> usize {
        self.blocks
    }

    /// Blocks left in the unit.
    pub(crate) const fn left(&self) -> usize {
        self.left
    }

    /// Goes on to the next unit.
    pub(crate) fn advance(&mut self) {
        self.iv = iv::step(&self.iv, self.size, self.step, 1);
        self.left = self.blocks;
    }

    /// Takes at most `wanted` blocks of the unit; 0 when it is at its end.
    pub(crate) fn take(&mut self, wanted: usize) -> usize {
        let taken = wanted.min(self.left);
        self.left -= taken;
        taken
    }
}
