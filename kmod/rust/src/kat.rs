//! Known answers: at each attach the module runs its own through that helper before it routes to
//! it. The kernel's self-tests only ever see the first helper, or none.

use kgpu_core::abi::Op;
use kgpu_core::algorithm::{Algorithm, KnownAnswer};
use kgpu_core::request::Shape;

use crate::{ALGORITHMS, algorithm};

/// One known answer in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KatRef {
    /// Index of the algorithm.
    pub algorithm: usize,
    /// Index of its known answer.
    pub answer: usize,
    /// Index of its operation.
    pub op: usize,
    /// The helper reads its source in the guest's memory.
    pub in_place: bool,
}

/// A known answer as a request.
#[derive(Clone, Copy, Debug)]
pub struct KatRequest {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// The answer.
    pub answer: &'static KnownAnswer,
    /// The request.
    pub shape: Shape,
    /// What goes in.
    pub input: &'static [u8],
    /// What must come out.
    pub expected: &'static [u8],
}

impl KatRef {
    /// The request; `None` past the end of a list.
    #[must_use]
    pub fn request(self) -> Option<KatRequest> {
        let algorithm = algorithm(self.algorithm)?;
        let answer = algorithm.known_answers.get(self.answer)?;
        let op = *algorithm.ops().get(self.op)?;
        let (input, expected) = match op {
            Op::Encrypt | Op::Compute => (answer.input, answer.output),
            Op::Decrypt => (answer.output, answer.input),
        };
        let shape = Shape {
            op,
            len: u32::try_from(input.len()).ok()?,
            data_unit_size: answer.data_unit_size,
            iv: answer.iv,
            iv_step: answer.iv_step,
        };
        Some(KatRequest {
            algorithm,
            answer,
            shape,
            input,
            expected,
        })
    }

    /// The next one that exists, in the order operation, answer, algorithm.
    #[must_use]
    fn next(self) -> Option<Self> {
        let mut at = Self {
            op: self.op + 1,
            ..self
        };
        while at.algorithm < ALGORITHMS {
            if at.request().is_some() {
                return Some(at);
            }
            at = if at.op > 0 && at.answer_exists() {
                Self {
                    answer: at.answer + 1,
                    op: 0,
                    ..at
                }
            } else {
                Self {
                    algorithm: at.algorithm + 1,
                    answer: 0,
                    op: 0,
                    ..at
                }
            };
        }
        None
    }

    fn answer_exists(self) -> bool {
        algorithm(self.algorithm).is_some_and(|a| self.answer < a.known_answers.len())
    }
}

/// How far a session is with its known answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct KatRun {
    /// The next to submit, once started.
    next: Option<KatRef>,
    /// All of them once more, with sources that are read in place.
    twice: bool,
    /// Submitted and not answered.
    pub outstanding: u32,
    /// Answered rightly.
    pub passed: u32,
    started: bool,
}

impl KatRun {
    /// Begins at the first known answer; `twice` if the helper reads sources in two ways.
    pub fn start(&mut self, twice: bool) {
        self.started = true;
        self.twice = twice;
        self.next = Self::first(false);
    }

    fn first(in_place: bool) -> Option<KatRef> {
        let first = KatRef {
            in_place,
            ..KatRef::default()
        };
        if first.request().is_some() {
            Some(first)
        } else {
            first.next()
        }
    }

    /// The next to submit.
    #[must_use]
    pub const fn peek(&self) -> Option<KatRef> {
        self.next
    }

    /// The one that `peek` gave was submitted.
    pub fn submitted(&mut self) {
        let again = self.twice && self.next.is_some_and(|kat| !kat.in_place);
        self.next = self.next.and_then(KatRef::next);
        if self.next.is_none() && again {
            self.next = Self::first(true);
        }
        self.outstanding += 1;
    }

    /// One was answered rightly.
    pub fn pass(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.passed += 1;
    }

    /// Whether the run has begun.
    #[must_use]
    pub const fn is_started(&self) -> bool {
        self.started
    }

    /// Whether every known answer came back right.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.started && self.next.is_none() && self.outstanding == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_through_every_answer_in_every_direction_once() {
        for (twice, times) in [(false, 1), (true, 2)] {
            let expected: usize = (0..ALGORITHMS)
                .filter_map(algorithm)
                .map(|a| a.known_answers.len() * a.ops().len() * times)
                .sum();
            let mut run = KatRun::default();
            assert!(!run.is_done());
            run.start(twice);
            let mut seen = std::vec::Vec::new();
            while let Some(kat) = run.peek() {
                assert!(!seen.contains(&kat), "{kat:?} twice");
                seen.push(kat);
                run.submitted();
            }
            assert_eq!(seen.len(), expected);
            assert!(!run.is_done(), "answers are outstanding");
            for _ in seen {
                run.pass();
            }
            assert!(run.is_done());
        }
    }
}
