//! Kernels on the host: batches of requests under several keys, laid out as a backend would for the
//! GPU, run by each kernel's host compilation and compared with the CPU path. No algorithm is named,
//! and nothing here is for speed.
//!
//! What this cannot show: barriers, instructions written out in assembly, and what the compiler makes of
//! the rest for the GPU.

mod arena;
mod batch;
mod launch;
#[cfg(feature = "proptest")]
mod random;
mod runner;

pub use batch::{Batch, Request};
#[cfg(feature = "proptest")]
pub use random::batches;
pub use runner::HostKernels;

use kgpu_core::abi::Op;
use kgpu_core::algorithm::Algorithm;
use kgpu_core::device::{Code, Entry};

use crate::Failure;
use crate::failure::same;
use crate::vectors::Vector;

/// The device side of an algorithm, its kernels of the batch's operation.
fn entries(algorithm: &Algorithm, op: Op) -> Result<(&'static Code, Vec<&'static Entry>), Failure> {
    let none = || Failure::Impossible(format!("{} has no kernel to {op}", algorithm.name));
    let code = algorithm.device.ok_or_else(none)?;
    let entries: Vec<_> = code.entries.iter().filter(|entry| entry.op == op).collect();
    if entries.is_empty() {
        return Err(none());
    }
    Ok((code, entries))
}

/// Runs a batch on every kernel of its operation, and compares with the CPU path.
///
/// # Errors
/// The first that differs, or what cannot be run.
pub fn check(batch: &Batch) -> Result<(), Failure> {
    let expected = batch.expected()?;
    let (code, entries) = entries(batch.algorithm, batch.op)?;
    for entry in entries {
        let got = launch::run(batch, code, entry)?;
        for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let what = || format!("{}: request {index} of {batch:?}", entry.name);
            match (got, expected) {
                (Some(got), Some(expected)) => same(what, got, expected)?,
                (None, None) => {}
                _ => return Err(Failure::Impossible(what())),
            }
        }
    }
    Ok(())
}

/// Checks the known answers of a descriptor on every kernel, and how many answers there are.
///
/// # Errors
/// What is wrong first.
pub fn check_known_answers(algorithm: &'static Algorithm) -> Result<usize, Failure> {
    for answer in algorithm.known_answers {
        let vector = Vector::of(algorithm, answer);
        for &op in algorithm.ops() {
            let (input, expected) = match op {
                Op::Encrypt | Op::Compute => (&vector.input, &vector.output),
                Op::Decrypt => (&vector.output, &vector.input),
            };
            let batch = Batch {
                keys: vec![vector.key.clone()],
                requests: vec![Request::new(0, vector.shape(op)?, input.clone())],
                ..Batch::new(algorithm, op)
            };
            let (code, entries) = entries(algorithm, op)?;
            for entry in entries {
                let got = launch::run(&batch, code, entry)?;
                let what = || format!("{}: {}", entry.name, vector.name);
                same(
                    what,
                    &got.into_iter().flatten().flatten().collect::<Vec<_>>(),
                    expected,
                )?;
            }
        }
    }
    Ok(algorithm.known_answers.len())
}
