//! Serpent's rounds on cells of a GPU thread: a cell is four words, which is the bitsliced form as it is.
//! The round keys lie in shared memory, where all lanes read the same words at once.

use kgpu_kernels::gpu::{lds4, shared_base, sts4, thread, threads};
use kgpu_kernels::{Cipher, Schedule, unroll};

use crate::luts::Luts;
use crate::rounds::{inverse_linear, linear, mix};
use crate::sbox::{Substitution, Words};

/// Round keys of four words.
const ROUND_KEYS: u32 = 33;
/// Words of the device's schedule.
pub(crate) const KEY_WORDS: u32 = 4 * ROUND_KEYS;
/// Bytes of shared memory.
pub(crate) const SHARED: u32 = 4 * KEY_WORDS;
/// Bytes of the round keys of a turn: eight rounds, as there are eight S-boxes.
const TURN: u32 = 8 * 16;

/// Serpent under the key in shared memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Serpent {
    keys: u32,
}

/// A round key, the `OFFSET / 16`th from an address on.
#[inline(always)]
fn key<const OFFSET: u32>(address: u32) -> Words {
    lds4::<OFFSET>(address)
}

/// Takes every cell through an expression of it and a round key.
macro_rules! each {
    ($cells:ident, $at:expr, $round:literal: $x:ident, $k:ident => $result:expr) => {{
        let $k = &key::<{ 16 * $round }>($at);
        unroll::<N>(|j| {
            let $x = $cells[j];
            $cells[j] = $result;
        });
    }};
}

/// All of a turn but what follows its last S-box.
#[inline(always)]
fn turn<const N: usize>(cells: &mut [Words; N], at: u32) {
    each!(cells, at, 0: x, k => linear(Luts::s0(mix(x, k))));
    each!(cells, at, 1: x, k => linear(Luts::s1(mix(x, k))));
    each!(cells, at, 2: x, k => linear(Luts::s2(mix(x, k))));
    each!(cells, at, 3: x, k => linear(Luts::s3(mix(x, k))));
    each!(cells, at, 4: x, k => linear(Luts::s4(mix(x, k))));
    each!(cells, at, 5: x, k => linear(Luts::s5(mix(x, k))));
    each!(cells, at, 6: x, k => linear(Luts::s6(mix(x, k))));
    each!(cells, at, 7: x, k => Luts::s7(mix(x, k)));
}

/// Undoes a turn from before its last S-box.
#[inline(always)]
fn turn_back<const N: usize>(cells: &mut [Words; N], at: u32) {
    each!(cells, at, 7: x, k => mix(Luts::i7(x), k));
    each!(cells, at, 6: x, k => mix(Luts::i6(inverse_linear(x)), k));
    each!(cells, at, 5: x, k => mix(Luts::i5(inverse_linear(x)), k));
    each!(cells, at, 4: x, k => mix(Luts::i4(inverse_linear(x)), k));
    each!(cells, at, 3: x, k => mix(Luts::i3(inverse_linear(x)), k));
    each!(cells, at, 2: x, k => mix(Luts::i2(inverse_linear(x)), k));
    each!(cells, at, 1: x, k => mix(Luts::i1(inverse_linear(x)), k));
    each!(cells, at, 0: x, k => mix(Luts::i0(inverse_linear(x)), k));
}

impl<const N: usize> Cipher<N> for Serpent {
    const BLOCK: u32 = 16;
    const KEY_WORDS: u32 = KEY_WORDS;

    #[inline(always)]
    fn load(schedule: &Schedule) {
        let mut at = thread();
        while at < ROUND_KEYS {
            sts4(shared_base() + 16 * at, schedule.cell(4 * at));
            at += threads();
        }
    }

    #[inline(always)]
    fn new() -> Self {
        Self {
            keys: shared_base(),
        }
    }

    #[inline(always)]
    fn encrypt(self, cells: &mut [Words; N]) {
        let last = self.keys + 3 * TURN;
        let mut at = self.keys;
        while at < last {
            turn(cells, at);
            unroll::<N>(|j| cells[j] = linear(cells[j]));
            at += TURN;
        }
        turn(cells, last);
        each!(cells, last, 8: x, k => mix(x, k));
    }

    #[inline(always)]
    fn decrypt(self, cells: &mut [Words; N]) {
        let mut at = self.keys + 3 * TURN;
        each!(cells, at, 8: x, k => mix(x, k));
        turn_back(cells, at);
        while at > self.keys {
            at -= TURN;
            unroll::<N>(|j| cells[j] = inverse_linear(cells[j]));
            turn_back(cells, at);
        }
    }
}
