//! The matrix's runner of kernels on the host: every kernel of an operation computes every request.

use std::collections::BTreeMap;

use super::batch::{Batch, Request};
use super::{entries, launch};
use crate::Failure;
use crate::pool::Layout;
use crate::request;
use crate::rng::Rng;
use crate::runner::{Ran, RunError, Runner};

/// Blocks of a launch.
const BLOCKS: u32 = 3;

/// Kernels on the host. Requests of algorithms without kernels fail.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostKernels;

/// A launch's requests, by their place in the matrix's batch.
type Group<'a> = Vec<(usize, &'a request::Request)>;

/// The output of each request, computed by all kernels alike. A launch tells how many items it computed
/// and fails if those are not all: what comes back is proven.
fn compute(group: &Group<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let nothing = || Failure::Impossible("a launch of nothing".into());
    let (_, first) = group.first().ok_or_else(nothing)?;
    let mut batch = Batch {
        tile_bytes: first.tile_bytes,
        blocks: BLOCKS,
        ..Batch::new(first.algorithm, first.shape.op)
    };
    for (_, request) in group {
        let known = batch.keys.iter().position(|key| *key == request.key);
        let key = known.unwrap_or_else(|| {
            batch.keys.push(request.key.clone());
            batch.keys.len() - 1
        });
        let mut rng = Rng::of(&[request.seed, 2]);
        let mut misplaced = [0; 2];
        if rng.below(2) == 0 {
            misplaced.fill_with(|| usize::try_from(rng.below(16)).unwrap_or(0));
        }
        batch.requests.push(Request {
            misplaced,
            in_place: request.layout == Layout::InPlace,
            ..Request::new(key, request.shape, request.input.clone())
        });
    }
    let (code, entries) = entries(batch.algorithm, batch.op)?;
    let mut outputs: Option<Vec<Vec<u8>>> = None;
    for entry in entries {
        let got: Vec<Vec<u8>> = launch::run(&batch, code, entry)?
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
        if outputs.as_ref().is_some_and(|before| *before != got) {
            let why = format!("{} differs from the kernels before it", entry.name);
            return Err(Failure::Impossible(why));
        }
        outputs = Some(got);
    }
    outputs.ok_or_else(nothing)
}

impl Runner for HostKernels {
    fn backend(&self) -> &str {
        "host kernels"
    }

    fn run(
        &mut self,
        requests: &[&request::Request],
        done: &mut dyn FnMut(usize, Ran<'_>),
    ) -> Result<(), RunError> {
        let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
        for (at, request) in requests.iter().enumerate() {
            let kind = (
                request.algorithm.id,
                request.shape.op.code(),
                request.tile_bytes,
            );
            groups.entry(kind).or_default().push((at, request));
        }
        for group in groups.values() {
            match compute(group) {
                Ok(outputs) => {
                    for ((at, request), output) in group.iter().zip(&outputs) {
                        let proven = request.tiles();
                        done(*at, Ran::Done { output, proven });
                    }
                }
                Err(failure) => {
                    let why = failure.to_string();
                    for (at, _) in group {
                        done(*at, Ran::Failed(&why));
                    }
                }
            }
        }
        Ok(())
    }
}
