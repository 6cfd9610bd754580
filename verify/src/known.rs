//! Known answers and vectors against the CPU path: both directions, in place and apart, whole and in
//! tiles.

use kgpu_core::abi::Op;
use kgpu_core::algorithm::Algorithm;

use crate::failure::same;
use crate::pool::{Layout, Plan, run};
use crate::vectors::{Vector, parse};
use crate::{Failure, failure};

/// Most bytes of a tile in the runs that cut: shorter than most answers.
const SMALL_TILE: u32 = 32;

/// Checks one answer in every operation of its algorithm.
///
/// # Errors
/// What is wrong with it first.
pub fn check(algorithm: &Algorithm, vector: &Vector) -> Result<(), Failure> {
    for &op in algorithm.ops() {
        let (input, expected) = match op {
            Op::Encrypt | Op::Compute => (&vector.input, &vector.output),
            Op::Decrypt => (&vector.output, &vector.input),
        };
        let shape = vector.shape(op)?;
        for &layout in Layout::all(algorithm) {
            for tile_bytes in [Plan::whole(layout).tile_bytes, SMALL_TILE] {
                let plan = Plan {
                    tile_bytes,
                    ..Plan::whole(layout)
                };
                let got = run(algorithm, &vector.key, &shape, input, plan)?;
                let what = || {
                    let (name, source) = (algorithm.name, &vector.name);
                    format!("{name}: {source}: {op} {layout:?} in tiles of {tile_bytes}")
                };
                same(what, &got, expected)?;
            }
        }
    }
    Ok(())
}

/// Checks the known answers of a descriptor, and how many they are.
///
/// # Errors
/// What is wrong first; having none is wrong.
pub fn check_known_answers(algorithm: &Algorithm) -> Result<usize, Failure> {
    for answer in algorithm.known_answers {
        check(algorithm, &Vector::of(algorithm, answer))?;
    }
    at_least_one(algorithm.known_answers.len(), algorithm.name)
}

/// Checks a vector file against the algorithms of a crate, and how many vectors it has.
///
/// # Errors
/// What is wrong first; having none is wrong.
pub fn check_file(algorithms: &[Algorithm], text: &str) -> Result<usize, Failure> {
    let vectors = parse(text)?;
    for vector in &vectors {
        let algorithm = algorithms
            .iter()
            .find(|algorithm| algorithm.name == vector.algorithm)
            .ok_or_else(|| Failure::Impossible(format!("no {} here", vector.algorithm)))?;
        check(algorithm, vector)?;
    }
    at_least_one(vectors.len(), "the file")
}

/// A check of nothing proves nothing.
fn at_least_one(count: usize, what: &str) -> Result<usize, failure::Failure> {
    match count {
        0 => Err(Failure::Impossible(format!("{what} has no vectors"))),
        count => Ok(count),
    }
}
