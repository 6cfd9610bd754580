//! Lays a launch out: items, scratch cells and spans from the tiles it is to compute.
//!
//! The caller fills in what a tile is (addresses, IV, lengths, key), sorts the tiles by key, and
//! lets [`items`] and [`spans`] do the counting. Nothing is allocated.

use super::{CELL_BYTES, Grain, ITEM_BYTES, ITEM_CELLS, Scratch, Span, Tile};

/// Bytes of a tile at most.
pub const TILE_BYTES_MAX: u32 = 1 << 31;

/// Why tiles make no launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// A tile has no bytes, or units that no kernel can count.
    Tile {
        /// Which tile.
        index: usize,
    },
    /// More items or scratch cells than can be counted.
    TooMany,
    /// There is no room for so many spans.
    Spans {
        /// Spans there is room for.
        room: usize,
    },
}

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Tile { index } => write!(f, "tile {index} of the launch has no valid lengths"),
            Self::TooMany => f.write_str("the launch has more items than can be counted"),
            Self::Spans { room } => write!(f, "the launch has more than {room} spans"),
        }
    }
}

/// What a launch needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Items.
    pub items: u32,
    /// Scratch cells.
    pub scratch_cells: u32,
    /// Runs of tiles under one key.
    pub keys: u32,
}

/// Whether a tile of these lengths can be computed as it is. Data units that end inside a cell must
/// be tiles of their own.
#[must_use]
pub const fn countable(len: u32, unit: u32) -> bool {
    len <= unit || unit.is_multiple_of(CELL_BYTES)
}

/// The items of a tile: how many, how many for each unit, how many units in each.
fn geometry(tile: &Tile, grain: Grain) -> Option<(u32, u32, u32)> {
    let (len, unit) = (tile.len, tile.unit);
    // Offsets inside a tile, one item beyond its end included, are counted in 32 bits.
    if len == 0 || unit == 0 || len > TILE_BYTES_MAX {
        return None;
    }
    if grain == Grain::Units {
        return Some((len.div_ceil(unit), 0, 1));
    }
    if len <= unit {
        let items = (u64::from(len).div_ceil(u64::from(CELL_BYTES)) + u64::from(tile.skew))
            .div_ceil(u64::from(ITEM_CELLS));
        let items = u32::try_from(items).ok()?;
        return Some((items, items, 1));
    }
    if !countable(len, unit) || tile.skew != 0 {
        return None;
    }
    if unit <= ITEM_BYTES {
        let units = ITEM_BYTES / unit;
        return Some((len.div_ceil(unit).div_ceil(units), 0, units));
    }
    let unit_items = unit.div_ceil(ITEM_BYTES);
    let items = (len / unit)
        .checked_mul(unit_items)?
        .checked_add((len % unit).div_ceil(ITEM_BYTES))?;
    Some((items, unit_items, 1))
}

/// The low bits of a counter mode IV's block counter, where its one unit's items are to be aligned.
fn skew(tile: &Tile, grain: Grain, block_bytes: u32) -> u32 {
    if grain != Grain::Counters || tile.len > tile.unit || block_bytes != CELL_BYTES {
        return 0;
    }
    // The last byte of a big-endian counter of 16 bytes.
    tile.iv[3] >> 24
}

/// Counts the items and scratch cells of tiles, and writes them into the tiles.
///
/// # Errors
/// [`PlanError`]; what is in the tiles then makes no launch.
pub fn items(
    tiles: &mut [Tile],
    grain: Grain,
    scratch: Scratch,
    block_bytes: u32,
) -> Result<Totals, PlanError> {
    let mut totals = Totals::default();
    let mut last = None;
    for (index, tile) in tiles.iter_mut().enumerate() {
        tile.skew = skew(tile, grain, block_bytes);
        let (items, unit_items, item_units) =
            geometry(tile, grain).ok_or(PlanError::Tile { index })?;
        tile.unit_items = unit_items;
        tile.item_units = item_units;
        tile.first_item = totals.items;
        tile.scratch = totals.scratch_cells;
        let each = match scratch {
            Scratch::None => 0,
            Scratch::Units => item_units,
            Scratch::Items(cells) => cells,
        };
        totals.items = totals.items.checked_add(items).ok_or(PlanError::TooMany)?;
        totals.scratch_cells = items
            .checked_mul(each)
            .and_then(|cells| totals.scratch_cells.checked_add(cells))
            .ok_or(PlanError::TooMany)?;
        if last != Some((tile.key, tile.generation)) {
            last = Some((tile.key, tile.generation));
            totals.keys += 1;
        }
    }
    Ok(totals)
}

/// Cuts counted tiles into spans for `blocks` blocks of `warps` warps. The result is how many.
///
/// Each block gets about as many items; a span ends where the key changes.
///
/// # Errors
/// [`PlanError::Spans`] when `spans` is too short: `blocks` and one for each key are enough.
pub fn spans(
    tiles: &[Tile],
    totals: &Totals,
    scratch: Scratch,
    blocks: u32,
    warps: u32,
    spans: &mut [Span],
) -> Result<usize, PlanError> {
    let room = spans.len();
    let mut out = spans.iter_mut();
    let mut used = 0;
    // Whole rounds of all warps, so that none of them idles at the end of each span.
    let warps = warps.max(1);
    let share = totals.items.div_ceil(blocks.max(1)).max(1);
    let share = share.checked_next_multiple_of(warps).unwrap_or(share);
    let mut run = 0;
    while let Some(first) = tiles.get(run) {
        let same = |tile: &&Tile| (tile.key, tile.generation) == (first.key, first.generation);
        let count = tiles.iter().skip(run).take_while(same).count();
        let end = tiles
            .get(run + count)
            .map_or(totals.items, |next| next.first_item);
        let mut at = first.first_item;
        let mut tile = run;
        while at < end {
            let items = share.min(end - at);
            // The tiles that the items are of.
            while tiles
                .get(tile + 1)
                .is_some_and(|next| next.first_item <= at)
            {
                tile += 1;
            }
            let mut until = tile + 1;
            while tiles
                .get(until)
                .is_some_and(|next| next.first_item < at + items)
            {
                until += 1;
            }
            let cells = |item: u32, within: usize| {
                tiles.get(within).map_or(0, |tile| {
                    let each = match scratch {
                        Scratch::None => 0,
                        Scratch::Units => tile.item_units,
                        Scratch::Items(cells) => cells,
                    };
                    tile.scratch + (item - tile.first_item) * each
                })
            };
            let begin = cells(at, tile);
            let span = out.next().ok_or(PlanError::Spans { room })?;
            *span = Span {
                first_item: at,
                items,
                first_tile: u32::try_from(tile).map_err(|_| PlanError::TooMany)?,
                tiles: u32::try_from(until - tile).map_err(|_| PlanError::TooMany)?,
                key: first.key,
                generation: first.generation,
                scratch: begin,
                scratch_cells: cells(at + items, until - 1) - begin,
            };
            used += 1;
            at += items;
            tile = until - 1;
        }
        run += count;
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tile(len: u32, unit: u32, key: u32) -> Tile {
        Tile {
            len,
            unit: unit.min(len),
            key,
            ..Tile::default()
        }
    }

    #[test]
    fn items_end_with_units() {
        for (len, unit, expected) in [
            (16, 16, (1, 1, 1)),
            (4096, 4096, (1, 1, 1)),
            (4097, 4097, (2, 2, 1)),
            (8192, 512, (2, 0, 8)),
            (8192, 1040, (3, 0, 3)),
            (3 * 5000, 5000, (6, 2, 1)),
            (12_000, 5008, (5, 2, 1)),
        ] {
            let got = geometry(&tile(len, unit, 0), Grain::Cells);
            if countable(len, unit) {
                assert_eq!(got, Some(expected), "{len} {unit}");
            } else {
                assert_eq!(got, None, "{len} {unit}");
            }
        }
        assert_eq!(geometry(&tile(40, 24, 0), Grain::Cells), None);
        assert_eq!(geometry(&tile(48, 24, 0), Grain::Units), Some((2, 0, 1)));
    }

    proptest! {
        #[test]
        fn spans_cover_every_item_once(
            lens in prop::collection::vec((1u32..40_000, 1u32..600, 0u32..4), 1..40),
            blocks in 1u32..300,
            warps in 1u32..33,
        ) {
            let mut tiles: Vec<Tile> =
                lens.iter().map(|(len, unit, key)| tile(*len, *unit * 16, *key)).collect();
            tiles.sort_by_key(|tile| tile.key);
            let totals = items(&mut tiles, Grain::Cells, Scratch::Units, 16).unwrap();
            let mut room = vec![Span::default(); tiles.len() + usize::try_from(blocks).unwrap()];
            let count = spans(&tiles, &totals, Scratch::Units, blocks, warps, &mut room).unwrap();
            let (mut item, mut scratch) = (0, 0);
            for span in &room[..count] {
                prop_assert_eq!((span.first_item, span.scratch), (item, scratch));
                prop_assert!(span.items > 0);
                item += span.items;
                scratch += span.scratch_cells;
                let at = |i: u32| usize::try_from(i).unwrap();
                let of = &tiles[at(span.first_tile)..at(span.first_tile + span.tiles)];
                prop_assert!(of.iter().all(|tile| tile.key == span.key));
                let (first, last) = (of.first().unwrap(), of.last().unwrap());
                prop_assert!(first.first_item <= span.first_item);
                prop_assert!(last.first_item < span.first_item + span.items);
            }
            prop_assert_eq!((item, scratch), (totals.items, totals.scratch_cells));
        }
    }
}
