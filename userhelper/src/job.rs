//! A job: one tile, ready to run, and running it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use kgpu_core::cpu::Work;

use crate::backend::CPU_CODE;
use crate::fault::Fault;
use crate::keys::Prepared;
use crate::region::{Lane, Span};

/// One tile with all it needs.
#[derive(Debug)]
pub struct Job {
    /// The request it is a piece of: the dispatcher's seat number.
    pub seat: u32,
    /// Its place in the order in which tiles arrived.
    pub order: u64,
    /// Where its bytes lie.
    pub span: Span,
    /// What to do with them.
    pub work: Work,
    /// The key.
    pub key: Arc<Prepared>,
}

/// What became of a job.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The job's seat.
    pub seat: u32,
    /// Done, or why not.
    pub result: Result<(), Fault>,
    /// The number of the backend that did it, or failed to.
    pub backend: u16,
}

impl Job {
    /// What became of the job at a backend.
    #[must_use]
    pub const fn outcome(&self, result: Result<(), Fault>, backend: u16) -> Outcome {
        Outcome {
            seat: self.seat,
            result,
            backend,
        }
    }

    /// Runs the job on the calling thread. A panic of the algorithm's code becomes a fault.
    pub fn run(&self, lane: &mut Lane) -> Outcome {
        // Unwind safety: the key is only read, the lane gives its claim up while unwinding, and
        // of the destination's bytes nothing is expected after a fault.
        let run =
            AssertUnwindSafe(|| lane.with(&self.span, |data| self.key.key.run(&self.work, data)));
        let result = match catch_unwind(run) {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(refused))) => Err(Fault::Work(refused)),
            Ok(Err(span)) => Err(Fault::Span(span)),
            Err(_) => Err(Fault::Panicked),
        };
        self.outcome(result, CPU_CODE)
    }
}
