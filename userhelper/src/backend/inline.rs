//! The CPU backend for one worker: the dispatcher computes the jobs itself, with no handoff.

use std::time::{Duration, Instant};

use super::{Backend, CPU_CODE, CPU_NAME};
use crate::job::{Job, Outcome};
use crate::region::Lane;

/// How long finished jobs may wait to be told of while there is more to do: each publication moves
/// cache lines from one processor to another and back, which several small or quick jobs share; slow
/// ones are told of one by one.
const QUANTUM: Duration = Duration::from_micros(20);

/// Runs jobs on the thread that collects them.
#[derive(Debug)]
pub struct Inline {
    lane: Lane,
    jobs: Vec<Job>,
    /// Jobs of the batch already run.
    next: usize,
}

impl Inline {
    /// A backend that holds up to `jobs` jobs without allocating.
    #[must_use]
    pub fn new(lane: Lane, jobs: usize) -> Self {
        Self {
            lane,
            jobs: Vec::with_capacity(jobs),
            next: 0,
        }
    }
}

impl Backend for Inline {
    fn name(&self) -> &'static str {
        CPU_NAME
    }

    fn code(&self) -> u16 {
        CPU_CODE
    }

    fn submit(&mut self, jobs: &mut Vec<Job>) {
        if self.jobs.is_empty() {
            std::mem::swap(&mut self.jobs, jobs);
        } else {
            self.jobs.append(jobs);
        }
    }

    fn hungry(&self) -> bool {
        self.jobs.is_empty()
    }

    fn collect(&mut self, done: &mut Vec<Outcome>) {
        let start = Instant::now();
        while let Some(job) = self.jobs.get(self.next) {
            done.push(job.run(&mut self.lane));
            self.next += 1;
            if start.elapsed() >= QUANTUM {
                break;
            }
        }
        if self.next == self.jobs.len() {
            self.jobs.clear();
            self.next = 0;
        }
    }

    fn pending(&self) -> usize {
        self.jobs.len() - self.next
    }

    fn ready(&self) -> bool {
        self.pending() > 0
    }
}
