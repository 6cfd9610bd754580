//! Key expansion (FIPS 197, 5.2) to the words that the kernels read, on the host.
//!
//! # Timing
//!
//! Constant time in the key: SubWord is the bitsliced S-box, and the round keys' images are sums under masks.

use kgpu_core::cpu::KeyError;
use zeroize::Zeroize;

use crate::field::double;
use crate::layout;
use crate::mix::{MIX_KEYS, UNMIX_KEYS, unmix};
use crate::sbox::substitute;

// CAST: small constants.
const WORDS: usize = layout::WORDS as usize;
const FIRST: usize = layout::FIRST as usize;
const LAST: usize = layout::LAST as usize;
const ENCRYPT: usize = layout::ENCRYPT as usize;
const DECRYPT: usize = layout::DECRYPT as usize;
/// Words of round keys at most.
const EXPANDED: usize = 4 * (layout::ROUNDS_MAX as usize + 1);

/// SubWord.
fn sub_word(word: u32) -> u32 {
    let planes = substitute([0, 1, 2, 3, 4, 5, 6, 7].map(|i: u32| word >> i & 0x0101_0101));
    (0..8u32)
        .zip(planes)
        .fold(0, |word, (i, plane)| word | (plane & 0x0101_0101) << i)
}

/// The sum of the words of `table` at the bits of `word`.
pub(crate) fn image(table: &[u32; 32], word: u32) -> u32 {
    (0..32).zip(table).fold(0, |sum, (bit, entry)| {
        sum ^ (entry & 0u32.wrapping_sub(word >> bit & 1))
    })
}

/// InvMixColumns of a column.
fn unmix_column(word: u32) -> u32 {
    let planes = core::array::from_fn(|p: usize| word >> p & 1);
    let zero = |_| [0; 4];
    (0..32u32)
        .zip(unmix(&planes, zero))
        .fold(0, |word, (p, plane)| word | (plane & 1) << p)
}

/// The round keys of a key of `words` words, first those of round 0.
fn expand(key: &[u8], round_keys: &mut [u32; EXPANDED]) {
    let words = key.len() / 4;
    for (word, bytes) in round_keys.iter_mut().zip(key.chunks_exact(4)) {
        *word = bytes
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    let mut constant = 1;
    for i in words..4 * (words + 7) {
        let mut word = round_keys[i - 1];
        if i % words == 0 {
            // RotWord of a little-endian word turns it the other way.
            word = sub_word(word.rotate_right(8)) ^ u32::from(constant);
            constant = double(constant);
        } else if words > 6 && i % words == 4 {
            word = sub_word(word);
        }
        round_keys[i] = round_keys[i - words] ^ word;
    }
}

/// Expands a key of 16, 24 or 32 bytes to the [`WORDS`] words of a schedule.
///
/// # Errors
/// [`KeyError`] for other lengths.
pub fn schedule(key: &[u8], words: &mut [u32]) -> Result<(), KeyError> {
    let (16 | 24 | 32, WORDS) = (key.len(), words.len()) else {
        return Err(KeyError { len: key.len() });
    };
    let rounds = key.len() / 4 + 6;
    let mut keys = [0; EXPANDED];
    expand(key, &mut keys);
    words.fill(0);
    words[0] = u32::try_from(rounds).unwrap_or(0);
    words[FIRST..FIRST + 4].copy_from_slice(&keys[..4]);
    words[LAST..LAST + 4].copy_from_slice(&keys[4 * rounds..4 * rounds + 4]);
    for round in 1..rounds {
        for column in 0..4 {
            let at = 4 * (round - 1) + column;
            words[ENCRYPT + at] = image(&MIX_KEYS, keys[4 * round + column]);
            let key = unmix_column(keys[4 * (rounds - round) + column]);
            words[DECRYPT + at] = image(&UNMIX_KEYS, key);
        }
    }
    keys.zeroize();
    Ok(())
}

/// The schedules of a pair of keys of 16, 24 or 32 bytes each, one behind the other: XTS.
///
/// # Errors
/// [`KeyError`] for other lengths.
pub fn pair(keys: &[u8], words: &mut [u32]) -> Result<(), KeyError> {
    let (data, tweak) = keys.split_at(keys.len() / 2);
    if data.len() != tweak.len() || words.len() != 2 * WORDS {
        return Err(KeyError { len: keys.len() });
    }
    let (first, second) = words.split_at_mut(WORDS);
    schedule(data, first)?;
    schedule(tweak, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_word(key: &[u8]) -> u32 {
        let mut keys = [0; EXPANDED];
        expand(key, &mut keys);
        keys[4 * (key.len() / 4 + 7) - 1].swap_bytes()
    }

    /// The last words of the examples of FIPS 197, appendix A.
    #[test]
    fn expands_as_published() {
        let key = [
            0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf,
            0x4f, 0x3c,
        ];
        assert_eq!(last_word(&key), 0xb663_0ca6);
        let key = [
            0x8e, 0x73, 0xb0, 0xf7, 0xda, 0x0e, 0x64, 0x52, 0xc8, 0x10, 0xf3, 0x2b, 0x80, 0x90,
            0x79, 0xe5, 0x62, 0xf8, 0xea, 0xd2, 0x52, 0x2c, 0x6b, 0x7b,
        ];
        assert_eq!(last_word(&key), 0x0100_2202);
        let key = [
            0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d,
            0x77, 0x81, 0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d, 0x98, 0x10, 0xa3,
            0x09, 0x14, 0xdf, 0xf4,
        ];
        assert_eq!(last_word(&key), 0x706c_631e);
    }

    #[test]
    fn takes_the_three_key_lengths_only() {
        for len in 0..70 {
            let key = [7; 70];
            let mut words = [0; 2 * WORDS];
            let single = schedule(&key[..len], &mut words[..WORDS]);
            assert_eq!(single.is_ok(), matches!(len, 16 | 24 | 32), "{len}");
            let both = pair(&key[..len], &mut words);
            assert_eq!(both.is_ok(), matches!(len, 32 | 48 | 64), "{len}");
        }
    }
}
