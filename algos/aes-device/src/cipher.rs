//! AES as the modes see it: eight blocks at a time, the key in shared memory.

use kgpu_kernels::gpu::{lds, lds4, shared_base, sts, sts4, thread, threads};
use kgpu_kernels::{Cipher, Schedule};

use crate::direction::{Backward, Direction, Forward};
use crate::layout::{ENCRYPT, ENCRYPT_PLANES, MIDDLE, PLANES_BYTES, WORDS};
use crate::planes::{Planes, slice, unslice};

/// AES with keys of any length, in registers: where its keys are, and how many rounds it has.
#[derive(Clone, Copy, Debug)]
pub struct Aes {
    base: u32,
    rounds: u32,
}

/// A bit of four columns, each spread over a byte.
#[inline(always)]
pub(crate) fn spread(columns: [u32; 4], bit: u32) -> u32 {
    let byte = |c: usize| 0u32.wrapping_sub(columns[c] >> bit & 1) & (0xff << (8 * c));
    byte(0) | byte(1) | byte(2) | byte(3)
}

impl Aes {
    /// A key of four words, added to each block as it is.
    #[inline(always)]
    pub(crate) fn whiten(self, at: u32, cells: &mut [[u32; 4]; 8]) {
        let key = lds4::<0>(self.base + 4 * at);
        *cells = cells.map(|[a, b, c, d]| [a ^ key[0], b ^ key[1], c ^ key[2], d ^ key[3]]);
    }

    /// MixColumns and the round key, or their inverses, of the round whose planes lie `key` bytes
    /// behind the first round's.
    #[inline(always)]
    pub(crate) fn mix<D: Direction>(self, planes: &Planes, key: u32) -> Planes {
        let at = self.base + D::PLANES + key;
        D::mix(
            planes,
            #[inline(always)]
            |q| {
                // CAST: below 8.
                #[allow(clippy::cast_possible_truncation)]
                let offset = 16 * q as u32;
                lds4::<0>(at + offset)
            },
        )
    }

    /// Which round has the last MixColumns, as in [`Self::mix`].
    #[inline(always)]
    pub(crate) fn last_mix(self) -> u32 {
        (self.rounds - 2) * PLANES_BYTES
    }

    #[inline(always)]
    pub(crate) fn crypt<D: Direction>(self, cells: &mut [[u32; 4]; 8]) {
        self.whiten(D::FIRST, cells);
        let mut planes = D::shift_to_rows(&D::substitute_all(&slice(cells)));
        let (mut key, last) = (0, self.last_mix());
        loop {
            planes = D::substitute_all(&self.mix::<D>(&planes, key));
            if key == last {
                break;
            }
            planes = D::shift(&planes);
            key += PLANES_BYTES;
        }
        *cells = unslice(&D::shift_to_columns(&planes));
        self.whiten(D::LAST, cells);
    }
}

impl Cipher<8> for Aes {
    const BLOCK: u32 = 16;
    const KEY_WORDS: u32 = WORDS;

    #[inline(always)]
    fn load(schedule: &Schedule) {
        let base = shared_base();
        let mut cell = thread();
        while cell < ENCRYPT / 4 {
            sts4(base + 16 * cell, schedule.cell(4 * cell));
            cell += threads();
        }
        let mut plane = thread();
        while plane < 2 * MIDDLE * 32 {
            let columns = schedule.cell(ENCRYPT + 4 * (plane >> 5));
            sts(
                base + ENCRYPT_PLANES + 4 * plane,
                spread(columns, plane & 31),
            );
            plane += threads();
        }
    }

    #[inline(always)]
    fn new() -> Self {
        let base = shared_base();
        Self {
            base,
            rounds: lds::<0>(base),
        }
    }

    #[inline(always)]
    fn encrypt(self, cells: &mut [[u32; 4]; 8]) {
        self.crypt::<Forward>(cells);
    }

    #[inline(always)]
    fn decrypt(self, cells: &mut [[u32; 4]; 8]) {
        self.crypt::<Backward>(cells);
    }
}
