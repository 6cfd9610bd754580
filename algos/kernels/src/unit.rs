//! A data unit that one thread computes from start to end, to a digest of 4 bytes.
#![allow(unsafe_code)]

use kgpu_core::device::CELL_BYTES;

use crate::gpu::{load1, load16, store1};
use crate::launch::TileView;

/// Bytes of a digest.
const DIGEST: u64 = 4;

/// One data unit.
///
/// # Invariants
/// The `len` bytes at `src` are a unit of a tile, and the 4 bytes at `dst` its place in the tile's
/// destination.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    src: u64,
    dst: u64,
    len: u32,
}

impl Unit {
    /// The `index`th unit of a tile.
    #[inline(always)]
    pub(crate) fn of(tile: &TileView, index: u32) -> Self {
        let offset = index * tile.unit;
        Self {
            src: tile.src + u64::from(offset),
            dst: tile.dst + u64::from(index) * DIGEST,
            len: tile.unit.min(tile.len - offset),
        }
    }

    /// Its bytes.
    #[inline(always)]
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.len
    }

    /// Bytes before the first that lies at a multiple of 16, from which on there can be cells.
    #[inline(always)]
    #[must_use]
    pub fn before_cells(&self) -> u32 {
        // The low bits alone.
        let at = kgpu_core::num::low32(self.src);
        (at.wrapping_neg() & (CELL_BYTES - 1)).min(self.len)
    }

    /// The byte at an offset; 0 beyond the end.
    #[inline(always)]
    #[must_use]
    pub fn byte(&self, offset: u32) -> u32 {
        if offset >= self.len {
            return 0;
        }
        // SAFETY: a byte of the unit.
        unsafe { load1(self.src + u64::from(offset)) }
    }

    /// The cell at an offset, which must lie at a multiple of 16; zeroes where it does not or reaches
    /// beyond the end.
    #[inline(always)]
    #[must_use]
    pub fn cell(&self, offset: u32) -> [u32; 4] {
        let address = self.src + u64::from(offset);
        let aligned = address & u64::from(CELL_BYTES - 1) == 0;
        if !aligned || offset >= self.len || self.len - offset < CELL_BYTES {
            return [0; 4];
        }
        // SAFETY: 16 bytes of the unit, at a multiple of 16.
        unsafe { load16(address) }
    }

    /// Writes the unit's digest, little-endian.
    #[inline(always)]
    pub fn set_digest(&self, digest: u32) {
        let mut byte = 0u32;
        while byte < 4 {
            // SAFETY: a byte of the unit's place in the destination.
            unsafe { store1(self.dst + u64::from(byte), digest >> (8 * byte)) };
            byte += 1;
        }
    }
}
