//! Blowfish's rounds (Schneier 1993) on cells of a GPU thread, two blocks in each: the look-ups from
//! tables in shared memory, the rest in registers.

use kgpu_kernels::gpu::swap;
use kgpu_kernels::tables::{Keys, Layout, TABLE_WORDS, load_keys};
use kgpu_kernels::{Cipher, Schedule, unroll};

/// Four words each that hold the 18 words of P, and two of nothing.
pub(crate) const QUADS: usize = 5;
/// Words of P in the device's schedule, ahead of the tables.
pub(crate) const P_WORDS: u32 = 20;
/// Words of the device's schedule.
pub(crate) const KEY_WORDS: u32 = P_WORDS + TABLE_WORDS;

/// Blowfish under a key, with tables and P as the types say; `SPARE` as in [`Cipher`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blowfish<L, K, const SPARE: bool> {
    tables: L,
    keys: K,
}

impl<L: Layout, K: Keys<QUADS>, const SPARE: bool> Blowfish<L, K, SPARE> {
    /// Bytes of shared memory that tables and P take.
    #[cfg(not(target_arch = "nvptx64"))]
    pub(crate) const SHARED: u32 = L::BYTES + 4 * P_WORDS;

    /// A word of P.
    #[inline(always)]
    fn p(&self, index: usize) -> u32 {
        self.keys.quad(index / 4)[index % 4]
    }

    /// The function F.
    #[inline(always)]
    fn f(self, x: u32) -> u32 {
        // The most significant byte indexes the first table.
        let [a, b, c, d] = self.tables.look_up::<0x0123>(x);
        (a.wrapping_add(b) ^ c).wrapping_add(d)
    }

    /// A round of both blocks: F of the words `from`, and a word of P, go into the words `to`.
    #[inline(always)]
    fn round<const N: usize>(self, cells: &mut [[u32; 4]; N], from: usize, to: usize, p: u32) {
        unroll::<N>(
            #[inline(always)]
            |j| {
                let cell = &mut cells[j];
                cell[to] ^= self.f(cell[from]) ^ p;
                cell[2 + to] ^= self.f(cell[2 + from]) ^ p;
            },
        );
    }

    /// All rounds, `p` giving the words of P in the order of their use.
    #[inline(always)]
    fn crypt<const N: usize>(self, cells: &mut [[u32; 4]; N], p: impl Fn(usize) -> u32) {
        let (first, last) = (p(0), p(17));
        unroll::<N>(
            #[inline(always)]
            |j| {
                let [a, b, c, d] = cells[j].map(swap);
                cells[j] = [a ^ first, b, c ^ first, d];
            },
        );
        // Written out: an index that is not a constant would send P to local memory.
        macro_rules! pairs {
            ($($round:literal)*) => {$(
                self.round(cells, 0, 1, p($round));
                self.round(cells, 1, 0, p($round + 1));
            )*};
        }
        pairs!(1 3 5 7 9 11 13 15);
        unroll::<N>(
            #[inline(always)]
            |j| {
                // The last round does not exchange the words.
                let [a, b, c, d] = cells[j];
                cells[j] = [b ^ last, a, d ^ last, c].map(swap);
            },
        );
    }
}

impl<L: Layout, K: Keys<QUADS>, const SPARE: bool, const N: usize> Cipher<N>
    for Blowfish<L, K, SPARE>
{
    const BLOCK: u32 = 8;
    const KEY_WORDS: u32 = KEY_WORDS;
    const SPARE: bool = SPARE;

    #[inline(always)]
    fn load(schedule: &Schedule) {
        load_keys(schedule, P_WORDS / 4, L::BYTES);
        L::load(schedule, P_WORDS);
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
        self.crypt(
            cells,
            #[inline(always)]
            |index| self.p(index),
        );
    }

    #[inline(always)]
    fn decrypt(self, cells: &mut [[u32; 4]; N]) {
        self.crypt(
            cells,
            #[inline(always)]
            |index| self.p(17 - index),
        );
    }
}
