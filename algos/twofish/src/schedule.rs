//! Twofish's key schedule (paper, section 4.3), with the key-dependent S-boxes and the MDS matrix
//! merged into four tables of 256 words: "full keying" (section 5.1), 4 KiB a key.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::field::{MDS, Q, rs};

/// Which permutation each byte of a word goes through, from the outermost of four stages to the
/// last (section 4.3.2, figure 2).
const STAGES: [[usize; 5]; 4] = [
    [1, 1, 0, 0, 1],
    [0, 1, 1, 0, 0],
    [0, 0, 0, 1, 1],
    [1, 0, 1, 1, 0],
];

/// Words of key that a key-dependent S-box mixes in, the innermost first; two to four.
type Words = [[u8; 4]];

/// A key, expanded.
#[derive(Clone)]
pub(crate) struct Schedule {
    /// The function g, byte by byte: the sum of one entry of each table.
    pub(crate) g: [[u32; 256]; 4],
    /// Whitening before the rounds.
    pub(crate) before: [u32; 4],
    /// Whitening after them.
    pub(crate) after: [u32; 4],
    /// Round keys.
    pub(crate) rounds: [[u32; 2]; 16],
}

impl Schedule {
    /// Expands a key of 16, 24 or 32 bytes; `None` for other lengths.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        match key.as_chunks::<8>() {
            (groups @ ([_, _] | [_, _, _] | [_, _, _, _]), []) => Some(Self::expand(groups)),
            _ => None,
        }
    }

    /// Expands a key of 32 bytes.
    pub(crate) fn of_256_bits(key: &[u8; 32]) -> Self {
        Self::expand(key.as_chunks::<8>().0)
    }

    /// Expands a key of two to four times 8 bytes.
    fn expand(groups: &[[u8; 8]]) -> Self {
        // One word of each kind for every 8 bytes of key.
        let (mut even, mut odd, mut s) = ([[0; 4]; 4], [[0; 4]; 4], [[0; 4]; 4]);
        let count = groups.len().min(4);
        for (at, group) in groups.iter().take(count).enumerate() {
            let [a, b, c, d, e, f, g, h] = *group;
            even[at] = [a, b, c, d];
            odd[at] = [e, f, g, h];
            // S goes in reverse order.
            s[count - 1 - at] = rs(group);
        }
        let mut schedule = Self::keyed(&even[..count], &odd[..count]);
        for (byte, (table, mds)) in schedule.g.iter_mut().zip(&MDS).enumerate() {
            for (x, entry) in (0..=u8::MAX).zip(table) {
                *entry = mds[usize::from(sbox(byte, x, &s[..count]))];
            }
        }
        even.zeroize();
        odd.zeroize();
        s.zeroize();
        schedule
    }

    /// The 40 subkeys (section 4.3.3).
    fn keyed(even: &Words, odd: &Words) -> Self {
        let mut schedule = Self {
            g: [[0; 256]; 4],
            before: [0; 4],
            after: [0; 4],
            rounds: [[0; 2]; 16],
        };
        let whitening = schedule.before.as_chunks_mut().0.iter_mut();
        let whitening = whitening.chain(schedule.after.as_chunks_mut().0);
        for (i, pair) in (0..).zip(whitening.chain(&mut schedule.rounds)) {
            let a = h(2 * i, even);
            let b = h(2 * i + 1, odd).rotate_left(8);
            let sum = a.wrapping_add(b);
            *pair = [sum, sum.wrapping_add(b).rotate_left(9)];
        }
        schedule
    }
}

/// A byte through a key-dependent S-box (section 4.3.2).
fn sbox(byte: usize, x: u8, words: &Words) -> u8 {
    let stages = &STAGES[byte];
    let mixed = words.iter().enumerate().rev().fold(x, |y, (stage, word)| {
        Q[stages[3 - stage]][usize::from(y)] ^ word[byte]
    });
    Q[stages[4]][usize::from(mixed)]
}

/// The function h of a word of four equal bytes.
fn h(x: u8, words: &Words) -> u32 {
    MDS.iter().enumerate().fold(0, |sum, (byte, mds)| {
        sum ^ mds[usize::from(sbox(byte, x, words))]
    })
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.g.zeroize();
        self.before.zeroize();
        self.after.zeroize();
        self.rounds.zeroize();
    }
}

impl ZeroizeOnDrop for Schedule {}
