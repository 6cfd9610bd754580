//! The dispatcher: takes submissions off the ring, checks them, gives their tiles to the backend,
//! and posts completions. One thread, no locks, nothing allocated per request.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kgpu_core::abi::{Completion, SessionState, Submission, Tile, word};
use kgpu_core::cell::Words;
use kgpu_core::num::index;
use kgpu_core::ring::{CompletionProducer, RingPlace, SubmissionConsumer};

use crate::backend::Backend;
use crate::catalogue::Catalogue;
use crate::ending::{ABANDON, DispatchError, Ended, GO_ON, LEAVE, Stop};
use crate::fault::Fault;
use crate::job::{Job, Outcome};
use crate::keys::KeyCache;
use crate::link::{Link, Woken};
use crate::region::Region;
use crate::seats::{Seats, completion};
use crate::tally::Tally;
use crate::validate::{self, Accepted};
use crate::waker::Waker;
use crate::wipe;

/// Most requests of a batch: enough to share the cost of a look at the ring, few enough that what
/// comes later does not wait long.
const BATCH: usize = 128;
/// How often prepared keys are compared with the key table.
const SWEEP: Duration = Duration::from_millis(200);
/// Rounds of work between two looks at the clock for that.
const SWEEP_ROUNDS: u32 = 1024;

/// What a dispatcher works with.
#[derive(Debug)]
pub struct Parts<B, L> {
    /// The shared region.
    pub region: Arc<Region>,
    /// The algorithms served.
    pub catalogue: Catalogue,
    /// What computes.
    pub backend: B,
    /// The other end.
    pub link: L,
    /// What wakes the dispatcher; the backend's threads use it too.
    pub waker: Arc<Waker>,
    /// What stops it.
    pub stop: Arc<Stop>,
    /// How long it polls before it sleeps.
    pub poll: Duration,
    /// How long it sleeps at most before it looks up by itself.
    pub look: Duration,
}

/// The dispatcher of one session.
#[derive(Debug)]
pub struct Dispatcher<B, L> {
    parts: Parts<B, L>,
    sq: SubmissionConsumer,
    cq: CompletionProducer,
    seats: Seats,
    keys: KeyCache,
    jobs: Vec<Job>,
    outcomes: Vec<Outcome>,
    /// Completions for which the ring had no room: the module broke its promise.
    unposted: VecDeque<Completion>,
    /// Completions the module can see.
    published: u64,
    /// Whether the module may have fallen asleep unseen since they were published.
    unsure: bool,
    arrived: u64,
    swept: Instant,
    tally: Tally,
}

impl<B: Backend, L: Link> Dispatcher<B, L> {
    /// A dispatcher at the start of a session.
    #[must_use]
    pub fn new(parts: Parts<B, L>) -> Self {
        let layout = parts.region.layout();
        let entries = layout.sizes.entries;
        Self {
            sq: SubmissionConsumer::new(RingPlace::submissions(layout)),
            cq: CompletionProducer::new(RingPlace::completions(layout)),
            seats: Seats::new(entries),
            keys: KeyCache::new(layout, &parts.catalogue, parts.backend.schedules()),
            jobs: Vec::with_capacity(index(u64::from(layout.sizes.tiles))),
            outcomes: Vec::with_capacity(index(u64::from(layout.sizes.tiles))),
            unposted: VecDeque::with_capacity(index(u64::from(entries))),
            published: 0,
            unsure: false,
            arrived: 0,
            swept: Instant::now(),
            tally: Tally::default(),
            parts,
        }
    }

    /// Serves until the session ends.
    ///
    /// # Errors
    /// [`DispatchError`]: the module broke the protocol, or the device failed.
    pub fn run(mut self) -> Result<(Ended, Tally), DispatchError> {
        let mut idle_since = None;
        let mut rounds = 0u32;
        loop {
            let stop = self.parts.stop.get();
            if stop == LEAVE {
                return Ok((Ended::Stopped, self.tally));
            }
            let state = self.parts.region.state().map_err(DispatchError::State)?;
            if state == SessionState::Quarantined {
                return Ok((Ended::Quarantined, self.tally));
            }
            let mut progress = self.take(stop == ABANDON)?;
            progress |= self.collect()?;
            if progress {
                idle_since = None;
                rounds = rounds.wrapping_add(1);
                if rounds.is_multiple_of(SWEEP_ROUNDS) {
                    self.sweep();
                }
                continue;
            }
            if self.seats.is_empty() && self.unposted.is_empty() {
                if stop != GO_ON {
                    return Ok((Ended::Stopped, self.tally));
                }
                if !state.is_open() {
                    let ended = if state == SessionState::Replaced {
                        Ended::Replaced
                    } else {
                        Ended::Retired
                    };
                    return Ok((ended, self.tally));
                }
            }
            let since = *idle_since.get_or_insert_with(Instant::now);
            if since.elapsed() < self.parts.poll {
                std::hint::spin_loop();
            } else {
                self.sleep(state)?;
                idle_since = None;
            }
        }
    }

    /// Takes a batch off the ring, if the backend wants one. Whether there was one.
    fn take(&mut self, abandon: bool) -> Result<bool, DispatchError> {
        if !self.parts.backend.hungry() || !self.unposted.is_empty() {
            return Ok(false);
        }
        let region = Arc::clone(&self.parts.region);
        let (control, helper) = (region.control(), region.helper());
        let most = BATCH.min(self.seats.free());
        let mut taken = 0;
        while taken < most {
            let next = self.sq.pop(control).map_err(DispatchError::Ring)?;
            let Some(submission) = next else {
                break;
            };
            taken += 1;
            let admitted = if abandon {
                Err(Fault::ShuttingDown)
            } else {
                self.admit(&submission, control)
            };
            if let Err(fault) = admitted {
                let refused = completion(&submission, Some(&fault), self.parts.backend.code());
                self.finish(refused, 0, Some(fault))?;
            }
        }
        if taken == 0 {
            return Ok(false);
        }
        // Entries and tiles are copied: the module may reuse the entries.
        self.sq.release(helper);
        if !self.jobs.is_empty() {
            self.parts.backend.submit(&mut self.jobs);
        }
        Ok(true)
    }

    /// Checks a submission with all its tiles and makes jobs of them: all or none.
    fn admit(&mut self, submission: &Submission, control: Words<'_>) -> Result<(), Fault> {
        let region = &self.parts.region;
        let layout = region.layout();
        let accepted =
            validate::submission(submission, region.session(), layout, &self.parts.catalogue)?;
        let table = layout.sizes.tiles;
        if self.seats.tiles() + u64::from(submission.tile_count) > u64::from(table) {
            return Err(Fault::TilesInFlight { table });
        }
        let first_tile = layout.tile_offset
            + u64::from(submission.tile_first) * u64::try_from(size_of::<Tile>()).unwrap_or(0);
        let before = self.jobs.len();
        match self.cut(submission, &accepted, first_tile, control) {
            Ok(()) => {
                // PANIC: none; `take` asks for no more than there are free seats.
                let seat = self.seats.take(*submission).unwrap_or(u32::MAX);
                for job in self.jobs.iter_mut().skip(before) {
                    job.seat = seat;
                }
                Ok(())
            }
            Err(fault) => {
                self.jobs.truncate(before);
                Err(fault)
            }
        }
    }

    /// Makes jobs of a submission's tiles.
    fn cut(
        &mut self,
        submission: &Submission,
        accepted: &Accepted,
        first_tile: u64,
        control: Words<'_>,
    ) -> Result<(), Fault> {
        let (mut bytes, mut written) = (0u64, 0u64);
        let mut at = first_tile;
        for _ in 0..submission.tile_count {
            let tile: Tile = control.load_entry(at).ok_or(Fault::TileRange {
                first: submission.tile_first,
                count: submission.tile_count,
                table: 0,
            })?;
            at += u64::try_from(size_of::<Tile>()).unwrap_or(0);
            let (work, span) = validate::tile(&tile, accepted)?;
            self.parts.region.check(&span).map_err(Fault::Span)?;
            bytes += u64::from(span.len);
            written += u64::from(span.dst_len);
            let key = self.keys.get(
                control,
                accepted.algorithm,
                accepted.index,
                tile.key_slot,
                tile.key_generation,
            )?;
            self.arrived += 1;
            self.jobs.push(Job {
                seat: 0,
                order: self.arrived,
                span,
                work,
                key,
            });
        }
        for (what, found, expected) in [
            ("source length", bytes, submission.bytes),
            ("output length", written, submission.written_len),
        ] {
            if found != u64::from(expected) {
                return Err(Fault::Sum {
                    what,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }

    /// Lets the backend get on, and posts what is finished. Whether anything was.
    fn collect(&mut self) -> Result<bool, DispatchError> {
        while let Some(completion) = self.unposted.pop_front() {
            if !self.post(completion)? {
                break;
            }
        }
        let mut outcomes = std::mem::take(&mut self.outcomes);
        self.parts.backend.collect(&mut outcomes);
        self.wake_module()?;
        let mut progress = !outcomes.is_empty();
        for outcome in outcomes.drain(..) {
            let done = self.seats.settle(&outcome);
            if let Some((completion, bytes, fault)) = done {
                self.finish(completion, bytes, fault)?;
            }
        }
        self.outcomes = outcomes;
        if self.cq.pushed() != self.published {
            self.publish()?;
            progress = true;
        }
        Ok(progress)
    }

    /// Counts a finished request and posts its completion.
    fn finish(
        &mut self,
        completion: Completion,
        bytes: u32,
        fault: Option<Fault>,
    ) -> Result<(), DispatchError> {
        self.tally.count(&completion, bytes, fault);
        self.post(completion).map(|_| ())
    }

    /// Puts a completion on the ring, or aside when there is no room. Whether there was.
    fn post(&mut self, completion: Completion) -> Result<bool, DispatchError> {
        let region = &self.parts.region;
        let posted = self
            .cq
            .push(region.helper(), region.control(), &completion)
            .map_err(DispatchError::Ring)?;
        if !posted {
            self.unposted.push_front(completion);
        }
        Ok(posted)
    }

    /// Makes the posted completions visible, and wakes the module if it is seen to sleep.
    ///
    /// Whether it sleeps is certain only behind a fence, which waits until the other processor has
    /// let go of the ring's cache line. While there is more to compute that wait is put off until
    /// the next tile is done ([`Dispatcher::wake_module`]); a module that fell asleep in the very
    /// moment is woken then.
    fn publish(&mut self) -> Result<(), DispatchError> {
        self.cq.publish(self.parts.region.helper());
        self.published = self.cq.pushed();
        self.unsure = self.parts.backend.pending() > 0;
        if !self.unsure {
            Words::fence();
        }
        self.kick_if_needed()
    }

    /// Makes up for a look without a fence.
    fn wake_module(&mut self) -> Result<(), DispatchError> {
        if !self.unsure {
            return Ok(());
        }
        self.unsure = false;
        Words::fence();
        self.kick_if_needed()
    }

    fn kick_if_needed(&mut self) -> Result<(), DispatchError> {
        let region = &self.parts.region;
        if region.control().load(word::KICK_NEEDED) == 0 {
            return Ok(());
        }
        self.tally.kicks += 1;
        match self.parts.link.kick() {
            // A session that is over may well refuse it.
            Err(errno) if region.state().is_ok_and(SessionState::is_open) => {
                Err(DispatchError::Device(errno))
            }
            _ => Ok(()),
        }
    }

    /// Sleeps until there is something to do, after one more look.
    fn sleep(&mut self, state: SessionState) -> Result<(), DispatchError> {
        self.sweep();
        let region = &self.parts.region;
        let (backend, waker) = (&self.parts.backend, &self.parts.waker);
        let stop = self.parts.stop.get();
        let draining = stop != GO_ON || !state.is_open();
        let room = backend.hungry() && self.unposted.is_empty() && self.seats.free() > 0;
        // In this order: the waker's fence stands behind both words.
        self.parts.link.going_to_sleep();
        waker.going_to_sleep();
        let ready = room
            && self
                .sq
                .ready(region.control())
                .map_err(DispatchError::Ring)?
                > 0;
        let told = self.parts.stop.get() != stop;
        let moved = region.state().map_err(DispatchError::State)? != state;
        if ready || told || moved || backend.ready() {
            waker.awake();
            self.parts.link.awake();
            return Ok(());
        }
        let nap = if self.unposted.is_empty() {
            self.parts.look
        } else {
            Duration::from_millis(1)
        };
        let woken = self
            .parts
            .link
            .sleep(waker, room && !draining, nap)
            .map_err(DispatchError::Device)?;
        if woken == Woken::TimeOver && room {
            let missed = self.sq.ready(region.control());
            self.tally.overslept += u64::from(missed.map_err(DispatchError::Ring)? > 0);
        }
        match (woken, region.state().map_err(DispatchError::State)?) {
            (Woken::Over, state) if state.is_open() => Err(DispatchError::HungUp(state)),
            _ => Ok(()),
        }
    }

    /// Drops prepared keys whose slots have moved on, now and then, and clears what of keys is left on the stack and in
    /// registers.
    fn sweep(&mut self) {
        if self.swept.elapsed() >= SWEEP {
            self.swept = Instant::now();
            self.tally.swept += self.keys.sweep(self.parts.region.control());
            // Ciphers that ran on this thread kept round keys there.
            wipe::leftovers();
        }
    }
}
