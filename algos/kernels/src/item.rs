//! An item: up to 256 consecutive cells of a tile, which the 32 threads of a warp compute together.
#![allow(unsafe_code)]

use kgpu_core::device::{CELL_BYTES, ITEM_BYTES, ITEM_CELLS};

use crate::counter::{be128, step};
use crate::gpu::{lane, load1, load16, store1, store16};
use crate::launch::{TileView, Work};
use crate::unroll::unroll;

const CELL: u64 = CELL_BYTES as u64;

/// Cells of one thread, 32 apart: those of a warp are consecutive.
#[derive(Clone, Copy, Debug)]
pub struct At<const N: usize> {
    first: u32,
}

impl<const N: usize> At<N> {
    /// The `j`th of the thread's cells, counted in the item.
    #[inline(always)]
    #[must_use]
    pub fn cell(self, j: usize) -> u32 {
        // CAST: below N, which is at most 8.
        #[allow(clippy::cast_possible_truncation)]
        let j = j as u32;
        self.first + 32 * j
    }
}

/// One item.
///
/// # Invariants
/// `src` and `dst` are where the item's cell 0 would lie: cells from `low` up to `high`, the last of
/// `tail` bytes, are bytes of one tile.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    src: u64,
    dst: u64,
    low: u32,
    high: u32,
    tail: u32,
    /// All 256 cells are there, whole, and lie at multiples of 16.
    whole: bool,
    aligned: bool,
    /// The first unit, and where in it cell 0 lies; cells of each unit where there are several.
    unit: u32,
    offset: u32,
    unit_cells: u32,
    inverse: u32,
    scratch: u32,
    iv: [u32; 4],
    iv_step: u32,
    block: u32,
    work: Work,
}

impl Item {
    /// The `index`th item of a tile.
    #[inline(always)]
    pub(crate) fn of(work: &Work, tile: &TileView, index: u32, block: u32) -> Self {
        let several = tile.unit_items == 0;
        // Where the item begins and ends, and how far in its unit. Where the first item is shortened it
        // "begins" before the tile: all offsets wrap.
        let (unit, offset, begin, end) = if several {
            let unit = index * tile.item_units;
            let begin = unit * tile.unit;
            (unit, 0, begin, begin + tile.item_units * tile.unit)
        } else {
            let unit = index.checked_div(tile.unit_items).unwrap_or(0);
            let inside = index - unit * tile.unit_items;
            let start = unit * tile.unit;
            let offset = (inside * ITEM_CELLS).wrapping_sub(tile.skew);
            let begin = start.wrapping_add(offset.wrapping_mul(CELL_BYTES));
            let end = begin.wrapping_add(ITEM_BYTES);
            (unit, offset, begin, end.min(start + tile.unit))
        };
        let end = end.min(tile.len);
        let low = if !several && index == 0 { tile.skew } else { 0 };
        let bytes = end.wrapping_sub(begin);
        let high = bytes.div_ceil(CELL_BYTES);
        let tail = bytes.wrapping_sub(high.wrapping_sub(1).wrapping_mul(CELL_BYTES));
        let before = u64::from(low) * CELL;
        let begin = u64::from(begin.wrapping_add(low * CELL_BYTES));
        let src = tile.src.wrapping_add(begin).wrapping_sub(before);
        let dst = tile.dst.wrapping_add(begin).wrapping_sub(before);
        let aligned = (src | dst) & (CELL - 1) == 0;
        let unit_cells = if several { tile.unit / CELL_BYTES } else { 0 };
        Self {
            src,
            dst,
            low,
            high,
            tail,
            whole: aligned && low == 0 && bytes == ITEM_BYTES,
            aligned,
            unit,
            offset,
            unit_cells,
            // Exact for cells below 256 and units of at most 256 cells.
            inverse: 65536u32.checked_div(unit_cells).unwrap_or(0) + 1,
            scratch: tile.scratch + index * if several { tile.item_units } else { 1 },
            iv: tile.iv,
            iv_step: tile.iv_step,
            block,
            work: *work,
        }
    }

    /// Runs `body` for the cells of the calling thread, `N` at a time.
    #[inline(always)]
    pub fn cells<const N: usize>(&self, mut body: impl FnMut(At<N>)) {
        const { assert!(N == 1 || N == 2 || N == 4 || N == 8) }
        // CAST: at most 8.
        #[allow(clippy::cast_possible_truncation)]
        let round = 32 * N as u32;
        let mut first = 0;
        while first < self.high {
            body(At {
                first: first + lane(),
            });
            first += round;
        }
    }

    /// Runs `body` for the cells of the calling thread, `N` at a time, with their source. With `ahead` the
    /// next ones are fetched first, so that nothing waits for memory: at the price of `4 * N` registers.
    #[inline(always)]
    pub fn loaded<const N: usize>(&self, ahead: bool, mut body: impl FnMut(At<N>, [[u32; 4]; N])) {
        if !ahead {
            return self.cells::<N>(
                #[inline(always)]
                |at| body(at, self.load(at)),
            );
        }
        let mut next = self.load(At { first: lane() });
        self.cells::<N>(
            #[inline(always)]
            |at| {
                let now = next;
                // CAST: at most 8.
                #[allow(clippy::cast_possible_truncation)]
                let first = at.first + 32 * N as u32;
                // The same in all lanes.
                if first - lane() < self.high {
                    next = self.load(At { first });
                }
                body(at, now);
            },
        );
    }

    /// Whether all 256 cells are there, whole, at multiples of 16: they load and store without a branch.
    #[inline(always)]
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether a cell is one of the item's.
    #[inline(always)]
    #[must_use]
    pub const fn has(&self, cell: u32) -> bool {
        cell >= self.low && cell < self.high
    }

    /// The data unit (counted in the tile) that a cell is of, and the cell's number in it.
    #[inline(always)]
    #[must_use]
    pub const fn unit_of(&self, cell: u32) -> (u32, u32) {
        if self.unit_cells == 0 {
            return (self.unit, self.offset.wrapping_add(cell));
        }
        let unit = cell.wrapping_mul(self.inverse) >> 16;
        (
            self.unit + unit,
            cell.wrapping_sub(unit.wrapping_mul(self.unit_cells)),
        )
    }

    /// Whether all cells of the item are of one data unit.
    #[inline(always)]
    #[must_use]
    pub const fn one_unit(&self) -> bool {
        self.unit_cells == 0 || self.high <= self.unit_cells
    }

    /// The data unit (counted in the tile) of cell 0, and that cell's number in it.
    #[inline(always)]
    pub(crate) const fn start(&self) -> (u32, u32) {
        (self.unit, self.offset)
    }

    /// The IV of a data unit of the tile.
    #[inline(always)]
    #[must_use]
    pub fn iv(&self, unit: u32) -> [u32; 4] {
        step(self.iv, self.block, self.iv_step, unit)
    }

    /// The block counter of a cell, for ciphers with blocks of 16 bytes (SP 800-38A, 6.5).
    #[inline(always)]
    #[must_use]
    pub fn counter(&self, cell: u32) -> [u32; 4] {
        let (unit, n) = self.unit_of(cell);
        let iv = self.iv(unit);
        if n >> 31 == 0 {
            be128(iv, n)
        } else {
            // Before the tile, where the counter's low 8 bits are below the first one's: no borrow.
            [iv[0], iv[1], iv[2], iv[3].wrapping_add(n << 24)]
        }
    }

    /// The item's `index`th scratch cell.
    #[inline(always)]
    #[must_use]
    pub fn scratch(&self, index: u32) -> [u32; 4] {
        self.work.scratch(self.scratch + index)
    }

    /// The scratch cell of the data unit that a cell is of, for kernels with one for each unit.
    #[inline(always)]
    #[must_use]
    pub fn unit_scratch(&self, cell: u32) -> [u32; 4] {
        let unit = self.unit_of(cell).0 - self.unit;
        self.scratch(unit)
    }

    #[inline(always)]
    const fn bytes_of(&self, cell: u32) -> u32 {
        if cell + 1 == self.high {
            self.tail
        } else {
            CELL_BYTES
        }
    }

    /// The thread's cells of the source; zeroes where there are none.
    #[inline(always)]
    #[must_use]
    pub fn load<const N: usize>(&self, at: At<N>) -> [[u32; 4]; N] {
        let mut cells = [[0; 4]; N];
        if self.whole {
            unroll::<N>(
                #[inline(always)]
                |j| {
                    // SAFETY: a whole item has this cell.
                    cells[j] = unsafe { load16(self.src + u64::from(at.cell(j)) * CELL) };
                },
            );
        } else {
            unroll::<N>(
                #[inline(always)]
                |j| cells[j] = self.load_cell(at.cell(j)),
            );
        }
        cells
    }

    /// A cell of the source; zeroes where there is none.
    #[inline(always)]
    #[must_use]
    pub fn load_cell(&self, cell: u32) -> [u32; 4] {
        if !self.has(cell) {
            return [0; 4];
        }
        let address = self.src.wrapping_add(u64::from(cell) * CELL);
        let bytes = self.bytes_of(cell);
        if self.aligned && bytes == CELL_BYTES {
            // SAFETY: the cell is one of the item's (`has`), whole, at a multiple of 16.
            return unsafe { load16(address) };
        }
        // SAFETY: `bytes` bytes of the cell are the tile's.
        unsafe { load_bytes(address, bytes) }
    }

    /// The cell before one of the item's, of the same data unit; the caller sees to that.
    #[inline(always)]
    #[must_use]
    pub fn load_before(&self, cell: u32) -> [u32; 4] {
        let address = self
            .src
            .wrapping_add(u64::from(cell) * CELL)
            .wrapping_sub(CELL);
        if !self.has(cell) {
            return [0; 4];
        }
        if self.aligned {
            // SAFETY: the unit's cell before one of the item's cells is the tile's too, and whole.
            return unsafe { load16(address) };
        }
        // SAFETY: as above.
        unsafe { load_bytes(address, CELL_BYTES) }
    }

    /// Stores the thread's cells to the destination, where there are any.
    #[inline(always)]
    pub fn store<const N: usize>(&self, at: At<N>, cells: &[[u32; 4]; N]) {
        if self.whole {
            unroll::<N>(
                #[inline(always)]
                |j| {
                    // SAFETY: a whole item has this cell.
                    unsafe { store16(self.dst + u64::from(at.cell(j)) * CELL, cells[j]) };
                },
            );
        } else {
            unroll::<N>(
                #[inline(always)]
                |j| self.store_cell(at.cell(j), cells[j]),
            );
        }
    }

    /// Stores a cell to the destination, where there is one.
    #[inline(always)]
    pub fn store_cell(&self, cell: u32, words: [u32; 4]) {
        if !self.has(cell) {
            return;
        }
        let address = self.dst.wrapping_add(u64::from(cell) * CELL);
        let bytes = self.bytes_of(cell);
        if self.aligned && bytes == CELL_BYTES {
            // SAFETY: as in `load_cell`.
            unsafe { store16(address, words) }
        } else {
            // SAFETY: as in `load_cell`.
            unsafe { store_bytes(address, bytes, words) }
        }
    }
}

/// Up to 16 bytes from any address; the rest are zeroes.
///
/// # Safety
/// They must be readable.
#[inline(always)]
pub(crate) unsafe fn load_bytes(address: u64, bytes: u32) -> [u32; 4] {
    let mut words = [0; 4];
    unroll::<4>(
        #[inline(always)]
        |i| {
            unroll::<4>(
                #[inline(always)]
                |b| {
                    let (at, shift) = place(i, b);
                    if at < bytes {
                        // SAFETY: the caller's promise.
                        words[i] |= unsafe { load1(address + u64::from(at)) } << shift;
                    }
                },
            );
        },
    );
    words
}

/// Stores up to 16 bytes at any address.
///
/// # Safety
/// They must be writable.
#[inline(always)]
pub(crate) unsafe fn store_bytes(address: u64, bytes: u32, words: [u32; 4]) {
    unroll::<4>(
        #[inline(always)]
        |i| {
            unroll::<4>(
                #[inline(always)]
                |b| {
                    let (at, shift) = place(i, b);
                    if at < bytes {
                        // SAFETY: the caller's promise.
                        unsafe { store1(address + u64::from(at), words[i] >> shift) }
                    }
                },
            );
        },
    );
}

/// Where the `b`th byte of the `i`th word of a cell is: its number in the cell, its shift in the word.
#[inline(always)]
const fn place(i: usize, b: usize) -> (u32, u32) {
    // CAST: both are below 4.
    #[allow(clippy::cast_possible_truncation)]
    let (i, b) = (i as u32, b as u32);
    (4 * i + b, 8 * b)
}
