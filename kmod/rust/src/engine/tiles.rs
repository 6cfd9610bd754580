//! Writing requests into the tile table. Neighbours that follow on each other in the pool, and whose IVs count on, are one
//! tile: the sectors of a volume come like that.

use kgpu_core::abi::{IvStep, Reflect, Tile, TileFlags};
use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX};
use kgpu_core::iv;
use kgpu_core::request::Shape;
use kgpu_core::runs::Run;
use kgpu_core::tiling::{Place, Tiles};

use crate::session::Session;

/// The tiles of one submission.
#[derive(Debug)]
pub(super) struct TileRow<'a> {
    session: &'a Session,
    algorithm: &'a Algorithm,
    run: Run,
    used: u32,
    /// Nothing is written.
    counts: bool,
    /// The last one, which may still grow.
    last: Option<Tile>,
}

impl<'a> TileRow<'a> {
    /// No tiles yet, of `run`.
    pub(super) const fn new(session: &'a Session, algorithm: &'a Algorithm, run: Run) -> Self {
        Self {
            session,
            algorithm,
            run,
            used: 0,
            counts: false,
            last: None,
        }
    }

    /// Counts tiles, without a place for them.
    pub(super) const fn counting(session: &'a Session, algorithm: &'a Algorithm) -> Self {
        let mut row = Self::new(session, algorithm, Run::NONE);
        row.counts = true;
        row
    }

    /// Cuts a request into tiles whose source lies in runs of a guest's physical memory. `false`, and not all of it cut,
    /// where a run ends in the middle of what can't be split, or the runs end before the source.
    pub(super) fn cut_from(
        &mut self,
        shape: Shape,
        place: Place,
        runs: impl Iterator<Item = (u64, u32)>,
        read: impl Fn(u32, &mut [u8]),
    ) -> bool {
        let tile_bytes = self.session.tile_bytes;
        let mut tiles = Tiles::new(self.algorithm, shape, place, tile_bytes, read);
        let mut left = shape.len;
        for (mut address, mut bytes) in runs {
            while bytes > 0 {
                let Some(tile) = tiles.next_from(address, bytes) else {
                    return false;
                };
                let tile = Tile {
                    flags: TileFlags::GUEST_SOURCE.bits(),
                    ..tile
                };
                address += u64::from(tile.len);
                bytes -= tile.len;
                left -= tile.len;
                self.push(tile);
            }
        }
        left == 0
    }

    /// Cuts a request into tiles. `read` fetches bytes of its source.
    pub(super) fn cut(&mut self, shape: Shape, place: Place, read: impl Fn(u32, &mut [u8])) {
        for tile in Tiles::new(self.algorithm, shape, place, self.session.tile_bytes, read) {
            self.push(tile);
        }
    }

    fn push(&mut self, tile: Tile) {
        if let Some(last) = &mut self.last
            && extends(self.algorithm, last, &tile, self.session.tile_bytes)
        {
            last.len += tile.len;
            last.dst_len += tile.dst_len;
            last.iv_step = IvStep::Le64.code();
            return;
        }
        if let Some(last) = self.last.replace(tile) {
            self.store(&last);
        }
    }

    fn store(&mut self, tile: &Tile) {
        if self.counts {
            self.used += 1;
        } else if self.used < self.run.count {
            let at = self.session.layout.tile_offset
                + u64::from(self.run.first + self.used) * Tile::SIZE as u64;
            // Inside the mapping: the run is of the tile table.
            let _inside = self.session.control.words().store_entry(at, tile);
            self.used += 1;
        }
    }

    /// Writes the last one. The result is how many there are.
    pub(super) fn finish(mut self) -> u32 {
        if let Some(last) = self.last.take() {
            self.store(&last);
        }
        self.used
    }
}

/// Whether `next` is the data units behind those of `last`, and both make a tile of at most `most` bytes.
fn extends(algorithm: &Algorithm, last: &Tile, next: &Tile, most: u32) -> bool {
    let unit = last.data_unit_size;
    let steps = [IvStep::None.code(), IvStep::Le64.code()];
    let whole = |tile: &Tile| {
        tile.data_unit_size == unit
            && tile.len.is_multiple_of(unit.max(1))
            && tile.first_block == 0
            // A tile of one unit steps nowhere.
            && steps.contains(&tile.iv_step)
            && (tile.len == unit || tile.iv_step == IvStep::Le64.code())
    };
    whole(last)
        && whole(next)
        && algorithm.steps(IvStep::Le64)
        && last
            .len
            .checked_add(next.len)
            .is_some_and(|len| len <= most)
        && last.src + u64::from(last.len) == next.src
        && last.dst + u64::from(last.dst_len) == next.dst
        && last.flags == next.flags
        && next.iv == behind(algorithm, last)
}

/// The IV of the data unit behind a tile.
fn behind(algorithm: &Algorithm, tile: &Tile) -> [u8; IV_BYTES_MAX] {
    let units = u64::from(tile.len / tile.data_unit_size.max(1));
    iv::step(&tile.iv, algorithm.iv_size(), IvStep::Le64, units)
}
