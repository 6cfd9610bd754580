//! What an implementation of Serpent's S-boxes offers, and the S-boxes themselves, which the tests of
//! every implementation compare with.

/// A block as four words, the first holding its first four bytes, little-endian. To an S-box: 32
/// nibbles side by side, bit `i` of each in word `i`.
pub type Words = [u32; 4];

/// The S-boxes (proposal, appendix A.5) as circuits over whole words: what each does to the nibbles
/// side by side. No tables, no branches, no panics.
pub trait Substitution {
    /// S-box 0.
    fn s0(x: Words) -> Words;
    /// S-box 1.
    fn s1(x: Words) -> Words;
    /// S-box 2.
    fn s2(x: Words) -> Words;
    /// S-box 3.
    fn s3(x: Words) -> Words;
    /// S-box 4.
    fn s4(x: Words) -> Words;
    /// S-box 5.
    fn s5(x: Words) -> Words;
    /// S-box 6.
    fn s6(x: Words) -> Words;
    /// S-box 7.
    fn s7(x: Words) -> Words;
    /// The inverse of S-box 0.
    fn i0(x: Words) -> Words;
    /// The inverse of S-box 1.
    fn i1(x: Words) -> Words;
    /// The inverse of S-box 2.
    fn i2(x: Words) -> Words;
    /// The inverse of S-box 3.
    fn i3(x: Words) -> Words;
    /// The inverse of S-box 4.
    fn i4(x: Words) -> Words;
    /// The inverse of S-box 5.
    fn i5(x: Words) -> Words;
    /// The inverse of S-box 6.
    fn i6(x: Words) -> Words;
    /// The inverse of S-box 7.
    fn i7(x: Words) -> Words;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Substitution, Words};

    /// The S-boxes as published.
    const BOXES: [[u8; 16]; 8] = [
        [3, 8, 15, 1, 10, 6, 5, 11, 14, 13, 4, 2, 7, 0, 9, 12],
        [15, 12, 2, 7, 9, 0, 5, 10, 1, 11, 14, 8, 6, 13, 3, 4],
        [8, 6, 7, 9, 3, 12, 10, 15, 13, 1, 14, 4, 0, 11, 5, 2],
        [0, 15, 11, 8, 12, 9, 6, 3, 13, 1, 2, 4, 10, 7, 5, 14],
        [1, 15, 8, 3, 12, 0, 11, 6, 2, 5, 4, 10, 9, 14, 7, 13],
        [15, 5, 2, 11, 4, 10, 9, 12, 0, 3, 14, 8, 13, 6, 7, 1],
        [7, 2, 12, 5, 8, 4, 6, 11, 14, 9, 1, 15, 13, 3, 10, 0],
        [1, 13, 15, 0, 14, 8, 2, 11, 7, 4, 12, 10, 9, 3, 5, 6],
    ];

    /// Nibble `at` of each word's bits.
    fn nibble(words: Words, at: u32) -> u8 {
        let bit = |word: u32| u8::from(word >> at & 1 == 1);
        bit(words[0]) | bit(words[1]) << 1 | bit(words[2]) << 2 | bit(words[3]) << 3
    }

    /// Every input of every S-box, forth and back, in both halves of the word.
    pub(crate) fn are_as_published<S: Substitution>() {
        // Nibble n of this is n mod 16.
        let all = [0xaaaa_aaaa, 0xcccc_cccc, 0xf0f0_f0f0, 0xff00_ff00];
        let forward = [S::s0, S::s1, S::s2, S::s3, S::s4, S::s5, S::s6, S::s7];
        let inverse = [S::i0, S::i1, S::i2, S::i3, S::i4, S::i5, S::i6, S::i7];
        for (number, table) in BOXES.iter().enumerate() {
            for at in 0..32 {
                let x = nibble(all, at);
                let y = table[usize::from(x)];
                assert_eq!(nibble(forward[number](all), at), y, "S{number}({x})");
                let back = inverse[number](forward[number](all));
                assert_eq!(nibble(back, at), x, "inverse of S{number}({y})");
            }
        }
    }
}
