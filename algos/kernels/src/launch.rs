//! A launch as its kernel sees it: spans, and the tiles, schedules and scratch memory behind them.
#![allow(unsafe_code)]

use kgpu_core::device::{CELL_BYTES, HEADER_WORDS, Span, Tile};

use crate::counter::step;
use crate::gpu::{
    add4, load4_constant, load16, load16_constant, store16, thread, threads, warp, warps,
};
use crate::item::Item;
use crate::unit::Unit;

/// Bytes of a cell, for addresses.
const CELL: u64 = CELL_BYTES as u64;
// CAST: sizes of small structures, and a small count.
const TILE: u64 = size_of::<Tile>() as u64;
const SPAN: u64 = size_of::<Span>() as u64;
#[allow(clippy::cast_possible_truncation)]
const HEADER: u32 = HEADER_WORDS as u32;

/// The parameters of a kernel.
///
/// # Invariants
/// What they point to is valid, and so is everything the tiles and spans there name
/// ([`Launch::new`]'s contract), until the launch ends.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    tiles: u64,
    spans: u64,
    span_count: u32,
    keys: u64,
    scratch: u64,
    stats: u64,
}

impl Launch {
    /// From a kernel's parameters.
    ///
    /// # Safety
    /// `spans` has `span_count` spans, laid out by `kgpu_core::device::plan` from the tiles at `tiles`
    /// for the entry that runs; the tiles' sources are readable and their destinations writable;
    /// `keys` and the spans' offsets lead to schedules of the entry's algorithm; `scratch` has the
    /// cells that the plan asked for; `stats` is a `Stats`.
    #[inline(always)]
    #[must_use]
    pub unsafe fn new(
        tiles: *const Tile,
        spans: *const Span,
        span_count: u32,
        keys: *const u8,
        scratch: *mut u8,
        stats: *mut u8,
    ) -> Self {
        let address = |pointer: *const u8| pointer.expose_provenance() as u64;
        Self {
            tiles: address(tiles.cast()),
            spans: address(spans.cast()),
            span_count,
            keys: address(keys),
            scratch: address(scratch),
            stats: address(stats),
        }
    }

    /// Spans of the launch.
    #[inline(always)]
    #[must_use]
    pub const fn span_count(&self) -> u32 {
        self.span_count
    }

    /// A span; `index` must be below [`Launch::span_count`].
    #[inline(always)]
    pub(crate) fn work(&self, index: u32) -> Work {
        let at = self.spans + u64::from(index) * SPAN;
        // SAFETY: a span of the launch (invariant; the caller is in this crate).
        let (a, b) = unsafe { (load16_constant(at), load16_constant(at + CELL)) };
        Work {
            launch: *self,
            span: Span {
                first_item: a[0],
                items: a[1],
                first_tile: a[2],
                tiles: a[3],
                key: b[0],
                generation: b[1],
                scratch: b[2],
                scratch_cells: b[3],
            },
        }
    }

    /// Counts a span's items as computed.
    #[inline(always)]
    pub(crate) fn computed(&self, items: u32) {
        // SAFETY: the first word of the launch's `Stats`.
        unsafe { add4(self.stats, items) }
    }

    /// Counts a span as left out.
    #[inline(always)]
    pub(crate) fn stale(&self) {
        // SAFETY: the second word of the launch's `Stats`.
        unsafe { add4(self.stats + 4, 1) }
    }
}

/// A key's schedule in global memory.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    at: u64,
    words: u32,
}

impl Schedule {
    /// Words of the schedule.
    #[inline(always)]
    #[must_use]
    pub const fn words(&self) -> u32 {
        self.words
    }

    /// A word of the schedule; 0 beyond its end.
    #[inline(always)]
    #[must_use]
    pub fn word(&self, index: u32) -> u32 {
        if index >= self.words {
            return 0;
        }
        // SAFETY: inside the schedule.
        unsafe { load4_constant(self.at + u64::from(index) * 4) }
    }

    /// Four words of the schedule, from a multiple of 4; zeroes beyond its end.
    #[inline(always)]
    #[must_use]
    pub fn cell(&self, index: u32) -> [u32; 4] {
        if index.saturating_add(4) > self.words {
            return [0; 4];
        }
        // SAFETY: inside the schedule, which is a multiple of 16 away from the launch's base.
        unsafe { load16_constant(self.at + u64::from(index) * 4) }
    }
}

/// One span: what a block of threads takes at a time.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    launch: Launch,
    span: Span,
}

/// A tile's fields, in registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TileView {
    pub(crate) src: u64,
    pub(crate) dst: u64,
    pub(crate) iv: [u32; 4],
    pub(crate) len: u32,
    pub(crate) unit: u32,
    pub(crate) first_block: u32,
    pub(crate) skew: u32,
    pub(crate) first_item: u32,
    pub(crate) unit_items: u32,
    pub(crate) item_units: u32,
    pub(crate) scratch: u32,
    pub(crate) iv_step: u32,
}

/// A data unit whose blocks are chained, as one thread works through it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain {
    /// Where it is.
    pub src: u64,
    /// Where its result goes.
    pub dst: u64,
    /// How many blocks it has.
    pub blocks: u32,
    /// Its IV.
    pub iv: [u32; 4],
}

impl Work {
    /// The span's numbers.
    #[inline(always)]
    #[must_use]
    pub const fn span(&self) -> &Span {
        &self.span
    }

    /// Whether the key's schedule is of the span's generation.
    #[inline(always)]
    pub(crate) fn fresh(&self) -> bool {
        // SAFETY: a schedule starts with its header, and that with its generation.
        self.span.generation == unsafe { load4_constant(self.schedule_at()) }
    }

    #[inline(always)]
    const fn schedule_at(&self) -> u64 {
        self.launch.keys + self.span.key as u64 * CELL
    }

    /// The key's schedule: that of the first key, or the second (the tweak key of XTS), of schedules of
    /// `words` words each. `words` must be the algorithm's own.
    #[inline(always)]
    #[must_use]
    pub fn schedule(&self, words: u32, second: bool) -> Schedule {
        let before = HEADER + if second { words } else { 0 };
        Schedule {
            at: self.schedule_at() + before as u64 * 4,
            words,
        }
    }

    /// Counts the span as computed; for one thread of the block.
    #[inline(always)]
    pub(crate) fn done(&self) {
        self.launch.computed(self.span.items);
    }

    #[inline(always)]
    fn tile_at(&self, tile: u32) -> u64 {
        self.launch.tiles + u64::from(tile) * TILE
    }

    /// A tile of the launch.
    #[inline(always)]
    pub(crate) fn tile(&self, tile: u32) -> TileView {
        let at = self.tile_at(tile);
        // SAFETY: a tile of the launch.
        let cell = |i: u64| unsafe { load16_constant(at + i * CELL) };
        let address = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        let (places, lengths, counts) = (cell(0), cell(2), cell(3));
        TileView {
            src: address(places[0], places[1]),
            dst: address(places[2], places[3]),
            iv: cell(1),
            len: lengths[0],
            unit: lengths[1],
            first_block: lengths[2],
            skew: lengths[3],
            first_item: counts[0],
            unit_items: counts[1],
            item_units: counts[2],
            scratch: counts[3],
            iv_step: cell(4)[2],
        }
    }

    /// A tile's word: 12 is its first item, 15 its first scratch cell.
    #[inline(always)]
    fn tile_word(&self, tile: u32, word: u64) -> u32 {
        // SAFETY: a tile of the launch.
        unsafe { load4_constant(self.tile_at(tile) + word * 4) }
    }

    /// The last of the span's tiles of which `word` is not above `value`.
    #[inline(always)]
    fn find(&self, word: u64, value: u32) -> u32 {
        let (mut low, mut count) = (self.span.first_tile, self.span.tiles);
        while count > 1 {
            let half = count >> 1;
            if self.tile_word(low + half, word) <= value {
                low += half;
                count -= half;
            } else {
                count = half;
            }
        }
        low
    }

    /// Whether the span's next tile begins at or before `value`.
    #[inline(always)]
    fn next_begins(&self, tile: u32, word: u64, value: u32) -> bool {
        tile + 1 < self.span.first_tile + self.span.tiles && self.tile_word(tile + 1, word) <= value
    }

    /// Gives each warp of the block its share of the span's items, consecutive ones.
    #[inline(always)]
    pub fn items(&self, block_bytes: u32, mut body: impl FnMut(&Item)) {
        let each = self.span.items.div_ceil(warps().max(1));
        let mut item = (warp() * each).min(self.span.items);
        let end = (item + each).min(self.span.items) + self.span.first_item;
        item += self.span.first_item;
        if item >= end {
            return;
        }
        let mut tile = self.find(12, item);
        while item < end {
            while self.next_begins(tile, 12, item) {
                tile += 1;
            }
            let view = self.tile(tile);
            body(&Item::of(self, &view, item - view.first_item, block_bytes));
            item += 1;
        }
    }

    /// Gives each thread of the block data units of the span, each with the tile it is of; for kernels
    /// whose items are units.
    #[inline(always)]
    pub(crate) fn unit(&self, index: u32) -> Option<(TileView, u32)> {
        if index >= self.span.items {
            return None;
        }
        let item = self.span.first_item + index;
        let view = self.tile(self.find(12, item));
        Some((view, item - view.first_item))
    }

    /// Gives each thread of the block its data units; for kernels whose items are units.
    #[inline(always)]
    pub fn units(&self, mut body: impl FnMut(&Unit)) {
        let mut index = thread();
        while let Some((tile, unit)) = self.unit(index) {
            body(&Unit::of(&tile, unit));
            index += threads();
        }
    }

    /// A data unit of the span as a chain, for kernels whose items are units; no blocks beyond its end.
    #[inline(always)]
    #[must_use]
    pub fn chain(&self, index: u32, block_bytes: u32) -> Chain {
        let Some((tile, unit)) = self.unit(index) else {
            return Chain::default();
        };
        let offset = unit * tile.unit;
        Chain {
            src: tile.src + u64::from(offset),
            dst: tile.dst + u64::from(offset),
            blocks: tile.unit.min(tile.len - offset) / block_bytes,
            iv: step(tile.iv, block_bytes, tile.iv_step, unit),
        }
    }

    /// The tile that a scratch cell is for, and the cell's number in it; `index` counts in the span and
    /// is brought down to its last cell.
    #[inline(always)]
    pub(crate) fn scratch_tile(&self, index: u32) -> (TileView, u32) {
        let index = index.min(self.span.scratch_cells.saturating_sub(1)) + self.span.scratch;
        let view = self.tile(self.find(15, index));
        (view, index - view.scratch)
    }

    /// The item that a scratch cell is for, where each item has one; `index` counts in the span and is
    /// brought down to its last cell.
    #[inline(always)]
    #[must_use]
    pub fn scratch_item(&self, index: u32, block_bytes: u32) -> Item {
        let (tile, index) = self.scratch_tile(index);
        Item::of(self, &tile, index, block_bytes)
    }

    /// Writes a scratch cell of the span; `index` counts in the span. Nothing beyond its end.
    #[inline(always)]
    pub fn set_scratch(&self, index: u32, cell: [u32; 4]) {
        if index < self.span.scratch_cells {
            let index = index + self.span.scratch;
            // SAFETY: a scratch cell of the launch, which only this block uses.
            unsafe { store16(self.launch.scratch + u64::from(index) * CELL, cell) }
        }
    }

    /// A scratch cell of the launch, written in an earlier phase; zeroes outside of the span's.
    #[inline(always)]
    pub(crate) fn scratch(&self, index: u32) -> [u32; 4] {
        if index.wrapping_sub(self.span.scratch) >= self.span.scratch_cells {
            return [0; 4];
        }
        // SAFETY: a scratch cell of the span.
        unsafe { load16(self.launch.scratch + u64::from(index) * CELL) }
    }
}
