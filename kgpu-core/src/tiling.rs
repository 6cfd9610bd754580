//! Cuts a request into tiles: pieces that can be computed alone, in any order, in place or not.

#[cfg(any(kani, test))]
mod proofs;

use crate::abi::{IvStep, Tile};
use crate::algorithm::{Algorithm, IV_BYTES_MAX, Mode, Output};
use crate::iv;
use crate::request::Shape;

/// Most bytes of a tile when a helper names no preference.
pub const TILE_BYTES_DEFAULT: u32 = 64 << 10;

/// Where a request's data lies and which key it is under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Pool offset of the source.
    pub src: u64,
    /// Pool offset of the destination; equal to `src` or disjoint.
    pub dst: u64,
    /// Key slot, 0 without a key.
    pub key_slot: u32,
    /// Key generation, 0 without a key.
    pub key_generation: u32,
}

/// The tiles of a request, in order. The shape must have passed [`Shape::check`].
///
/// `read` fetches source bytes at an offset in the request: CBC decryption needs the ciphertext
/// block before each tile, taken here so that tiles may be computed in place in any order.
#[derive(Debug)]
pub struct Tiles<'a, R> {
    algorithm: &'a Algorithm,
    shape: Shape,
    place: Place,
    /// Bytes of a tile when units are grouped or split.
    piece: u32,
    /// Source bytes cut so far.
    at: u32,
    /// Destination bytes cut so far.
    out: u32,
    read: R,
}

/// How many source bytes a tile takes at most: whole units, or a part of one that ends on a block.
fn piece(algorithm: &Algorithm, shape: &Shape, tile_bytes: u32) -> u32 {
    let unit = shape.data_unit_size.max(1);
    if unit <= tile_bytes {
        tile_bytes / unit * unit
    } else if algorithm.splits_units(shape.op) {
        let block = u32::from(algorithm.block_size.max(1));
        (tile_bytes / block * block).max(block)
    } else {
        unit
    }
}

/// How many tiles a request makes: what must be free in the tile table.
#[must_use]
pub fn count(algorithm: &Algorithm, shape: &Shape, tile_bytes: u32) -> u32 {
    let piece = piece(algorithm, shape, tile_bytes);
    let unit = shape.data_unit_size.max(1);
    if piece >= unit {
        shape.len.div_ceil(piece)
    } else {
        // Pieces never straddle a unit's end.
        let (whole, rest) = (shape.len / unit, shape.len % unit);
        whole * unit.div_ceil(piece) + rest.div_ceil(piece)
    }
}

impl<'a, R: Fn(u32, &mut [u8])> Tiles<'a, R> {
    /// Starts cutting.
    pub fn new(
        algorithm: &'a Algorithm,
        shape: Shape,
        place: Place,
        tile_bytes: u32,
        read: R,
    ) -> Self {
        let piece = piece(algorithm, &shape, tile_bytes);
        Self {
            algorithm,
            shape,
            place,
            piece,
            at: 0,
            out: 0,
            read,
        }
    }

    /// The IV at source offset `at`, and the blocks already counted in its unit.
    fn iv_at(&self, at: u32) -> ([u8; IV_BYTES_MAX], u32) {
        let size = self.algorithm.iv_size();
        let unit = self.shape.data_unit_size;
        let start = iv::step(
            &self.shape.iv,
            size,
            self.shape.iv_step,
            u64::from(at / unit),
        );
        let inside = at % unit;
        let blocks = inside / u32::from(self.algorithm.block_size.max(1));
        match self.algorithm.mode {
            Mode::Xts => (start, blocks),
            Mode::Ctr => (iv::counter(&start, size, u64::from(blocks)), 0),
            Mode::Cbc if inside > 0 => {
                let mut block = [0; IV_BYTES_MAX];
                if let (Some(to), Ok(back)) = (block.get_mut(..size), u32::try_from(size)) {
                    (self.read)(at - back, to);
                }
                (block, 0)
            }
            Mode::Cbc | Mode::Ecb | Mode::Digest => (start, 0),
        }
    }
}

impl<R: Fn(u32, &mut [u8])> Tiles<'_, R> {
    /// The next tile, whose source begins at `src` and goes on for `most` bytes. `None` at the end, and where no tile can
    /// end there: in the middle of a block, or of a data unit that is not split.
    pub fn next_from(&mut self, src: u64, most: u32) -> Option<Tile> {
        let left = self
            .shape
            .len
            .checked_sub(self.at)
            .filter(|left| *left > 0)?;
        let unit = self.shape.data_unit_size.max(1);
        let inside = self.at % unit;
        let limit = self.piece.min(left).min(most);
        let len = if inside == 0 && (limit >= unit || limit == left) {
            // Whole units, and a short last one.
            if limit == left {
                left
            } else {
                limit / unit * unit
            }
        } else {
            let to_end = (unit - inside).min(left);
            let block = u32::from(self.algorithm.block_size.max(1));
            match limit.min(to_end) {
                len if len == to_end => len,
                len => len / block * block,
            }
        };
        let whole = inside == 0 && (len >= unit || len == left);
        if len == 0 || !(whole || self.algorithm.splits_units(self.shape.op)) {
            return None;
        }
        let dst_len = match self.algorithm.output {
            Output::SameAsInput => len,
            Output::PerUnit(bytes) => len.div_ceil(unit) * bytes,
        };
        let (iv, first_block) = self.iv_at(self.at);
        // A piece of one unit steps nowhere; saying so spares backends a case.
        let iv_step = if len <= unit {
            IvStep::None
        } else {
            self.shape.iv_step
        };
        let tile = Tile {
            src,
            dst: self.place.dst + u64::from(self.out),
            len,
            dst_len,
            key_slot: self.place.key_slot,
            key_generation: self.place.key_generation,
            data_unit_size: self.shape.data_unit_size,
            first_block,
            iv,
            algorithm: self.algorithm.id.0,
            op: self.shape.op.code(),
            iv_step: iv_step.code(),
            flags: 0,
        };
        self.at += len;
        self.out += dst_len;
        Some(tile)
    }
}

impl<R: Fn(u32, &mut [u8])> Iterator for Tiles<'_, R> {
    type Item = Tile;

    fn next(&mut self) -> Option<Tile> {
        // Behind the last tile there need not be an address.
        let src = self.place.src.wrapping_add(u64::from(self.at));
        self.next_from(src, u32::MAX)
    }
}
