//! A helper on one thread: takes submissions, computes them by the algorithms' CPU side, answers,
//! and lies where it is told to. It maps nothing and sleeps nowhere: that is its owner's part.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::lie::RingNow;
use super::{Dice, Expand, Lie, Lookup, View};
use crate::abi::{
    AlgorithmId, Completion, Layout, Reflect, Status, Submission, Tile, TileFlags, word,
};
use crate::algorithm::Algorithm;
use crate::cpu::{CpuKey, Data, Work};
use crate::keytable;
use crate::num::{index, low32};
use crate::ring::{CompletionProducer, RingError, RingPlace, SubmissionConsumer};

/// What a completion of a request that failed on purpose carries as its detail.
pub const ON_PURPOSE: u64 = 0xbad;

/// By the algorithm's own CPU side.
fn expand(algorithm: &Algorithm, key: &[u8]) -> Option<Arc<dyn CpuKey>> {
    (algorithm.cpu)(key).ok().map(Arc::from)
}

struct Filled {
    generation: u32,
    algorithm: u16,
    key: Arc<dyn CpuKey>,
}

/// A helper, and what it took and has not answered.
pub struct MockHelper {
    layout: Layout,
    session: u32,
    lookup: Lookup,
    expand: Expand,
    submissions: SubmissionConsumer,
    completions: CompletionProducer,
    /// Taken off the ring and not answered, oldest first.
    pub taken: VecDeque<Submission>,
    /// Kept back by [`Lie::Late`].
    pub late: Vec<Submission>,
    /// Expanded keys by slot; slots that no tile names any more keep theirs until `forget`.
    keys: BTreeMap<u32, Filled>,
    src: Vec<u8>,
    dst: Vec<u8>,
}

impl fmt::Debug for MockHelper {
    /// Prints neither key nor data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockHelper")
            .field("session", &self.session)
            .field("taken", &self.taken.len())
            .field("late", &self.late.len())
            .finish_non_exhaustive()
    }
}

impl MockHelper {
    /// A helper of a fresh session.
    #[must_use]
    pub const fn new(layout: Layout, session: u32, lookup: Lookup) -> Self {
        Self {
            submissions: SubmissionConsumer::new(RingPlace::submissions(&layout)),
            completions: CompletionProducer::new(RingPlace::completions(&layout)),
            taken: VecDeque::new(),
            late: Vec::new(),
            keys: BTreeMap::new(),
            src: Vec::new(),
            dst: Vec::new(),
            layout,
            session,
            lookup,
            expand,
        }
    }

    /// Expands keys by `expand`: one that remembers them, where thousands of helpers live one after
    /// the other.
    #[must_use]
    pub const fn expanding_by(mut self, expand: Expand) -> Self {
        self.expand = expand;
        self
    }

    /// Takes what was published. The result is how many that was.
    ///
    /// # Errors
    /// When the module broke its ring.
    pub fn take(&mut self, view: View<'_>) -> Result<usize, RingError> {
        let before = self.taken.len();
        while let Some(submission) = self.submissions.pop(view.control)? {
            self.taken.push_back(submission);
        }
        self.submissions.release(view.helper);
        Ok(self.taken.len() - before)
    }

    /// Submissions published and not taken.
    ///
    /// # Errors
    /// When the module broke its ring.
    pub fn waiting(&mut self, view: View<'_>) -> Result<u32, RingError> {
        self.submissions.ready(view.control)
    }

    /// Completions that there is room for.
    ///
    /// # Errors
    /// When the module broke its ring.
    pub fn room(&mut self, view: View<'_>) -> Result<u32, RingError> {
        self.completions.free(view.control)
    }

    /// Submissions taken since the session began.
    #[must_use]
    pub const fn taken_ever(&self) -> u64 {
        self.submissions.taken()
    }

    /// Completions posted since the session began, lies included.
    #[must_use]
    pub const fn posted(&self) -> u64 {
        self.completions.pushed()
    }

    /// The completion of a submission with this status, as an honest helper fills it.
    #[must_use]
    pub fn completion(&self, submission: &Submission, status: Status) -> Completion {
        let ok = status == Status::Ok;
        Completion {
            request: submission.request,
            session: self.session,
            written_len: if ok { submission.written_len } else { 0 },
            status: status.code(),
            backend: 0,
            reserved: 0,
            detail: if ok { 0 } else { ON_PURPOSE },
        }
    }

    /// Computes a submission's tiles; the answer is not posted.
    pub fn compute(&mut self, view: View<'_>, submission: &Submission) -> Completion {
        let status = match self.tiles(view, submission) {
            Ok(()) => Status::Ok,
            Err(status) => status,
        };
        self.completion(submission, status)
    }

    fn tiles(&mut self, view: View<'_>, submission: &Submission) -> Result<(), Status> {
        let end = submission.tile_first.checked_add(submission.tile_count);
        let end = end.filter(|end| *end <= self.layout.sizes.tiles);
        if submission.session != self.session {
            return Err(Status::Malformed);
        }
        for at in submission.tile_first..end.ok_or(Status::Malformed)? {
            let tile = self.tile(view, at).ok_or(Status::Malformed)?;
            self.run(view, &tile)?;
        }
        Ok(())
    }

    /// A tile of the table.
    #[must_use]
    pub fn tile(&self, view: View<'_>, at: u32) -> Option<Tile> {
        let size = u64::try_from(Tile::SIZE).ok()?;
        let offset = self.layout.tile_offset + u64::from(at) * size;
        view.control.load_entry(offset)
    }

    fn run(&mut self, view: View<'_>, tile: &Tile) -> Result<(), Status> {
        let pool = self.layout.sizes.pool_bytes;
        if u64::from(tile.len.max(tile.dst_len)) > pool {
            return Err(Status::Malformed);
        }
        self.expand(view, tile)?;
        let filled = self.keys.get(&tile.key_slot).ok_or(Status::StaleKey)?;
        let work = Work::try_from(tile).map_err(|_| Status::Malformed)?;
        let flags = TileFlags::from_bits(tile.flags).ok_or(Status::Malformed)?;
        let (src, dst) = (&mut self.src, &mut self.dst);
        src.resize(index(u64::from(tile.len)), 0);
        dst.resize(index(u64::from(tile.dst_len)), 0);
        let read = match flags.contains(TileFlags::GUEST_SOURCE) {
            true => view.pool.read_guest(tile.src, src),
            false => view.pool.read(tile.src, src),
        };
        if !read {
            return Err(Status::Malformed);
        }
        let data = Data::Apart { src, dst };
        filled
            .key
            .run(&work, data)
            .map_err(|_| Status::BackendFailed)?;
        if view.pool.write(tile.dst, dst) {
            Ok(())
        } else {
            Err(Status::Malformed)
        }
    }

    /// Has the tile's key expanded, anew if its slot moved on.
    fn expand(&mut self, view: View<'_>, tile: &Tile) -> Result<(), Status> {
        let algorithm = (self.lookup)(AlgorithmId(tile.algorithm)).ok_or(Status::Unsupported)?;
        if algorithm.has_key() && self.generation(view, tile.key_slot) != Some(tile.key_generation)
        {
            self.keys.remove(&tile.key_slot);
            return Err(Status::StaleKey);
        }
        let same = |filled: &Filled| {
            filled.generation == tile.key_generation && filled.algorithm == tile.algorithm
        };
        if self.keys.get(&tile.key_slot).is_some_and(same) {
            return Ok(());
        }
        let key = if algorithm.has_key() {
            let (slot, generation) = (tile.key_slot, tile.key_generation);
            let mut entry = keytable::read(view.control, &self.layout, slot, generation)
                .ok_or(Status::StaleKey)?;
            let key = if entry.algorithm == tile.algorithm {
                entry.bytes().and_then(|key| (self.expand)(algorithm, key))
            } else {
                None
            };
            zeroize::Zeroize::zeroize(&mut entry.key);
            key.ok_or(Status::Malformed)?
        } else {
            (self.expand)(algorithm, &[]).ok_or(Status::BackendFailed)?
        };
        let filled = Filled {
            generation: tile.key_generation,
            algorithm: tile.algorithm,
            key,
        };
        self.keys.insert(tile.key_slot, filled);
        Ok(())
    }

    /// The generation that a slot has now.
    fn generation(&self, view: View<'_>, slot: u32) -> Option<u32> {
        let at = keytable::entry_at(&self.layout, slot)?;
        Some(low32(view.control.load(at)))
    }

    /// Forgets the keys whose slots have moved on.
    pub fn forget(&mut self, view: View<'_>) {
        let mut keys = core::mem::take(&mut self.keys);
        keys.retain(|slot, filled| self.generation(view, *slot) == Some(filled.generation));
        self.keys = keys;
    }

    /// Posts a completion, whatever it says; `publish` shows it. `false` when the ring is full.
    ///
    /// # Errors
    /// When the module broke its ring.
    pub fn push(&mut self, view: View<'_>, completion: &Completion) -> Result<bool, RingError> {
        self.completions.push(view.helper, view.control, completion)
    }

    /// Shows the module what was posted.
    pub fn publish(&self, view: View<'_>) {
        self.completions.publish(view.helper);
    }

    /// Posts and shows a completion. `false` when the ring is full.
    ///
    /// # Errors
    /// When the module broke its ring.
    pub fn post(&mut self, view: View<'_>, completion: &Completion) -> Result<bool, RingError> {
        let posted = self.push(view, completion)?;
        self.publish(view);
        Ok(posted)
    }

    /// Computes and answers the oldest that it took. `false` when there is none.
    ///
    /// # Errors
    /// When the module broke its ring.
    pub fn answer(&mut self, view: View<'_>) -> Result<bool, RingError> {
        let Some(submission) = self.taken.pop_front() else {
            return Ok(false);
        };
        let completion = self.compute(view, &submission);
        // Where lies took the room, the answer is lost: computing in place cannot be done again.
        self.post(view, &completion).map(|_| true)
    }

    /// Takes and answers all there is. The result is how many that was.
    ///
    /// # Errors
    /// When the module broke its ring.
    pub fn serve(&mut self, view: View<'_>) -> Result<usize, RingError> {
        self.take(view)?;
        let mut served = 0;
        while self.answer(view)? {
            served += 1;
        }
        Ok(served)
    }

    /// Shows a sign of life.
    pub fn beat(&self, view: View<'_>) {
        let beats = view.helper.load(word::HEARTBEAT);
        view.helper.store(word::HEARTBEAT, beats.wrapping_add(1));
    }

    /// Where the rings stand.
    #[must_use]
    pub fn ring_now(&self, view: View<'_>) -> RingNow {
        RingNow {
            entries: self.layout.sizes.entries,
            published: view.control.load(word::SQ_TAIL),
            posted: self.completions.pushed(),
            consumed: view.control.load(word::CQ_HEAD),
        }
    }

    /// Flips one bit of one byte of a computed result. `false` when it has no byte.
    pub fn spoil(&self, view: View<'_>, submission: &Submission, dice: &mut Dice) -> bool {
        let count = u64::from(submission.tile_count);
        let at = submission.tile_first.wrapping_add(low32(dice.roll(count)));
        let Some(tile) = self.tile(view, at) else {
            return false;
        };
        let at = tile.dst.wrapping_add(dice.roll(u64::from(tile.dst_len)));
        let mut byte = [0];
        if tile.dst_len == 0 || !view.pool.read(at, &mut byte) {
            return false;
        }
        byte[0] ^= 1 << dice.roll(8);
        view.pool.write(at, &byte)
    }

    /// Writes one byte all over a submission's destinations.
    pub fn scribble(&self, view: View<'_>, submission: &Submission, byte: u8) {
        for i in 0..submission.tile_count {
            if let Some(tile) = self.tile(view, submission.tile_first.wrapping_add(i))
                && u64::from(tile.dst_len) <= self.layout.sizes.pool_bytes
            {
                let len = index(u64::from(tile.dst_len));
                let _inside = view.pool.write(tile.dst, &alloc::vec![byte; len]);
            }
        }
    }

    /// Answers a request that was taken as the lie has it, and shows that to the module. The
    /// result is whether the request is done with; an honest answer may still follow if not.
    ///
    /// # Errors
    /// When the module broke its ring.
    pub fn tell(
        &mut self,
        view: View<'_>,
        lie: Lie,
        submission: &Submission,
        dice: &mut Dice,
    ) -> Result<bool, RingError> {
        match lie {
            Lie::WrongAnswer | Lie::WrongData => {
                let completion = self.compute(view, submission);
                self.spoil(view, submission, dice);
                self.post(view, &completion)?;
            }
            Lie::Failing => {
                let failed = self.completion(submission, Status::BackendFailed);
                self.post(view, &failed)?;
            }
            Lie::NoAnswer | Lie::Silence => {}
            Lie::Late => self.late.push(*submission),
            Lie::Doubled => {
                let completion = self.compute(view, submission);
                self.post(view, &completion)?;
                self.post(view, &completion)?;
            }
            _ => {
                let good = self.completion(submission, Status::Ok);
                if let Some(bent) = lie.bend(&good) {
                    self.post(view, &bent)?;
                }
                self.misplace(view, lie);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives a ring word its impossible value, if the lie is about one.
    pub fn misplace(&self, view: View<'_>, lie: Lie) {
        if let Some((at, value)) = lie.word(&self.ring_now(view)) {
            view.helper.store(at, value);
        }
    }

    /// Answers what [`Lie::Late`] kept back, rightly. The result is how many that was.
    ///
    /// # Errors
    /// When the module broke its ring.
    pub fn answer_late(&mut self, view: View<'_>) -> Result<usize, RingError> {
        let late = core::mem::take(&mut self.late);
        for submission in &late {
            let completion = self.compute(view, submission);
            self.post(view, &completion)?;
        }
        Ok(late.len())
    }
}
