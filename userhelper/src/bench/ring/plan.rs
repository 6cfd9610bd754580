//! The cases of a command line: algorithm, key, size, depth, workers.

use std::fmt;
use std::time::Duration;

use kgpu_core::abi::Op;
use kgpu_core::algorithm::Algorithm;
use kgpu_core::request::Shape;

use super::super::args::RingArgs;
use super::super::subject::{self, Subject, wrong};
use crate::engine::{LOOK, Tuning};
use crate::error::UserError;

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
    /// The request.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.subject().shape(self.size, 0)
    }

    /// A key, the same in each run.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        self.subject().key(0)
    }

    fn subject(&self) -> Subject {
        Subject {
            algorithm: self.algorithm,
            key_len: self.key_len,
            op: self.algorithm.ops().first().copied().unwrap_or(Op::Compute),
        }
    }

    /// Workers and polling.
    #[must_use]
    pub const fn tuning(&self) -> Tuning {
        Tuning {
            workers: self.workers,
            poll: self.poll,
            look: LOOK,
        }
    }
}

/// Every case, in the order of the command line.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn cases(args: &RingArgs) -> Result<Vec<Case>, UserError> {
    let chosen = if args.algorithms.is_empty() {
        kgpu_algos::all().iter().map(|a| (*a, None)).collect()
    } else {
        let named = args.algorithms.iter().map(|text| subject::named(text));
        named.collect::<Result<Vec<_>, _>>()?
    };
    let mut cases = Vec::new();
    for (algorithm, key_len) in chosen {
        let key_len = key_len.unwrap_or_else(|| subject::usual_key(algorithm));
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
