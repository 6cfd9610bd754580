//! The matrix: every algorithm against every suite, on one backend. Threads make requests and find
//! out what is right; the calling thread feeds the backend and compares.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;

use kgpu_core::abi::Op;
use kgpu_core::algorithm::Algorithm;
use kgpu_core::num;
use kgpu_core::tiling::TILE_BYTES_DEFAULT;

use crate::Failure;
use crate::pool::Layout;
use crate::random::{self, KEY_GROUP};
use crate::report::{Case, Name, Report};
use crate::request::Request;
use crate::rng::Rng;
use crate::runner::{RunError, Runner};
use crate::suite::{Answer, Oracle, Suite};
use crate::vectors::{Vector, parse};

/// Requests of a batch, about: what a backend has in flight at the same time.
const BATCH: u64 = 512;
/// Most bytes of a tile in the runs of a vector that cut: shorter than most answers.
const SMALL_TILE: u32 = 32;

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The algorithms.
    pub algorithms: Vec<&'static Algorithm>,
    /// Random requests of each algorithm.
    pub cases: u64,
    /// Only the request of this number, and no vectors: to look at a failure.
    pub only: Option<u64>,
    /// What the random requests come from.
    pub seed: u64,
    /// Threads that make requests and answers.
    pub threads: usize,
}

/// What is to be checked, and what is right.
#[derive(Debug)]
pub struct Matrix {
    settings: Settings,
    oracle: Oracle,
    vectors: Vec<Case>,
}

impl Matrix {
    /// A matrix. `files` are vector files, of which those of the chosen algorithms are run, after the
    /// known answers of their descriptors.
    ///
    /// # Errors
    /// [`Failure::File`] when a file makes no sense, and [`Failure::Impossible`] when an algorithm
    /// has no vector.
    pub fn new(settings: Settings, oracle: Oracle, files: &[&str]) -> Result<Self, Failure> {
        let mut vectors = Vec::new();
        if settings.only.is_none() {
            let mut published = Vec::new();
            for file in files {
                published.extend(parse(file)?);
            }
            for algorithm in settings.algorithms.iter().copied() {
                let known = algorithm.known_answers.iter();
                let known = known.map(|answer| Vector::of(algorithm, answer));
                let own = |vector: &&Vector| vector.algorithm == algorithm.name;
                let before = vectors.len();
                for vector in known.chain(published.iter().filter(own).cloned()) {
                    vectors.extend(vector_cases(algorithm, &vector)?);
                }
                if vectors.len() == before {
                    let why = format!("{} has no vectors", algorithm.name);
                    return Err(Failure::Impossible(why));
                }
            }
        }
        Ok(Self {
            settings,
            oracle,
            vectors,
        })
    }

    /// What the answers come from: versions, and what is missing.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        self.oracle.notes()
    }

    /// Requests that a run makes.
    #[must_use]
    pub fn len(&self) -> u64 {
        let algorithms = u64::try_from(self.settings.algorithms.len()).unwrap_or(u64::MAX);
        let (from, to) = self.numbers();
        let vectors = u64::try_from(self.vectors.len()).unwrap_or(u64::MAX);
        vectors + (to - from) * algorithms
    }

    /// Whether there is nothing to run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of the random requests of each algorithm.
    fn numbers(&self) -> (u64, u64) {
        match self.settings.only {
            Some(number) => (number, number.saturating_add(1)),
            None => (0, self.settings.cases),
        }
    }

    /// Random requests of one algorithm in a batch: whole key groups.
    fn share(&self) -> u64 {
        let algorithms = u64::try_from(self.settings.algorithms.len().max(1)).unwrap_or(1);
        BATCH.div_ceil(algorithms).next_multiple_of(KEY_GROUP)
    }

    fn vector_batches(&self) -> u64 {
        let vectors = u64::try_from(self.vectors.len()).unwrap_or(u64::MAX);
        vectors.div_ceil(BATCH)
    }

    fn batches(&self) -> u64 {
        let (from, to) = self.numbers();
        self.vector_batches() + (to - from).div_ceil(self.share())
    }

    /// A batch with its answers: vectors first, then random requests of all algorithms, mixed.
    fn batch(&self, batch: u64) -> Vec<Case> {
        let Some(batch) = batch.checked_sub(self.vector_batches()) else {
            let from = num::index(batch * BATCH);
            let vectors = self.vectors.iter().skip(from).take(num::index(BATCH));
            return vectors.cloned().collect();
        };
        let (from, to) = self.numbers();
        let first = from + batch * self.share();
        let mut cases = Vec::new();
        for number in first..to.min(first + self.share()) {
            for &algorithm in &self.settings.algorithms {
                let request = random::request(self.settings.seed, algorithm, number);
                cases.push(Case {
                    name: Name::Random(number),
                    answers: self.oracle.answers(&request),
                    request,
                });
            }
        }
        let mut rng = Rng::of(&[self.settings.seed, batch]);
        for at in (1..cases.len()).rev() {
            let bound = u32::try_from(at + 1).unwrap_or(u32::MAX);
            cases.swap(at, num::index(u64::from(rng.below(bound))));
        }
        cases
    }

    /// Runs everything on a backend; `progress` is told how many requests are done.
    ///
    /// # Errors
    /// [`RunError`]: the backend broke, or lost requests.
    pub fn run(
        &self,
        runner: &mut dyn Runner,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Report, RunError> {
        let mut report = Report::new(runner.backend(), &self.settings.algorithms);
        let (next, threads) = (AtomicU64::new(0), self.settings.threads.max(1));
        std::thread::scope(|scope| {
            // A few batches ahead: enough that the backend never waits for a slow one.
            let (sender, receiver) = sync_channel(2 * threads);
            for _ in 0..threads {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    loop {
                        let batch = next.fetch_add(1, Ordering::Relaxed);
                        // The receiver goes when the backend breaks.
                        if batch >= self.batches() || sender.send(self.batch(batch)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let mut done = 0;
            for cases in receiver {
                run_batch(&cases, runner, &mut report)?;
                done += u64::try_from(cases.len()).unwrap_or(u64::MAX);
                progress(done);
            }
            Ok(report)
        })
    }
}

/// Runs a batch and counts what becomes of it.
fn run_batch(cases: &[Case], runner: &mut dyn Runner, report: &mut Report) -> Result<(), RunError> {
    let requests: Vec<&Request> = cases.iter().map(|case| &case.request).collect();
    let mut seen = vec![false; cases.len()];
    let mut twice = None;
    runner.run(
        &requests,
        &mut |at, ran| match (cases.get(at), seen.get_mut(at)) {
            (Some(case), Some(seen)) if !*seen => {
                *seen = true;
                report.count(case, &ran);
            }
            _ => twice = Some(at),
        },
    )?;
    if let Some(at) = twice {
        return Err(RunError(format!("request {at} of a batch ended twice")));
    }
    let lost = seen.iter().filter(|seen| !**seen).count();
    if lost > 0 {
        return Err(RunError(format!("{lost} requests were lost")));
    }
    Ok(())
}

/// A vector in every operation and layout, whole and in small tiles.
fn vector_cases(algorithm: &'static Algorithm, vector: &Vector) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    for &op in algorithm.ops() {
        let (input, expected) = match op {
            Op::Encrypt | Op::Compute => (&vector.input, &vector.output),
            Op::Decrypt => (&vector.output, &vector.input),
        };
        let shape = vector.shape(op)?;
        shape.check(algorithm)?;
        for &layout in Layout::all(algorithm) {
            for tile_bytes in [TILE_BYTES_DEFAULT, SMALL_TILE] {
                let name = format!("{}: {op} {layout:?} in tiles of {tile_bytes}", vector.name);
                let number = u64::try_from(cases.len()).unwrap_or(0);
                let request = Request {
                    algorithm,
                    key: vector.key.clone(),
                    shape,
                    input: input.clone(),
                    layout,
                    tile_bytes,
                    seed: Rng::of(&[number, u64::from(shape.len)]).next(),
                };
                cases.push(Case {
                    name: Name::Vector(name),
                    request,
                    answers: vec![(Suite::Vectors, Answer::Bytes(expected.clone()))],
                });
            }
        }
    }
    Ok(cases)
}
