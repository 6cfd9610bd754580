//! What a run of the matrix found: a row for each algorithm, a cell for each suite, and the failures.

use std::fmt;

use kgpu_core::algorithm::Algorithm;

use crate::request::Request;
use crate::runner::Ran;
use crate::suite::{Answer, Suite};

/// Failures that are told one by one, for each algorithm; the rest is only counted.
const TOLD: u64 = 10;

/// Which case it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A published vector, and how it was run.
    Vector(String),
    /// A random request by its number.
    Random(u64),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vector(name) => write!(f, "vector {name}"),
            Self::Random(number) => write!(f, "case {number}"),
        }
    }
}

/// A request and what is right.
#[derive(Clone, Debug)]
pub struct Case {
    /// Which one it is.
    pub name: Name,
    /// The request.
    pub request: Request,
    /// What each suite says.
    pub answers: Vec<(Suite, Answer)>,
}

/// Counts of an algorithm and a suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Outputs compared.
    pub cases: u64,
    /// Outputs that were wrong, or did not come.
    pub failures: u64,
}

/// Counts of an algorithm.
#[derive(Clone, Debug)]
pub struct Row {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// Counts by suite.
    pub cells: [Cell; Suite::ALL.len()],
    /// Requests run.
    pub requests: u64,
    /// Their source bytes.
    pub bytes: u64,
    /// Tiles that they were cut into.
    pub tiles: u64,
    /// Tiles that the backend is proven to have computed.
    pub proven: u64,
    /// Requests with a failure of any kind, a missing proof included.
    pub failed: u64,
}

impl Row {
    fn new(algorithm: &'static Algorithm) -> Self {
        Self {
            algorithm,
            cells: Default::default(),
            requests: 0,
            bytes: 0,
            tiles: 0,
            proven: 0,
            failed: 0,
        }
    }

    /// The counts of a suite.
    #[must_use]
    pub fn cell(&self, suite: Suite) -> Cell {
        let at = Suite::ALL.iter().position(|known| *known == suite);
        at.and_then(|at| self.cells.get(at))
            .copied()
            .unwrap_or_default()
    }

    /// Whether requests were run, all outputs were right, and all tiles are proven.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.requests > 0 && self.failed == 0 && self.tiles == self.proven
    }
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The algorithm's name.
    pub algorithm: &'static str,
    /// The case.
    pub name: Name,
    /// What went wrong.
    pub what: String,
    /// The request, in words.
    pub request: String,
}

/// What a run found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The backend's name.
    pub backend: String,
    /// By algorithm.
    pub rows: Vec<Row>,
    /// The first failures of each algorithm.
    pub failures: Vec<Failed>,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(backend: &str, algorithms: &[&'static Algorithm]) -> Self {
        Self {
            backend: backend.to_owned(),
            rows: algorithms.iter().copied().map(Row::new).collect(),
            failures: Vec::new(),
        }
    }

    /// Whether every algorithm passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(Row::passed)
    }

    /// Requests with failures.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.rows.iter().map(|row| row.failed).sum()
    }

    /// Counts what became of a case.
    pub fn count(&mut self, case: &Case, ran: &Ran<'_>) {
        let id = case.request.algorithm.id;
        let Some(row) = self.rows.iter_mut().find(|row| row.algorithm.id == id) else {
            return;
        };
        row.requests += 1;
        row.bytes += u64::from(case.request.shape.len);
        let tiles = u64::from(case.request.tiles());
        row.tiles += tiles;
        let mut wrong: Vec<String> = Vec::new();
        let mut right: [bool; Suite::ALL.len()] = [false; Suite::ALL.len()];
        for (at, (suite, answer)) in case.answers.iter().enumerate() {
            let verdict = verdict(answer, ran, &right);
            if let Some(right) = right.get_mut(at) {
                *right = verdict.is_ok();
            }
            let column = Suite::ALL.iter().position(|known| known == suite);
            if let Some(cell) = column.and_then(|at| row.cells.get_mut(at)) {
                cell.cases += 1;
                cell.failures += u64::from(verdict.is_err());
            }
            if let Err(why) = verdict {
                wrong.push(format!("{suite}: {why}"));
            }
        }
        match ran {
            Ran::Done { proven, .. } => {
                let proven = u64::from(*proven);
                row.proven += proven;
                if proven != tiles {
                    let told = format!("{proven} of its {tiles} tiles are proven");
                    wrong.push(format!("{told} to be computed by {}", self.backend));
                }
            }
            Ran::Failed(why) => wrong.push(format!("not computed: {why}")),
        }
        if wrong.is_empty() {
            return;
        }
        row.failed += 1;
        if row.failed <= TOLD {
            self.failures.push(Failed {
                algorithm: row.algorithm.name,
                name: case.name.clone(),
                what: wrong.join("; "),
                request: format!("{:?}", case.request),
            });
        }
    }
}

/// Whether an output is what a suite says; `right` tells it of the suites before.
fn verdict(answer: &Answer, ran: &Ran<'_>, right: &[bool]) -> Result<(), String> {
    let Ran::Done { output, .. } = ran else {
        return Err("no output".into());
    };
    match answer {
        Answer::Bytes(expected) if expected == output => Ok(()),
        Answer::Bytes(expected) => {
            let same = expected.iter().zip(*output).take_while(|(a, b)| a == b);
            let (at, len) = (same.count(), expected.len());
            Err(format!("differs from byte {at} of {len} on"))
        }
        Answer::SameAs(at) if right.get(*at) == Some(&true) => Ok(()),
        Answer::SameAs(_) => Err("differs in the same way".into()),
        Answer::Broken(why) => Err(format!("the suite itself failed: {why}")),
    }
}
