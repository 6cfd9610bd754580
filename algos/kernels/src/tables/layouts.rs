//! The three layouts. All addresses are one selection of bytes (`prmt`) away from the word whose bytes
//! index the tables: the index times the length of a row, plus the lane's place in the row.

use super::{Layout, Order};
use crate::gpu::{lane, lds, mad, prmt_by, shared_base};

/// The byte of a word that indexes a table.
#[inline(always)]
const fn byte(order: Order, table: u32) -> u32 {
    order >> (4 * table) & 3
}

/// Selects byte 0 of the second word as byte 0, byte `byte` of the first as byte 1, and zeroes: `byte` of
/// a word times 256 plus a lane's place, as long as that is below 256 (bytes 1 of it are 0).
#[inline(always)]
const fn times_256(byte: u32) -> u32 {
    0x5504 + 0x10 * byte
}

/// The bitwise sum of four words.
#[inline(always)]
const fn sum(words: [u32; 4]) -> u32 {
    words[0] ^ words[1] ^ words[2] ^ words[3]
}

/// 32 copies, 128 KiB: lane l reads bank l and no other. Tables 0 and 1 share rows of 256 bytes, as do
/// tables 2 and 3.
#[derive(Clone, Copy, Debug)]
pub struct R32 {
    base: u32,
    /// Four times the lane.
    lane: u32,
}

impl R32 {
    #[inline(always)]
    fn word<const OFFSET: u32>(self, x: u32, byte: u32) -> u32 {
        let address = prmt_by(x, self.lane, times_256(byte));
        lds::<OFFSET>(self.base.wrapping_add(address))
    }
}

impl Layout for R32 {
    const COPIES: u32 = 32;

    #[inline(always)]
    fn place(table: u32, index: u32) -> u32 {
        (table >> 1 << 16) + index * 256 + (table & 1) * 128
    }

    #[inline(always)]
    fn new() -> Self {
        Self {
            base: shared_base(),
            lane: lane() * 4,
        }
    }

    #[inline(always)]
    fn look_up<const ORDER: Order>(self, x: u32) -> [u32; 4] {
        [
            self.word::<0>(x, byte(ORDER, 0)),
            self.word::<0x80>(x, byte(ORDER, 1)),
            self.word::<0x10000>(x, byte(ORDER, 2)),
            self.word::<0x10080>(x, byte(ORDER, 3)),
        ]
    }

    #[inline(always)]
    fn sum<const ORDER: Order>(self, x: u32) -> u32 {
        sum(self.look_up::<ORDER>(x))
    }
}

/// 16 copies, 64 KiB, in rows of 256 bytes: tables 0 and 2 lie in banks 0 to 15, tables 1 and 3 in banks
/// 16 to 31. The upper half of a warp takes the tables in the order 1 0 3 2.
#[derive(Clone, Copy, Debug)]
pub struct S16 {
    base: u32,
    upper: bool,
    /// The lane's places in a row: in the table of pair 0, 1 that it takes first, and in the other.
    places: [u32; 2],
}

impl S16 {
    /// One look-up for each table of a pair, the one that the lane takes first before the other.
    #[inline(always)]
    fn pair<const OFFSET: u32>(self, x: u32, bytes: [u32; 2]) -> [u32; 2] {
        let [own, other] = bytes.map(times_256);
        let (first, second) = if self.upper {
            (other, own)
        } else {
            (own, other)
        };
        let address = |place, select| self.base.wrapping_add(prmt_by(x, place, select));
        [
            lds::<OFFSET>(address(self.places[0], first)),
            lds::<OFFSET>(address(self.places[1], second)),
        ]
    }

    #[inline(always)]
    fn in_turn<const ORDER: Order>(self, x: u32) -> [u32; 4] {
        let [a, b] = self.pair::<0>(x, [byte(ORDER, 0), byte(ORDER, 1)]);
        let [c, d] = self.pair::<0x80>(x, [byte(ORDER, 2), byte(ORDER, 3)]);
        [a, b, c, d]
    }
}

impl Layout for S16 {
    const COPIES: u32 = 16;

    #[inline(always)]
    fn place(table: u32, index: u32) -> u32 {
        index * 256 + table * 64
    }

    #[inline(always)]
    fn new() -> Self {
        let (copy, half) = ((lane() & 15) * 4, lane() >> 4);
        Self {
            base: shared_base(),
            upper: half != 0,
            places: [half * 64 + copy, (1 - half) * 64 + copy],
        }
    }

    #[inline(always)]
    fn look_up<const ORDER: Order>(self, x: u32) -> [u32; 4] {
        let [a, b, c, d] = self.in_turn::<ORDER>(x);
        if self.upper {
            [b, a, d, c]
        } else {
            [a, b, c, d]
        }
    }

    #[inline(always)]
    fn sum<const ORDER: Order>(self, x: u32) -> u32 {
        sum(self.in_turn::<ORDER>(x))
    }
}

/// 8 copies, 32 KiB, in rows of 128 bytes: each table lies in 8 banks. Quarter q of a warp takes the
/// tables in the order 0 1 2 3, each number exclusive-or q.
#[derive(Clone, Copy, Debug)]
pub struct S8 {
    base: u32,
    quarter: u32,
    /// The lane's place in a row, in the table that it takes j-th.
    places: [u32; 4],
}

impl S8 {
    #[inline(always)]
    fn in_turn<const ORDER: Order>(self, x: u32) -> [u32; 4] {
        let word = |turn: u32, place: u32| {
            // Zeroes, and the byte: the same for all words, so it is made once.
            let select = 0x4440 + byte(ORDER, turn ^ self.quarter);
            // By the multiply-add unit: the others have more to do.
            let address = mad(prmt_by(x, 0, select), 128, place);
            lds::<0>(self.base.wrapping_add(address))
        };
        let [a, b, c, d] = self.places;
        [word(0, a), word(1, b), word(2, c), word(3, d)]
    }
}

impl Layout for S8 {
    const COPIES: u32 = 8;

    #[inline(always)]
    fn place(table: u32, index: u32) -> u32 {
        index * 128 + table * 32
    }

    #[inline(always)]
    fn new() -> Self {
        let (copy, quarter) = ((lane() & 7) * 4, lane() >> 3);
        let place = |turn: u32| (turn ^ quarter) * 32 + copy;
        Self {
            base: shared_base(),
            quarter,
            places: [place(0), place(1), place(2), place(3)],
        }
    }

    #[inline(always)]
    fn look_up<const ORDER: Order>(self, x: u32) -> [u32; 4] {
        let [a, b, c, d] = self.in_turn::<ORDER>(x);
        let [a, b, c, d] = if self.quarter & 2 != 0 {
            [c, d, a, b]
        } else {
            [a, b, c, d]
        };
        if self.quarter & 1 != 0 {
            [a, b, d, c]
        } else {
            [a, b, c, d]
        }
    }

    #[inline(always)]
    fn sum<const ORDER: Order>(self, x: u32) -> u32 {
        sum(self.in_turn::<ORDER>(x))
    }
}
