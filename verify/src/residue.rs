//! Looking for secrets in plain bytes: at every byte's place, all patterns at once. Patterns are *masked*, the secret's
//! bytes under exclusive or with [`MASK`], so that whoever looks does not find what it looks for in itself.

use std::collections::BTreeMap;

/// What secrets are masked with.
pub const MASK: u8 = 0x5a;

/// Bits of the table that most places are dismissed by.
const BITS: u32 = 14;

/// What to look for.
#[derive(Debug)]
pub struct Search {
    patterns: Vec<(String, Vec<u8>)>,
    /// By a hash of four bytes: whether a pattern begins with them.
    begins: Vec<bool>,
}

fn hash(word: u32) -> usize {
    usize::try_from(word.wrapping_mul(0x9e37_79b1) >> (32 - BITS)).unwrap_or(0)
}

fn masked(four: [u8; 4]) -> u32 {
    u32::from_le_bytes(four) ^ u32::from_le_bytes([MASK; 4])
}

impl Search {
    /// Looks for these, masked, by their names. Patterns of fewer than four bytes are never found.
    #[must_use]
    pub fn new(patterns: BTreeMap<String, Vec<u8>>) -> Self {
        let mut begins = vec![false; 1 << BITS];
        for pattern in patterns.values() {
            if let Some(first) = pattern.first_chunk::<4>() {
                let word = u32::from_le_bytes(*first);
                if let Some(begin) = begins.get_mut(hash(word)) {
                    *begin = true;
                }
            }
        }
        Self {
            patterns: patterns.into_iter().collect(),
            begins,
        }
    }

    /// Bytes by which chunks must overlap, so that nothing between them is missed.
    #[must_use]
    pub fn overlap(&self) -> usize {
        let longest = self.patterns.iter().map(|(_, pattern)| pattern.len());
        longest.max().unwrap_or(1).saturating_sub(1)
    }

    /// Tells of each occurrence: the pattern's name, and where it begins. Not of those that begin in the last
    /// `overlap` bytes and go on behind them.
    pub fn each(&self, bytes: &[u8], mut found: impl FnMut(&str, usize)) {
        for (at, four) in bytes.windows(4).enumerate() {
            let &[a, b, c, d] = four else {
                return;
            };
            let word = masked([a, b, c, d]);
            if self.begins.get(hash(word)) != Some(&true) {
                continue;
            }
            for (name, pattern) in &self.patterns {
                let rest = bytes.get(at..).and_then(|rest| rest.get(..pattern.len()));
                let same = |rest: &[u8]| rest.iter().zip(pattern).all(|(a, b)| a ^ MASK == *b);
                if rest.is_some_and(same) {
                    found(name, at);
                }
            }
        }
    }
}

/// Masks bytes, or takes the mask off.
pub fn mask(bytes: &mut [u8]) {
    for byte in bytes {
        *byte ^= MASK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns() -> BTreeMap<String, Vec<u8>> {
        let noise = |seed: u8| (1..=16u8).map(move |n| n.wrapping_mul(seed) ^ 0xc3 ^ seed);
        (3..9)
            .map(|seed| (format!("p{seed}"), noise(seed).collect()))
            .collect()
    }

    fn hits(bytes: &[u8]) -> Vec<(String, usize)> {
        let mut hits = Vec::new();
        Search::new(patterns()).each(bytes, |name, at| hits.push((name.to_owned(), at)));
        hits
    }

    #[test]
    fn every_pattern_is_found_at_any_place_and_never_masked() {
        for (name, pattern) in patterns() {
            for at in [0, 1, 7, 13] {
                let mut bytes = vec![0xee; 48];
                bytes[at..at + 16].copy_from_slice(&pattern);
                mask(&mut bytes[at..at + 16]);
                assert_eq!(hits(&bytes), [(name.clone(), at)]);
                // Cut off at the end, it is none; nor one bit wrong.
                assert_eq!(hits(&bytes[..at + 15]), []);
                bytes[at + 9] ^= 4;
                assert_eq!(hits(&bytes), []);
            }
            assert_eq!(hits(&pattern), []);
        }
    }

    #[test]
    fn nothing_is_missed_between_chunks_that_overlap() {
        let search = Search::new(patterns());
        let mut bytes = [0; 64];
        let (name, pattern) = patterns().pop_last().unwrap();
        bytes[25..41].copy_from_slice(&pattern);
        mask(&mut bytes[25..41]);
        for cut in 1..64 {
            let mut found = 0;
            let back = cut - search.overlap().min(cut);
            for part in [&bytes[..cut], &bytes[back..]] {
                search.each(part, |what, _| found += usize::from(what == name));
            }
            assert_eq!(found, 1, "{cut}");
        }
    }
}
