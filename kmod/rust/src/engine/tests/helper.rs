//! The helper of these tests: the peer's, on the pages of a session of this process.

use std::sync::Arc;

use kgpu_core::abi::{Completion, Status, Submission};
use kgpu_core::peer::{Dice, Lie, MockHelper, Pool, View};

use crate::ffi::{Pages, mock};
use crate::session::Session;

impl Pool for Pages {
    fn read(&self, at: u64, to: &mut [u8]) -> bool {
        Self::read(self, at, to);
        is_inside(self, at, to.len())
    }

    fn write(&self, at: u64, from: &[u8]) -> bool {
        Self::write(self, at, from);
        is_inside(self, at, from.len())
    }

    #[cfg(test)]
    fn read_guest(&self, address: u64, to: &mut [u8]) -> bool {
        let (mut at, mut found) = (0, None);
        self.runs(|run| {
            if let Some(inside) = address.checked_sub(run.address)
                && inside < run.bytes
            {
                found = Some(at + inside);
            }
            at += run.bytes;
        });
        match found {
            Some(at) => Pool::read(self, at, to),
            None => mock::read_source(address, to),
        }
    }
}

fn is_inside(pages: &Pages, at: u64, len: usize) -> bool {
    at.checked_add(len as u64)
        .is_some_and(|end| end <= pages.bytes())
}

fn view(session: &Session) -> View<'_> {
    View {
        control: session.control.words(),
        helper: session.helper.words(),
        pool: &session.pool,
    }
}

/// A helper and its session.
pub(super) struct Helper {
    pub(super) session: Arc<Session>,
    pub(super) peer: MockHelper,
}

impl Helper {
    pub(super) fn new(session: Arc<Session>) -> Self {
        let peer = MockHelper::new(session.layout, session.generation, kgpu_algos::by_id)
            .expanding_by(mock::expand);
        Self { session, peer }
    }

    /// Takes what was published. The result is how many that was.
    pub(super) fn take(&mut self) -> usize {
        self.peer.take(view(&self.session)).unwrap()
    }

    /// Computes a submission's tiles; the answer is not posted. What the module sends is good,
    /// but for keys that it took back meanwhile.
    pub(super) fn compute(&mut self, submission: &Submission) -> Completion {
        let completion = self.peer.compute(view(&self.session), submission);
        let fine = [Status::Ok, Status::StaleKey].map(Status::code);
        assert!(fine.contains(&completion.status), "{submission:?}");
        completion
    }

    /// Posts a completion, whatever it says. `false` when the ring is full.
    pub(super) fn post(&mut self, completion: &Completion) -> bool {
        self.peer.post(view(&self.session), completion).unwrap()
    }

    /// Answers a request as the lie has it. The result is whether that was its answer.
    pub(super) fn tell(&mut self, lie: Lie, submission: &Submission, dice: &mut Dice) -> bool {
        let view = view(&self.session);
        self.peer.tell(view, lie, submission, dice).unwrap()
    }

    /// Gives a ring word its impossible value.
    pub(super) fn misplace(&self, lie: Lie) {
        self.peer.misplace(view(&self.session), lie);
    }

    /// Answers the oldest that it took. `false` when there is none.
    pub(super) fn answer(&mut self) -> bool {
        let Some(submission) = self.peer.taken.pop_front() else {
            return false;
        };
        let completion = self.compute(&submission);
        self.post(&completion);
        true
    }

    /// Takes and answers all there is. The result is how many that was.
    pub(super) fn serve(&mut self) -> usize {
        self.take();
        let mut served = 0;
        while self.answer() {
            served += 1;
        }
        served
    }

    /// Answers what it kept back.
    pub(super) fn answer_late(&mut self) -> usize {
        self.peer.answer_late(view(&self.session)).unwrap()
    }

    /// Shows a sign of life.
    pub(super) fn beat(&self) {
        self.peer.beat(view(&self.session));
    }
}
