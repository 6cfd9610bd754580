//! A helper's life: it takes and computes in any order, dies at any point, and may be late with
//! everything.

use kgpu_core::abi::{Completion, SessionState, Status, Submission};
use kgpu_core::ring::{Consumer, Producer};
use shuttle::sync::Arc;
use shuttle::sync::atomic::Ordering;
use shuttle::thread;

use super::module::{COMPLETIONS, Module, STATE, SUBMISSIONS, Session, computed, stamp};
use super::roll;

struct Helper {
    session: Arc<Session>,
    completions: Producer<Completion>,
    taken: Vec<Submission>,
}

impl Helper {
    /// Computes a submission into the pool, whoever owns those bytes by now.
    fn compute(&self, submission: &Submission) -> Completion {
        let done = roll(8) > 0;
        if done {
            let at = u64::from(submission.tile_first) * 16;
            let pool = self.session.pool();
            let input = pool.load(at);
            pool.store(at, computed(input));
            pool.store(at + 8, stamp(submission.session, submission.request));
        }
        let status = if done {
            Status::Ok
        } else {
            Status::BackendFailed
        };
        Completion {
            request: submission.request,
            session: submission.session,
            written_len: if done { submission.written_len } else { 0 },
            status: status.code(),
            backend: 0,
            reserved: 0,
            detail: 0,
        }
    }

    /// Posts a completion unless the ring stays full.
    fn post(&mut self, completion: &Completion) {
        for _ in 0..8 {
            let (ours, theirs) = (self.session.helper(), self.session.control());
            let posted = self.completions.push(ours, theirs, completion);
            if posted.expect("an honest module") {
                self.completions.publish(ours);
                return;
            }
            thread::yield_now();
        }
    }

    /// Serves until it dies or is told to go.
    fn serve(&mut self, module: &Module) {
        let mut submissions = Consumer::<Submission>::new(SUBMISSIONS);
        let session = Arc::clone(&self.session);
        loop {
            let state = SessionState::try_from(session.control().load(STATE)).unwrap();
            // Dies with what it has, or stops for a while.
            match roll(24) {
                0 => return,
                1..=3 => thread::yield_now(),
                _ => {}
            }
            match submissions
                .pop(session.control())
                .expect("an honest module")
            {
                Some(taken) => {
                    submissions.release(session.helper());
                    self.taken.push(taken);
                }
                None if !state.is_open() && self.taken.is_empty() => return,
                None => thread::yield_now(),
            }
            if roll(2) == 0 && !self.taken.is_empty() {
                let which = roll(u32::try_from(self.taken.len()).unwrap());
                let submission = self.taken.swap_remove(which as usize);
                let completion = self.compute(&submission);
                self.post(&completion);
            }
            // A life before this one left completions: they say so themselves.
            if roll(4) == 0 {
                let left_over = module.left_over.lock().unwrap().pop();
                if let Some(completion) = left_over {
                    self.post(&completion);
                }
            }
        }
    }
}

/// A helper's life in a session.
pub fn live(module: &Module, number: u32) {
    // The second one comes at any point of the first one's life.
    for _ in 0..roll(40) * (number - 1) {
        thread::yield_now();
    }
    let session = Session::new(number);
    if !module.attach(&session) {
        return;
    }
    let mut helper = Helper {
        completions: Producer::new(COMPLETIONS),
        session,
        taken: Vec::new(),
    };
    helper.serve(module);
    // What it has it computes all the same, before the kernel closes its device or after: a GPU
    // that still runs has no process.
    let first = roll(2) == 0;
    if first {
        helper.session.closed.store(true, Ordering::Release);
    }
    for submission in std::mem::take(&mut helper.taken) {
        let completion = helper.compute(&submission);
        if roll(2) == 0 {
            helper.post(&completion);
        } else {
            module.left_over.lock().unwrap().push(completion);
        }
    }
    helper.session.closed.store(true, Ordering::Release);
}
