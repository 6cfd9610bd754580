//! Where a thread keeps eight cells in shared memory. What handles cells one after the other, in a loop,
//! goes through here: registers cannot be numbered by a variable, and code for each of the eight would be
//! long and take registers from the cipher.

use kgpu_kernels::gpu::{lane, lds4, shared_base, sts4, threads, warp};
use kgpu_kernels::{At, Item, unroll};

use crate::layout::SHARED_BYTES;

/// Bytes of the cells of a warp's threads.
const WARP_BYTES: u32 = 32 * 8 * 16;
/// Bytes from one of a thread's cells to the next: those of a warp lie side by side.
const STEP: u32 = 32 * 16;

/// Eight cells of the calling thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage {
    at: u32,
}

/// Bytes of shared memory of a block with `stages` stages: the key first, then the stages.
#[must_use]
pub(crate) const fn shared_bytes(threads: u32, stages: u32) -> u32 {
    SHARED_BYTES + stages * (threads / 32 * WARP_BYTES)
}

impl Stage {
    /// The `number`th stage.
    #[inline(always)]
    pub(crate) fn new(number: u32) -> Self {
        Self {
            at: shared_base() + shared_bytes(threads(), number) + WARP_BYTES * warp() + 16 * lane(),
        }
    }

    #[inline(always)]
    pub(crate) fn set(self, j: u32, cell: [u32; 4]) {
        sts4(self.at + j * STEP, cell);
    }

    #[inline(always)]
    pub(crate) fn get(self, j: u32) -> [u32; 4] {
        lds4::<0>(self.at + j * STEP)
    }

    /// All eight, into registers.
    #[inline(always)]
    pub(crate) fn all(self) -> [[u32; 4]; 8] {
        let mut cells = [[0; 4]; 8];
        unroll::<8>(
            #[inline(always)]
            |j| cells[j] = self.get(number(j)),
        );
        cells
    }

    /// All eight, from registers.
    #[inline(always)]
    pub(crate) fn set_all(self, cells: &[[u32; 4]; 8]) {
        unroll::<8>(
            #[inline(always)]
            |j| self.set(number(j), cells[j]),
        );
    }

    /// Adds all eight.
    #[inline(always)]
    pub(crate) fn add(self, cells: &mut [[u32; 4]; 8]) {
        unroll::<8>(
            #[inline(always)]
            |j| cells[j] = xor(cells[j], self.get(number(j))),
        );
    }

    /// The thread's cells of an item's source.
    #[inline(always)]
    pub(crate) fn fetch(self, item: &Item, at: At<8>) -> [[u32; 4]; 8] {
        if item.is_whole() {
            return item.load(at);
        }
        each(
            #[inline(always)]
            |j| self.set(j, item.load_cell(nth(at, j))),
        );
        self.all()
    }

    /// Stores the thread's cells to the item's destination.
    #[inline(always)]
    pub(crate) fn store(self, item: &Item, at: At<8>, cells: &[[u32; 4]; 8]) {
        if item.is_whole() {
            return item.store(at, cells);
        }
        self.set_all(cells);
        each(
            #[inline(always)]
            |j| item.store_cell(nth(at, j), self.get(j)),
        );
    }
}

/// A thread's `j`th cell, counted in the item.
#[inline(always)]
pub(crate) fn nth(at: At<8>, j: u32) -> u32 {
    at.cell(0) + 32 * j
}

/// Runs `body` for 0 to 7, as a loop.
#[inline(always)]
pub(crate) fn each(mut body: impl FnMut(u32)) {
    let mut j = 0;
    while j < 8 {
        body(j);
        j += 1;
    }
}

/// The sum of two cells.
#[inline(always)]
pub(crate) fn xor(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}

/// A number below 8.
#[allow(clippy::cast_possible_truncation)]
#[inline(always)]
pub(crate) const fn number(j: usize) -> u32 {
    j as u32
}
