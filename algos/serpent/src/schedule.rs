//! Serpent's key schedule (proposal, section 4): a key of 0 to 32 bytes, and its 33 round keys.
//!
//! Shared by the CPU path and by device kernels, like the rounds. Clears nothing that it had on the
//! stack: who calls it does so with what it returns.

use super::rounds::RoundKeys;
use super::sbox::{Substitution, Words};

/// Longest key in bytes.
pub const KEY_BYTES: usize = 32;

/// The fractional part of the golden ratio.
const PHI: u32 = 0x9e37_79b9;

/// A key as 256 bits: a shorter one is continued by a one bit and zeroes. `None` when it is longer.
#[must_use]
pub fn pad(key: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let mut padded = [0; KEY_BYTES];
    padded.get_mut(..key.len())?.copy_from_slice(key);
    if let Some(next) = padded.get_mut(key.len()) {
        *next = 1;
    }
    Some(padded)
}

/// Expands 256 bits.
#[inline(always)]
#[must_use]
pub fn expand<S: Substitution>(key: &[u8; KEY_BYTES]) -> RoundKeys {
    let mut prekeys = Prekeys {
        last: [0; 8],
        number: 0,
    };
    for (to, from) in prekeys.last.iter_mut().zip(key.as_chunks::<4>().0) {
        *to = u32::from_le_bytes(*from);
    }
    let mut keys = RoundKeys {
        rounds: [[[0; 4]; 8]; 4],
        last: [0; 4],
    };
    for turn in &mut keys.rounds {
        turn[0] = S::s3(prekeys.step());
        turn[1] = S::s2(prekeys.step());
        turn[2] = S::s1(prekeys.step());
        turn[3] = S::s0(prekeys.step());
        turn[4] = S::s7(prekeys.step());
        turn[5] = S::s6(prekeys.step());
        turn[6] = S::s5(prekeys.step());
        turn[7] = S::s4(prekeys.step());
    }
    keys.last = S::s3(prekeys.step());
    keys
}

/// The affine recurrence.
struct Prekeys {
    /// The eight words before the next, oldest first.
    last: [u32; 8],
    /// The next one's number.
    number: u32,
}

impl Prekeys {
    /// The next four.
    #[inline(always)]
    fn step(&mut self) -> Words {
        let [a, b, c, d, e, f, g, h] = self.last;
        let number = self.number;
        self.number = number.wrapping_add(4);
        let word = |sum: u32, n: u32| (sum ^ PHI ^ number.wrapping_add(n)).rotate_left(11);
        let i = word(a ^ d ^ f ^ h, 0);
        let j = word(b ^ e ^ g ^ i, 1);
        let k = word(c ^ f ^ h ^ j, 2);
        let l = word(d ^ g ^ i ^ k, 3);
        self.last = [e, f, g, h, i, j, k, l];
        [i, j, k, l]
    }
}
