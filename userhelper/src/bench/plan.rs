//! The cases of a command line: algorithm, key, size, depth, workers.

use std::fmt;
use std::time::Duration;

use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::{Algorithm, Mode};
use kgpu_core::request::Shape;

use crate::cli::BenchArgs;
use crate::engine::Tuning;
use crate::error::UserError;

/// Data unit of modes that have an IV per unit: a sector.
const SECTOR: u32 = 4096;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// Bytes of the key.
    pub key_len: usize,
    /// Bytes of a request.
    pub size: u32,
    /// Requests in flight.
    pub depth: u32,
    /// Threads that compute.
    pub workers: usize,
    /// How long idle threads poll.
    pub poll: Duration,
    /// Most bytes of a tile.
    pub tile_bytes: u32,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} bit, {} B, depth {}, {} workers",
            self.algorithm.name,
            self.key_len * 8,
            self.size,
            self.depth,
            self.workers
        )
    }
}

impl Case {
    /// The request: sectors with counted IVs, or one unit for counter mode.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let algorithm = self.algorithm;
        let sectors = !matches!(algorithm.mode, Mode::Ctr) && self.size.is_multiple_of(SECTOR);
        let counted = algorithm.steps(IvStep::Le64) && sectors;
        Shape {
            op: algorithm.ops().first().copied().unwrap_or(Op::Compute),
            len: self.size,
            data_unit_size: if sectors { SECTOR } else { self.size },
            iv: [0; 16],
            iv_step: if counted { IvStep::Le64 } else { IvStep::None },
        }
    }

    /// A key, the same in each run.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        (0u8..=255)
            .cycle()
            .skip(1)
            .step_by(7)
            .take(self.key_len)
            .collect()
    }

    /// Workers and polling.
    #[must_use]
    pub const fn tuning(&self) -> Tuning {
        Tuning {
            workers: self.workers,
            poll: self.poll,
        }
    }
}

fn wrong(what: String, next: &str) -> UserError {
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

/// The shortest key of at least 128 bits, or the longest there is.
fn usual_key(algorithm: &Algorithm) -> usize {
    let sizes = algorithm.key_sizes;
    sizes
        .iter()
        .find(|len| *len >= 16)
        .unwrap_or(usize::from(sizes.max))
}

/// An algorithm and the bytes of its key, from `name` or `name:bits`.
fn algorithm(text: &str) -> Result<(&'static Algorithm, usize), UserError> {
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
        return Ok((algorithm, usual_key(algorithm)));
    };
    let len = bits
        .trim()
        .parse::<usize>()
        .ok()
        .filter(|bits| bits % 8 == 0);
    match len.map(|bits: usize| bits / 8) {
        Some(len) if algorithm.has_key() && algorithm.key_sizes.contains(len) => {
            Ok((algorithm, len))
        }
        _ => Err(wrong(
            format!("{name} has no key of {bits} bits"),
            "`kgpu list` shows the key bits of each algorithm",
        )),
    }
}

/// Every case, in the order of the command line.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn cases(args: &BenchArgs) -> Result<Vec<Case>, UserError> {
    let chosen = if args.algorithms.is_empty() {
        let all = kgpu_algos::all().iter();
        all.map(|algorithm| (*algorithm, usual_key(algorithm)))
            .collect()
    } else {
        let named = args.algorithms.iter().map(|text| algorithm(text));
        named.collect::<Result<Vec<_>, _>>()?
    };
    let mut cases = Vec::new();
    for (algorithm, key_len) in chosen {
        for &size in &args.sizes {
            for &depth in &args.depths {
                for &workers in &args.workers {
                    let case = Case {
                        algorithm,
                        key_len,
                        size,
                        depth,
                        workers,
                        poll: Duration::from_micros(args.poll_us),
                        tile_bytes: args.tile_kib << 10,
                    };
                    case.shape().check(algorithm).map_err(|error| {
                        wrong(
                            format!("{case}: {error}"),
                            "choose --sizes that are whole blocks of the algorithm",
                        )
                    })?;
                    cases.push(case);
                }
            }
        }
    }
    Ok(cases)
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
        assert_eq!(algorithm("ctr(aes):256").unwrap().1, 32);
        assert_eq!(algorithm("ctr(aes)").unwrap().1, 16);
        assert_eq!(algorithm("xts-twofish-kgpu").unwrap().1, 32);
        assert_eq!(algorithm("crc32c").unwrap().1, 0);
        for wrong in ["ctr(rot13)", "ctr(aes):129", "ctr(aes):512", "crc32c:128"] {
            let error = algorithm(wrong).unwrap_err();
            assert_eq!(error.code, 2);
            assert!(error.next.contains("kgpu list"));
        }
    }
}
