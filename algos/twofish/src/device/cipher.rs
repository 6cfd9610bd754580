//! Twofish's rounds (paper, section 4.2) on cells of a GPU thread: the look-ups from tables in shared
//! memory, the rest in registers.

use kgpu_kernels::gpu::mad;
use kgpu_kernels::tables::{Keys, Layout, load_keys};
use kgpu_kernels::{Cipher, Schedule, unroll};

/// Four words of round keys each: whitening before the rounds, after them, then two rounds each.
pub(crate) const QUADS: usize = 10;
/// Words of round keys in the device's schedule, ahead of the tables.
pub(crate) const ROUND_KEY_WORDS: u32 = 40;
/// Words of the device's schedule.
pub(crate) const KEY_WORDS: u32 = ROUND_KEY_WORDS + kgpu_kernels::tables::TABLE_WORDS;

/// Twofish under a key, with tables and round keys as the types say; `SPARE` as in [`Cipher`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Twofish<L, K, const SPARE: bool> {
    tables: L,
    keys: K,
}

impl<L: Layout, K, const SPARE: bool> Twofish<L, K, SPARE> {
    /// Bytes of shared memory that tables and round keys take.
    #[cfg(not(target_arch = "nvptx64"))]
    pub(crate) const SHARED: u32 = L::BYTES + 4 * ROUND_KEY_WORDS;

    /// The function F of two words, under a round's two keys.
    #[inline(always)]
    fn f(self, x: u32, y: u32, keys: [u32; 2]) -> (u32, u32)
    where
        K: Copy,
    {
        let t0 = self.tables.sum::<0x3210>(x);
        // g of y rotated left by 8 bits: the rotation is in the order of the bytes.
        let t1 = self.tables.sum::<0x2103>(y);
        let f0 = t0.wrapping_add(t1).wrapping_add(keys[0]);
        // By the multiply-add unit: the unit for sums has more to do than it can.
        let f1 = mad(t1, 2, t0).wrapping_add(keys[1]);
        (f0, f1)
    }
}

/// The bitwise sum of two cells.
#[inline(always)]
fn xor(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}

/// Runs a macro for the eight pairs of rounds: written out, because an index that is not a constant
/// would send the round keys to local memory.
macro_rules! pairs {
    ($two_rounds:ident: $($pair:literal)*) => {
        $($two_rounds!($pair);)*
    };
}

impl<L: Layout, K: Keys<QUADS>, const SPARE: bool, const N: usize> Cipher<N>
    for Twofish<L, K, SPARE>
{
    const BLOCK: u32 = 16;
    const KEY_WORDS: u32 = KEY_WORDS;
    const SPARE: bool = SPARE;

    #[inline(always)]
    fn load(schedule: &Schedule) {
        load_keys(schedule, ROUND_KEY_WORDS / 4, L::BYTES);
        L::load(schedule, ROUND_KEY_WORDS);
    }

    #[inline(always)]
    fn new() -> Self {
        Self {
            tables: L::new(),
            keys: K::new(L::BYTES),
        }
    }

    #[inline(always)]
    fn encrypt(self, cells: &mut [[u32; 4]; N]) {
        let before = self.keys.quad(0);
        unroll::<N>(
            #[inline(always)]
            |j| cells[j] = xor(cells[j], before),
        );
        macro_rules! two_rounds {
            ($pair:literal) => {
                let keys = self.keys.quad(2 + $pair);
                unroll::<N>(
                    #[inline(always)]
                    |j| {
                        let [a, b, c, d] = cells[j];
                        let (f0, f1) = self.f(a, b, [keys[0], keys[1]]);
                        cells[j] = [a, b, (c ^ f0).rotate_right(1), d.rotate_left(1) ^ f1];
                    },
                );
                unroll::<N>(
                    #[inline(always)]
                    |j| {
                        let [c, d, a, b] = cells[j];
                        let (f0, f1) = self.f(a, b, [keys[2], keys[3]]);
                        cells[j] = [(c ^ f0).rotate_right(1), d.rotate_left(1) ^ f1, a, b];
                    },
                );
            };
        }
        pairs!(two_rounds: 0 1 2 3 4 5 6 7);
        let after = self.keys.quad(1);
        unroll::<N>(
            #[inline(always)]
            |j| {
                let [a, b, c, d] = cells[j];
                cells[j] = xor([c, d, a, b], after);
            },
        );
    }

    #[inline(always)]
    fn decrypt(self, cells: &mut [[u32; 4]; N]) {
        let after = self.keys.quad(1);
        unroll::<N>(
            #[inline(always)]
            |j| {
                let [c, d, a, b] = xor(cells[j], after);
                cells[j] = [a, b, c, d];
            },
        );
        macro_rules! two_rounds {
            ($pair:literal) => {
                let keys = self.keys.quad(2 + $pair);
                unroll::<N>(
                    #[inline(always)]
                    |j| {
                        let [c, d, a, b] = cells[j];
                        let (f0, f1) = self.f(a, b, [keys[2], keys[3]]);
                        cells[j] = [c.rotate_left(1) ^ f0, (d ^ f1).rotate_right(1), a, b];
                    },
                );
                unroll::<N>(
                    #[inline(always)]
                    |j| {
                        let [a, b, c, d] = cells[j];
                        let (f0, f1) = self.f(a, b, [keys[0], keys[1]]);
                        cells[j] = [a, b, c.rotate_left(1) ^ f0, (d ^ f1).rotate_right(1)];
                    },
                );
            };
        }
        pairs!(two_rounds: 7 6 5 4 3 2 1 0);
        let before = self.keys.quad(0);
        unroll::<N>(
            #[inline(always)]
            |j| cells[j] = xor(cells[j], before),
        );
    }
}
