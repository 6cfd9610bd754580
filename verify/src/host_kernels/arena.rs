//! Memory of the batch: buffers at chosen distances from multiples of 16, with guard bytes between.

use zerocopy::IntoBytes;

use crate::Failure;

/// What memory holds that nobody has written.
pub(super) const POISON: u8 = 0xa5;

/// Bytes around buffers.
const GUARD: usize = 64;
/// Bytes of the arena's unit, and what it is aligned to.
const CELL: usize = align_of::<u128>();

/// A buffer: its place in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffer {
    at: usize,
    len: usize,
}

/// Where the buffers go, before there is memory.
#[derive(Debug, Default)]
pub(super) struct Layout {
    end: usize,
}

impl Layout {
    /// A buffer of `len` bytes that lies `misplaced` bytes behind a multiple of 16.
    pub(super) fn add(&mut self, len: usize, misplaced: usize) -> Buffer {
        let at = (self.end + GUARD).next_multiple_of(CELL) + misplaced % CELL;
        self.end = at + len;
        Buffer { at, len }
    }

    /// The memory for the buffers.
    pub(super) fn arena(&self) -> Arena {
        let cells = (self.end + GUARD).div_ceil(CELL);
        Arena {
            cells: vec![u128::from_ne_bytes([POISON; CELL]); cells],
        }
    }
}

/// The memory.
#[derive(Debug)]
pub(super) struct Arena {
    cells: Vec<u128>,
}

impl Arena {
    /// The arena's address for a kernel. No other call may be made until the kernel is done.
    pub(super) fn expose(&mut self) -> u64 {
        self.cells.as_mut_ptr().expose_provenance() as u64
    }

    /// A buffer's bytes.
    pub(super) fn bytes(&mut self, buffer: Buffer) -> Result<&mut [u8], Failure> {
        let outside = || Failure::Impossible("a buffer lies outside the arena".into());
        let bytes = self.cells.as_mut_bytes();
        bytes
            .get_mut(buffer.at..buffer.at + buffer.len)
            .ok_or_else(outside)
    }

    /// Whether all but the buffers is as it was; clears the buffers.
    pub(super) fn check_guards(&mut self, buffers: &[Buffer]) -> Result<(), Failure> {
        for buffer in buffers {
            self.bytes(*buffer)?.fill(POISON);
        }
        match self
            .cells
            .as_bytes()
            .iter()
            .position(|byte| *byte != POISON)
        {
            None => Ok(()),
            Some(at) => Err(Failure::Differs {
                what: "the bytes around the buffers of a launch".into(),
                at,
            }),
        }
    }
}

impl Buffer {
    /// The buffer's address, in an arena at `base`.
    pub(super) const fn address(self, base: u64) -> u64 {
        base + self.at as u64
    }
}
