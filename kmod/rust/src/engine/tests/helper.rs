//! A helper: the other end of the ring, as honest as the test wants it.

use std::collections::VecDeque;
use std::sync::Arc;

use kgpu_core::abi::{AlgorithmId, Completion, Reflect, Status, Submission, Tile, word};
use kgpu_core::cpu::Work;
use kgpu_core::keytable;
use kgpu_core::num::index;
use kgpu_core::ring::{CompletionProducer, RingPlace, SubmissionConsumer};

use crate::ffi::mock;
use crate::session::Session;

/// A helper and what it took and has not answered.
pub(super) struct Helper {
    pub(super) session: Arc<Session>,
    submissions: SubmissionConsumer,
    completions: CompletionProducer,
    pub(super) taken: VecDeque<Submission>,
}

impl Helper {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self {
            submissions: SubmissionConsumer::new(RingPlace::submissions(&session.layout)),
            completions: CompletionProducer::new(RingPlace::completions(&session.layout)),
            taken: VecDeque::new(),
            session,
        }
    }

    /// Takes what was published. The result is how many that was.
    pub(super) fn take(&mut self) -> usize {
        let before = self.taken.len();
        while let Some(submission) = self.submissions.pop(self.session.control.words()).unwrap() {
            self.taken.push_back(submission);
        }
        self.submissions.release(self.session.helper.words());
        self.taken.len() - before
    }

    fn tile(&self, i: u32) -> Tile {
        let at = self.session.layout.tile_offset + u64::from(i) * Tile::SIZE as u64;
        self.session.control.words().load_entry(at).unwrap()
    }

    fn key(&self, tile: &Tile) -> Option<Vec<u8>> {
        let algorithm = kgpu_algos::by_id(AlgorithmId(tile.algorithm)).unwrap();
        if !algorithm.has_key() {
            return Some(Vec::new());
        }
        let session = &self.session;
        let entry = keytable::read(
            session.control.words(),
            &session.layout,
            tile.key_slot,
            tile.key_generation,
        )?;
        assert_eq!(entry.algorithm, tile.algorithm);
        entry.bytes().map(<[u8]>::to_vec)
    }

    /// Computes a submission's tiles; the answer is not posted.
    pub(super) fn compute(&self, submission: &Submission) -> Completion {
        let answer = |status: Status, written_len| Completion {
            request: submission.request,
            session: submission.session,
            written_len,
            status: status.code(),
            backend: 0,
            reserved: 0,
            detail: 0,
        };
        for i in submission.tile_first..submission.tile_first + submission.tile_count {
            let tile = self.tile(i);
            let Some(key) = self.key(&tile) else {
                return answer(Status::StaleKey, 0);
            };
            let mut src = vec![0; index(u64::from(tile.len))];
            self.session.pool.read(tile.src, &mut src);
            let algorithm = kgpu_algos::by_id(AlgorithmId(tile.algorithm)).unwrap();
            let work = Work::try_from(&tile).unwrap();
            let dst_len = index(u64::from(tile.dst_len));
            let dst = mock::run(algorithm, &key, &work, &src, dst_len).unwrap();
            self.session.pool.write(tile.dst, &dst);
        }
        answer(Status::Ok, submission.written_len)
    }

    /// Posts a completion, whatever it says. `false` when the ring is full.
    pub(super) fn post(&mut self, completion: &Completion) -> bool {
        let (control, helper) = (self.session.control.words(), self.session.helper.words());
        let posted = self.completions.push(helper, control, completion).unwrap();
        self.completions.publish(helper);
        posted
    }

    /// Answers the oldest that it took. `false` when there is none.
    pub(super) fn answer(&mut self) -> bool {
        let Some(submission) = self.taken.pop_front() else {
            return false;
        };
        let completion = self.compute(&submission);
        // Where lies took the room, the answer is lost: computing in place cannot be done again.
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

    /// Shows a sign of life.
    pub(super) fn beat(&self) {
        let words = self.session.helper.words();
        words.store(word::HEARTBEAT, words.load(word::HEARTBEAT) + 1);
    }
}
