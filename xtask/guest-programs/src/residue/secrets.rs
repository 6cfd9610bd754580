//! The known secrets, masked: every byte here is the secret's under exclusive or with `MASK`. Whoever uses one
//! unmasks it where it is cleared; whoever looks for one compares masked bytes.

use std::collections::BTreeMap;

#[cfg(test)]
use kgpu_verify::residue::MASK;

/// Keys that there are.
pub const KEYS: u64 = 4;
/// Longest key.
pub const KEY_BYTES: usize = 64;
/// Bytes of a pattern: no 16 bytes of keys, schedules and plaintext occur by chance.
pub const PATTERN: usize = 16;

/// The last round key of AES with the first 32 bytes of key 0 (FIPS 197, section 5.2), which the schedules of
/// both directions contain; masked.
const AES_LAST: [u8; PATTERN] = [
    0xc0, 0x78, 0xc0, 0x2c, 0x17, 0x44, 0xdf, 0x96, 0x3b, 0x5e, 0x68, 0x70, 0x4c, 0xe8, 0xc6, 0x7c,
];
/// The whitening words of Twofish with the first 32 bytes of key 0, K0 to K3, little-endian; masked.
const TWOFISH_WHITENING: [u8; PATTERN] = [
    0xba, 0x9d, 0xb0, 0x71, 0x9d, 0x93, 0x03, 0x24, 0xa9, 0x03, 0xf9, 0xdd, 0x14, 0xaf, 0xe8, 0x4c,
];

/// Bytes that look random and are the same each time.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[1]
    };
    std::iter::repeat_with(next).skip(16)
}

/// A key, masked.
pub fn key(number: u64) -> impl Iterator<Item = u8> {
    noise(number).take(KEY_BYTES)
}

/// The plaintext, masked: one pattern again and again.
pub fn plaintext() -> impl Iterator<Item = u8> {
    let pattern: Vec<u8> = noise(KEYS).take(PATTERN).collect();
    pattern.into_iter().cycle()
}

/// All patterns by name, masked.
pub fn all() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for number in 0..KEYS {
        // Each half of a key of 32 bytes, and the second key of one of 64.
        for (part, from) in [("low", 0), ("high", 16), ("tweak", 32)] {
            let bytes = key(number).skip(from).take(PATTERN).collect();
            all.insert(format!("key{number}-{part}"), bytes);
        }
    }
    all.insert("aes-schedule".into(), AES_LAST.to_vec());
    all.insert("twofish-schedule".into(), TWOFISH_WHITENING.to_vec());
    all.insert("plaintext".into(), plaintext().take(PATTERN).collect());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmasked(masked: impl Iterator<Item = u8>) -> Vec<u8> {
        masked.map(|byte| byte ^ MASK).collect()
    }

    fn masked(bytes: &[u8]) -> Vec<u8> {
        unmasked(bytes.iter().copied())
    }

    #[test]
    fn patterns_are_all_different_and_none_is_plain() {
        let all = all();
        assert_eq!(all.len(), 4 * 3 + 3);
        let different: std::collections::BTreeSet<_> = all.values().collect();
        assert_eq!(different.len(), all.len());
        assert!(all.values().all(|pattern| pattern.len() == PATTERN));
        assert!(
            all.values()
                .all(|pattern| pattern.iter().any(|byte| *byte != 0))
        );
    }

    /// The device's schedule has the whitening words as they are.
    #[test]
    fn the_twofish_pattern_is_of_the_schedule() {
        let twofish = kgpu_algos::by_name("ecb(twofish)").unwrap();
        let code = twofish.device.unwrap();
        let mut words = vec![0; code.schedule_words - kgpu_core::device::HEADER_WORDS];
        (code.schedule)(&unmasked(key(0).take(32)), &mut words).unwrap();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let wanted = unmasked(TWOFISH_WHITENING.into_iter());
        assert!(bytes.windows(PATTERN).any(|window| window == wanted));
    }

    /// One block under the whole schedule: a wrong expansion here would not be AES.
    #[test]
    fn the_aes_pattern_is_of_the_schedule() {
        let key = unmasked(key(0).take(32));
        let words = aes_schedule(&key);
        let last: Vec<u8> = words.iter().skip(56).flatten().copied().collect();
        assert_eq!(masked(&last), AES_LAST);
        // FIPS 197, appendix A.3.
        let key: Vec<u8> = [
            0x603d_eb10u32,
            0x15ca_71be,
            0x2b73_aef0,
            0x857d_7781,
            0x1f35_2c07,
            0x3b61_08d7,
            0x2d98_10a3,
            0x0914_dff4,
        ]
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .collect();
        assert_eq!(aes_schedule(&key)[59], 0x706c_631eu32.to_be_bytes());
    }

    /// FIPS 197, section 5.2, for keys of 256 bits.
    fn aes_schedule(key: &[u8]) -> Vec<[u8; 4]> {
        let double = |byte: u8| (byte << 1) ^ if byte & 0x80 == 0 { 0 } else { 0x1b };
        let product = |mut a: u8, mut b: u8| {
            let mut sum = 0;
            while b != 0 {
                if b & 1 == 1 {
                    sum ^= a;
                }
                a = double(a);
                b >>= 1;
            }
            sum
        };
        let sub = |byte: u8| {
            let inverse = (1..=255)
                .find(|other| product(byte, *other) == 1)
                .unwrap_or(0);
            (0..5).fold(0x63, |sum, n| sum ^ inverse.rotate_left(n))
        };
        let mut words: Vec<[u8; 4]> = key.as_chunks::<4>().0.to_vec();
        let mut constant = 1;
        while words.len() < 60 {
            let n = words.len();
            let mut word = words[n - 1];
            if n.is_multiple_of(8) {
                word = [word[1], word[2], word[3], word[0]].map(sub);
                word[0] ^= constant;
                constant = double(constant);
            } else if n % 8 == 4 {
                word = word.map(sub);
            }
            let before = words[n - 8];
            words.push(std::array::from_fn(|i| word[i] ^ before[i]));
        }
        words
    }
}
