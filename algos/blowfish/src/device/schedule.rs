//! The device's schedule: Blowfish's key expansion (Schneier 1993), which RustCrypto's crate keeps to
//! itself. On the CPU, straight into the words of the schedule.

use kgpu_core::cpu::KeyError;

use super::cipher::{KEY_WORDS, P_WORDS};
use crate::KEYS;

/// Words of P, and of each of the four tables.
const P: usize = 18;
const S: usize = 256;

/// The digits of π that P and the tables start from.
static PI: [u32; P + 4 * S] = include!(concat!(env!("OUT_DIR"), "/pi.rs"));

// CAST: small constants.
const TABLES: usize = P_WORDS as usize;
const WORDS: usize = KEY_WORDS as usize;

/// Words of a schedule with its header.
pub(super) const SINGLE: usize = kgpu_core::device::HEADER_WORDS + WORDS;

/// P and the tables, in the words of a schedule.
struct State<'a> {
    p: &'a mut [u32; P],
    s: &'a mut [[u32; S]],
}

impl State<'_> {
    /// The function F.
    fn f(&self, x: u32) -> u32 {
        let entry = |table: usize, byte: u8| {
            let table = self.s.get(table);
            table.map_or(0, |table| table[usize::from(byte)])
        };
        let [a, b, c, d] = x.to_be_bytes();
        (entry(0, a).wrapping_add(entry(1, b)) ^ entry(2, c)).wrapping_add(entry(3, d))
    }

    /// Encrypts a block.
    fn encrypt(&self, [mut left, mut right]: [u32; 2]) -> [u32; 2] {
        for pair in self.p[..16].as_chunks::<2>().0 {
            left ^= pair[0];
            right ^= self.f(left);
            right ^= pair[1];
            left ^= self.f(right);
        }
        [right ^ self.p[17], left ^ self.p[16]]
    }

    /// Mixes a key of at least one byte in, and replaces all by what zeroes encrypt to.
    fn expand(&mut self, key: &[u8]) {
        let mut bytes = key.iter().cycle();
        for word in self.p.iter_mut() {
            for shift in [24, 16, 8, 0] {
                *word ^= u32::from(*bytes.next().unwrap_or(&0)) << shift;
            }
        }
        let mut block = [0; 2];
        for at in 0..P / 2 {
            block = self.encrypt(block);
            self.p.as_chunks_mut::<2>().0[at] = block;
        }
        for table in 0..self.s.len() {
            for at in 0..S / 2 {
                block = self.encrypt(block);
                self.s[table].as_chunks_mut::<2>().0[at] = block;
            }
        }
    }
}

/// Expands a key.
pub(super) fn single(key: &[u8], words: &mut [u32]) -> Result<(), KeyError> {
    let error = KeyError { len: key.len() };
    if !KEYS.contains(key.len()) {
        return Err(error);
    }
    let (before, tables) = words.split_at_mut(TABLES.min(words.len()));
    let (p, padding) = before.split_first_chunk_mut::<P>().ok_or(error)?;
    let (s, _) = tables.as_chunks_mut::<S>();
    let (first, rest) = PI.split_at(P);
    p.copy_from_slice(first);
    padding.fill(0);
    for (to, from) in s.iter_mut().zip(rest.as_chunks::<S>().0) {
        *to = *from;
    }
    State { p, s }.expand(key);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_pi() {
        // As printed in the first and last lines of the reference implementation's tables.
        assert_eq!(
            PI[..4],
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]
        );
        assert_eq!(PI[P], 0xd131_0ba6);
        assert_eq!(PI[P + 4 * S - 2..], [0x578f_dfe3, 0x3ac3_72e6]);
    }
}
