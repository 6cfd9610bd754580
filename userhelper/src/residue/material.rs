//! The known secrets, and the patterns by which they are found, which are the same in every process. The keys are
//! nobody's.

use std::collections::BTreeMap;

use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::cpu::{Data, KeyError, Work};
use kgpu_core::device::HEADER_WORDS;
use kgpu_core::request::Shape;
use kgpu_verify::residue;

/// Bytes of a pattern: no 16 bytes of a secret occur by chance.
pub const PATTERN: usize = 16;
/// Bytes of a request.
pub const REQUEST: u32 = 1 << 20;
/// Bytes of a data unit.
const UNIT: u32 = 4096;
/// The name of the marker's pattern.
pub const MARKER: &str = "marker";
/// The name of the pattern that a scan hides for itself, to prove that it finds what there is.
pub const PROOF: &str = "proof";
/// What is computed: schedules of several layouts, and two modes.
const ALGORITHMS: [&str; 3] = ["xts(twofish)", "cbc(aes)", "ecb(serpent)"];

/// Bytes that look random and are the same each time.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [_, byte, ..] = state.to_be_bytes();
        byte
    };
    std::iter::repeat_with(next).skip(16).take(len).collect()
}

/// A known key of an algorithm.
#[derive(Clone)]
pub struct Secret {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// The key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Secret {
    /// Prints no key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret")
            .field("algorithm", &self.algorithm.name)
            .finish_non_exhaustive()
    }
}

/// The known keys.
#[must_use]
pub fn secrets() -> Vec<Secret> {
    let found = ALGORITHMS
        .iter()
        .filter_map(|name| kgpu_algos::by_name(name));
    (0..)
        .zip(found)
        .map(|(seed, algorithm)| {
            let len = algorithm.key_sizes.iter().last().unwrap_or(0);
            Secret {
                algorithm,
                key: noise(seed, len),
            }
        })
        .collect()
}

/// The known plaintext: one pattern again and again.
#[must_use]
pub fn plaintext(len: usize) -> Vec<u8> {
    noise(100, PATTERN).into_iter().cycle().take(len).collect()
}

/// What is done with so many bytes of it.
#[must_use]
pub const fn shape(len: u32) -> Shape {
    Shape {
        op: Op::Encrypt,
        len,
        data_unit_size: UNIT,
        iv: [0; 16],
        iv_step: IvStep::None,
    }
}

/// The marker, unmasked.
#[must_use]
pub fn marker() -> Vec<u8> {
    noise(101, PATTERN)
}

/// What a scan hides for itself, unmasked.
#[must_use]
pub fn proof() -> Vec<u8> {
    noise(102, PATTERN)
}

/// The first bytes of the ciphertext.
fn ciphertext(secret: &Secret) -> Result<Vec<u8>, KeyError> {
    let Shape {
        op,
        data_unit_size,
        iv,
        iv_step,
        ..
    } = shape(UNIT);
    let work = Work {
        op,
        data_unit_size,
        iv_step,
        iv,
        first_block: 0,
    };
    let mut unit = plaintext(kgpu_core::num::index(u64::from(UNIT)));
    let wrong = KeyError {
        len: secret.key.len(),
    };
    (secret.algorithm.cpu)(&secret.key)?
        .run(&work, Data::InPlace(&mut unit))
        .map_err(|_| wrong)?;
    unit.truncate(PATTERN);
    Ok(unit)
}

/// A window of a schedule that is no window of the key.
fn schedule(secret: &Secret) -> Result<Option<Vec<u8>>, KeyError> {
    let Some(code) = secret.algorithm.device else {
        return Ok(None);
    };
    let mut words = vec![0; code.schedule_words.saturating_sub(HEADER_WORDS)];
    (code.schedule)(&secret.key, &mut words)?;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    // In cells, from the middle on, where no schedule has the key itself.
    let half = bytes.len() / 2 / PATTERN * PATTERN;
    let mut windows = bytes.get(half..).unwrap_or_default().chunks_exact(PATTERN);
    let telling = windows.find(|window| {
        let different: std::collections::BTreeSet<_> = window.iter().collect();
        different.len() >= 8
    });
    Ok(telling.map(<[u8]>::to_vec))
}

/// All patterns by name, masked.
///
/// # Errors
/// [`KeyError`]: an algorithm does not take its key.
pub fn patterns() -> Result<BTreeMap<String, Vec<u8>>, KeyError> {
    let mut all = BTreeMap::from([
        ("plaintext".into(), plaintext(PATTERN)),
        (MARKER.into(), marker()),
        (PROOF.into(), proof()),
    ]);
    for secret in secrets() {
        let name = secret.algorithm.name;
        let raw = secret.key.get(..PATTERN).unwrap_or_default().to_vec();
        all.insert(format!("{name}:key"), raw);
        all.insert(format!("{name}:ciphertext"), ciphertext(&secret)?);
        if let Some(window) = schedule(&secret)? {
            all.insert(format!("{name}:schedule"), window);
        }
    }
    for pattern in all.values_mut() {
        residue::mask(pattern);
    }
    Ok(all)
}

/// Whether finding a pattern means that a secret was left behind.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    name != MARKER && name != PROOF && !name.ends_with(":ciphertext")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_has_its_patterns_and_they_differ() {
        let all = patterns().unwrap();
        assert_eq!(all.len(), 3 + 3 * ALGORITHMS.len());
        let different: std::collections::BTreeSet<_> = all.values().collect();
        assert_eq!(different.len(), all.len());
        assert!(all.values().all(|pattern| pattern.len() == PATTERN));
        assert_eq!(all.keys().filter(|name| is_secret(name)).count(), 7);
        assert!(!format!("{:?}", secrets()).contains("key"));
    }
}
