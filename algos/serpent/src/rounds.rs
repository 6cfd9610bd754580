//! Serpent's rounds (proposal, sections 2 and 3) in the bitsliced form, on blocks side by side.
//!
//! Shared by the CPU path and by device kernels: plain functions of words without tables, without
//! branches on data, and without anything that can panic. No key expansion, no modes.

use super::sbox::{Substitution, Words};

/// The 33 round keys.
#[derive(Clone)]
#[repr(C)]
pub struct RoundKeys {
    /// Those of the 32 rounds, in turns of eight, as there are eight S-boxes.
    pub rounds: [[Words; 8]; 4],
    /// The one after the last round.
    pub last: Words,
}

impl core::fmt::Debug for RoundKeys {
    /// Prints no key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RoundKeys").finish_non_exhaustive()
    }
}

/// Word `i` of `N` blocks in row `i`; a block's bytes are its words, little-endian, in order.
pub type Lanes<const N: usize> = [[u32; N]; 4];

/// Mixes in a round key.
#[inline(always)]
#[must_use]
pub const fn mix(x: Words, key: &Words) -> Words {
    [x[0] ^ key[0], x[1] ^ key[1], x[2] ^ key[2], x[3] ^ key[3]]
}

/// The linear transformation.
#[inline(always)]
#[must_use]
pub const fn linear([a, b, c, d]: Words) -> Words {
    let a = a.rotate_left(13);
    let c = c.rotate_left(3);
    let b = (b ^ a ^ c).rotate_left(1);
    let d = (d ^ c ^ (a << 3)).rotate_left(7);
    let a = (a ^ b ^ d).rotate_left(5);
    let c = (c ^ d ^ (b << 7)).rotate_left(22);
    [a, b, c, d]
}

/// Its inverse.
#[inline(always)]
#[must_use]
pub const fn inverse_linear([a, b, c, d]: Words) -> Words {
    let c = c.rotate_right(22) ^ d ^ (b << 7);
    let a = a.rotate_right(5) ^ b ^ d;
    let d = d.rotate_right(7) ^ c ^ (a << 3);
    let b = b.rotate_right(1) ^ a ^ c;
    [a.rotate_right(13), b, c.rotate_right(3), d]
}

/// Takes every block through an expression.
//
// A loop over lanes for each round, which a compiler turns into vector instructions as it is. A macro,
// because a closure is a function of its own, compiled for the processor's own instructions only if it
// happens to be inlined.
macro_rules! each {
    ($lanes:expr, $x:ident => $result:expr) => {{
        let [a, b, c, d] = &mut *$lanes;
        for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
            let $x = [*a, *b, *c, *d];
            [*a, *b, *c, *d] = $result;
        }
    }};
}

/// All of a turn but what follows its last S-box.
#[inline(always)]
fn turn<S: Substitution, const N: usize>(lanes: &mut Lanes<N>, k: &[Words; 8]) {
    each!(lanes, x => linear(S::s0(mix(x, &k[0]))));
    each!(lanes, x => linear(S::s1(mix(x, &k[1]))));
    each!(lanes, x => linear(S::s2(mix(x, &k[2]))));
    each!(lanes, x => linear(S::s3(mix(x, &k[3]))));
    each!(lanes, x => linear(S::s4(mix(x, &k[4]))));
    each!(lanes, x => linear(S::s5(mix(x, &k[5]))));
    each!(lanes, x => linear(S::s6(mix(x, &k[6]))));
    each!(lanes, x => S::s7(mix(x, &k[7])));
}

/// Encrypts `N` blocks.
#[inline(always)]
pub fn encrypt<S: Substitution, const N: usize>(keys: &RoundKeys, lanes: &mut Lanes<N>) {
    let [first @ .., end] = &keys.rounds;
    for k in first {
        turn::<S, N>(lanes, k);
        each!(lanes, x => linear(x));
    }
    turn::<S, N>(lanes, end);
    each!(lanes, x => mix(x, &keys.last));
}

/// Undoes a turn from before its last S-box.
#[inline(always)]
fn turn_back<S: Substitution, const N: usize>(lanes: &mut Lanes<N>, k: &[Words; 8]) {
    each!(lanes, x => mix(S::i7(x), &k[7]));
    each!(lanes, x => mix(S::i6(inverse_linear(x)), &k[6]));
    each!(lanes, x => mix(S::i5(inverse_linear(x)), &k[5]));
    each!(lanes, x => mix(S::i4(inverse_linear(x)), &k[4]));
    each!(lanes, x => mix(S::i3(inverse_linear(x)), &k[3]));
    each!(lanes, x => mix(S::i2(inverse_linear(x)), &k[2]));
    each!(lanes, x => mix(S::i1(inverse_linear(x)), &k[1]));
    each!(lanes, x => mix(S::i0(inverse_linear(x)), &k[0]));
}

/// Decrypts `N` blocks.
#[inline(always)]
pub fn decrypt<S: Substitution, const N: usize>(keys: &RoundKeys, lanes: &mut Lanes<N>) {
    let [first @ .., end] = &keys.rounds;
    each!(lanes, x => mix(x, &keys.last));
    turn_back::<S, N>(lanes, end);
    for k in first.iter().rev() {
        each!(lanes, x => inverse_linear(x));
        turn_back::<S, N>(lanes, k);
    }
}

#[cfg(test)]
mod tests {
    use super::{Lanes, decrypt, encrypt};
    use crate::gates::Gates;
    use crate::luts::Luts;
    use crate::sbox::Substitution;
    use crate::schedule::{expand, pad};

    /// NESSIE, 256-bit keys, set 1, vector 0, beside blocks that only have to come back.
    fn known_answer<S: Substitution>() {
        let mut key = [0; 32];
        key[0] = 0x80;
        let keys = expand::<S>(&pad(&key).unwrap());
        let plain: Lanes<3> = [[0, 1, 2], [0, 3, 4], [0, 5, 6], [0, 7, 8]];
        let mut lanes = plain;
        encrypt::<S, 3>(&keys, &mut lanes);
        let words = [0x12aa_23a2, 0x0e3c_4688, 0xbd8e_e32b, 0xc016_5682];
        assert_eq!(lanes.map(|row| row[0]), words);
        decrypt::<S, 3>(&keys, &mut lanes);
        assert_eq!(lanes, plain);
    }

    #[test]
    fn known_answer_with_gates() {
        known_answer::<Gates>();
    }

    #[test]
    fn known_answer_with_luts() {
        known_answer::<Luts>();
    }

    /// Both S-box implementations, any data.
    #[test]
    fn gates_and_luts_agree() {
        let keys = expand::<Gates>(&pad(b"a key").unwrap());
        assert_eq!(keys.rounds, expand::<Luts>(&pad(b"a key").unwrap()).rounds);
        let mut words = 1_u32..;
        let mut word = || {
            words
                .next()
                .unwrap()
                .wrapping_mul(0x9e37_79b9)
                .rotate_left(7)
        };
        let plain: Lanes<8> = core::array::from_fn(|_| core::array::from_fn(|_| word()));
        let (mut gates, mut luts) = (plain, plain);
        encrypt::<Gates, 8>(&keys, &mut gates);
        encrypt::<Luts, 8>(&keys, &mut luts);
        assert_eq!(gates, luts);
        decrypt::<Luts, 8>(&keys, &mut luts);
        assert_eq!(luts, plain);
    }
}
