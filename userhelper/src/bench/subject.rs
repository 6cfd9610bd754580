//! What is measured: an algorithm, a key size and an operation, and how the command line names them.

use std::fmt;

use clap::ValueEnum;
use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX, Mode};
use kgpu_core::request::Shape;

use super::args::SubjectArgs;
use crate::error::UserError;

/// Data unit of modes that have an IV per unit: a sector.
pub const SECTOR: u32 = 4096;

/// Which keys of an algorithm that is named without key bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// The shortest of at least 128 bits.
    Short,
    /// The longest.
    Long,
    /// Both.
    Both,
}

/// Which operations of a cipher. Services have but one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Encryption.
    Encrypt,
    /// Decryption.
    Decrypt,
}

/// An algorithm, a key size and an operation.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// Bytes of the key.
    pub key_len: usize,
    /// The operation.
    pub op: Op,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} bit {}",
            self.algorithm.name,
            self.key_len * 8,
            self.op
        )
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        let parts = |s: &Self| (s.algorithm.id, s.key_len, s.op);
        parts(self) == parts(other)
    }
}

impl Subject {
    /// A request of `size` bytes: sectors with counted IVs, or one unit for counter mode and for
    /// sizes that are not whole sectors. `number` tells requests of different IVs apart.
    #[must_use]
    pub fn shape(&self, size: u32, number: u64) -> Shape {
        let sectors = !matches!(self.algorithm.mode, Mode::Ctr) && size.is_multiple_of(SECTOR);
        let counted = self.algorithm.steps(IvStep::Le64) && sectors;
        let mut iv = [0; IV_BYTES_MAX];
        // As dm-crypt's plain64: the number of the request's first sector, little-endian.
        let first = number * u64::from(size.div_ceil(SECTOR));
        let used = self.algorithm.iv_size().min(8);
        for (to, from) in iv.iter_mut().take(used).zip(first.to_le_bytes()) {
            *to = from;
        }
        Shape {
            op: self.op,
            len: size,
            data_unit_size: if sectors { SECTOR } else { size },
            iv,
            iv_step: if counted { IvStep::Le64 } else { IvStep::None },
        }
    }

    /// Key number `number`, the same in each run.
    #[must_use]
    pub fn key(&self, number: u64) -> Vec<u8> {
        key(self.key_len, number)
    }
}

/// Key number `number` of a length, the same in each run.
#[must_use]
pub fn key(len: usize, number: u64) -> Vec<u8> {
    let pattern = (0u8..=255).cycle().skip(1).step_by(7);
    let number = number.to_le_bytes();
    let numbers = number.iter().chain(std::iter::repeat(&0));
    pattern.zip(numbers).map(|(a, b)| a ^ b).take(len).collect()
}

/// The shortest key of at least 128 bits (of which XTS has two), or the longest there is.
#[must_use]
pub fn usual_key(algorithm: &Algorithm) -> usize {
    let sizes = algorithm.key_sizes;
    let least = match algorithm.mode {
        Mode::Xts => 32,
        _ => 16,
    };
    sizes
        .iter()
        .find(|len| *len >= least)
        .unwrap_or(usize::from(sizes.max))
}

/// Every subject of a command line, in its order; the registry's where it names none.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn subjects(args: &SubjectArgs) -> Result<Vec<Subject>, UserError> {
    let mut named = Vec::new();
    if args.algorithms.is_empty() {
        named.extend(kgpu_algos::all().iter().map(|algorithm| (*algorithm, None)));
    }
    for text in &args.algorithms {
        named.push(self::named(text)?);
    }
    let mut subjects: Vec<Subject> = Vec::new();
    for (algorithm, key_len) in named {
        let (short, long) = (usual_key(algorithm), usize::from(algorithm.key_sizes.max));
        let keys = match (key_len, args.keys) {
            (Some(len), _) => vec![len],
            (None, Keys::Short) => vec![short],
            (None, Keys::Long) => vec![long],
            (None, Keys::Both) => vec![short, long],
        };
        for key_len in keys {
            let ops = algorithm.ops().iter().copied();
            let ops = ops.filter(|op| match op {
                Op::Encrypt => args.ops.contains(&Way::Encrypt),
                Op::Decrypt => args.ops.contains(&Way::Decrypt),
                Op::Compute => true,
            });
            let new = ops.map(|op| Subject {
                algorithm,
                key_len,
                op,
            });
            for subject in new {
                if !subjects.contains(&subject) {
                    subjects.push(subject);
                }
            }
        }
    }
    Ok(subjects)
}

/// An error of the command line.
#[must_use]
pub fn wrong(what: String, next: &str) -> UserError {
    UserError {
        what,
        next: next.into(),
        code: 2,
    }
}

/// Parses a size: bytes, or with `k` (KiB) or `m` (MiB).
///
/// # Errors
/// What is wrong with it.
pub fn size(text: &str) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, unit) = match lower.strip_suffix(['k', 'm']) {
        Some(digits) if lower.ends_with('k') => (digits, 1 << 10),
        Some(digits) => (digits, 1 << 20),
        None => (lower.as_str(), 1),
    };
    let number: u32 = digits.parse().map_err(|_| "not a size".to_owned())?;
    match number.checked_mul(unit) {
        Some(bytes) if (1..=64 << 20).contains(&bytes) => Ok(bytes),
        _ => Err("must be from 1 byte to 64m".into()),
    }
}

/// An algorithm and the bytes of its key if they are told, from `name` or `name:bits`.
///
/// # Errors
/// [`UserError`], when there is no such algorithm or key.
pub fn named(text: &str) -> Result<(&'static Algorithm, Option<usize>), UserError> {
    let (name, bits) = match text.split_once(':') {
        Some((name, bits)) => (name, Some(bits)),
        None => (text, None),
    };
    let algorithm = kgpu_algos::by_name(name.trim()).ok_or_else(|| {
        wrong(
            format!("there is no algorithm `{name}`"),
            "`kgpu list` shows the names",
        )
    })?;
    let Some(bits) = bits else {
        return Ok((algorithm, None));
    };
    let len = bits
        .trim()
        .parse::<usize>()
        .ok()
        .filter(|bits| bits % 8 == 0);
    match len.map(|bits: usize| bits / 8) {
        Some(len) if algorithm.has_key() && algorithm.key_sizes.contains(len) => {
            Ok((algorithm, Some(len)))
        }
        _ => Err(wrong(
            format!("{name} has no key of {bits} bits"),
            "`kgpu list` shows the key bits of each algorithm",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("64k"), Ok(64 << 10));
        assert_eq!(size("64M"), Ok(64 << 20));
        for wrong in ["", "k", "-1", "0", "65m", "1g", "4096m", "1.5k"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn algorithms_may_name_key_bits() {
        assert_eq!(named("ctr(aes):256").unwrap().1, Some(32));
        let usual = |text| usual_key(named(text).unwrap().0);
        assert_eq!(usual("ctr(aes)"), 16);
        assert_eq!(usual("xts-twofish-kgpu"), 32);
        assert_eq!(usual("xts(serpent)"), 32);
        assert_eq!(usual("crc32c"), 0);
        for wrong in ["ctr(rot13)", "ctr(aes):129", "ctr(aes):512", "crc32c:128"] {
            let error = named(wrong).unwrap_err();
            assert_eq!(error.code, 2);
            assert!(error.next.contains("kgpu list"));
        }
    }

    #[test]
    fn the_command_line_chooses_keys_and_operations() {
        let chosen = |names: &[&str], keys, ops: &[Way]| {
            let algorithms = names.iter().map(|name| (*name).to_owned()).collect();
            let args = SubjectArgs {
                algorithms,
                keys,
                ops: ops.to_vec(),
            };
            subjects(&args).unwrap()
        };
        let both = [Way::Encrypt, Way::Decrypt];
        let all = chosen(&[], Keys::Short, &both);
        let ops: usize = kgpu_algos::all().iter().map(|a| a.ops().len()).sum();
        assert_eq!(all.len(), ops);
        let aes = chosen(&["ctr(aes)", "ctr(aes):128"], Keys::Both, &both[1..]);
        let lens: Vec<usize> = aes.iter().map(|subject| subject.key_len).collect();
        assert_eq!(lens, [16, 32]);
        assert!(aes.iter().all(|subject| subject.op == Op::Decrypt));
    }

    #[test]
    fn numbers_make_other_keys_and_ivs() {
        let (algorithm, _) = named("xts(twofish)").unwrap();
        let subject = Subject {
            algorithm,
            key_len: 64,
            op: Op::Encrypt,
        };
        assert_ne!(subject.key(0), subject.key(1));
        assert_eq!(subject.key(3).len(), 64);
        assert_eq!(subject.shape(8192, 3).iv[0], 6);
        assert_eq!(subject.shape(512, 3).iv[0], 3);
        for size in [512, 4096, 1 << 20] {
            assert_eq!(subject.shape(size, 5).check(algorithm), Ok(()));
        }
    }
}
