//! The session the engine serves: its rings, its requests in flight, and how much it is trusted.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU64, Ordering};

use kgpu_core::abi::guest::{PageRun, SourceAreas};
use kgpu_core::abi::{Features, RequestId, SessionState, word};
use kgpu_core::inflight::{InFlight, Seat};
use kgpu_core::keytable;
use kgpu_core::num::index;
use kgpu_core::ring::{CompletionConsumer, RingError, RingPlace, SubmissionProducer};
use kgpu_core::runs::GRANULE;

use super::fall_back;
use crate::chain::Chain;
use crate::counters::{GLOBAL, Reason};
use crate::errno::Errno;
use crate::ffi::{self, Level, lock, log};
use crate::flight::{Flight, Waiter};
use crate::kat::KatRun;
use crate::params;
use crate::session::{self, Books, Session, row};
use crate::share::Shares;

/// A session being served.
#[derive(Debug)]
pub struct Active {
    /// The session.
    pub session: Arc<Session>,
    pub(super) submissions: SubmissionProducer,
    pub(super) completions: CompletionConsumer,
    pub(super) flights: InFlight<Box<[Seat<Flight>]>, Flight>,
    pub(super) kat: KatRun,
    /// Where the helper reads sources in a guest's memory. A copy of ours, bounded.
    sources: SourceAreas,
    pub(super) shares: Shares,
    /// Completions that were not believed and were not merely late.
    pub(super) abuses: u32,
    /// Tiles of requests that were taken back: never used again in this session.
    pub(super) quarantined_tiles: u32,
    /// Requests of submitters that it has; the ring's may stand for several.
    pub(super) requests: u32,
    /// Requests of the ring taken back whose completion may still come.
    pub(super) late_expected: u32,
    pub(super) stall: Option<Stall>,
    /// Stalls without a believed completion in between.
    pub(super) strikes: u32,
    /// The earliest deadline in flight, or earlier; `u64::MAX` for none.
    pub(super) next_deadline: u64,
    /// Since when there has been nothing to do but requests in flight.
    pub(super) dozing_since: Option<u64>,
}

/// The helper missed a deadline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stall {
    pub(super) since: u64,
    pub(super) heartbeat: u64,
    pub(super) head: u64,
}

impl Active {
    /// Everything a session needs to be served, allocated here, once. May sleep.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(session: Arc<Session>) -> Result<Box<[Self; 1]>, Errno> {
        let sizes = session.layout.sizes;
        let percent = u64::from(params::SHARE_PERCENT.get());
        let slots = u64::from(sizes.keys) * percent / 100;
        let active = Self {
            submissions: SubmissionProducer::new(RingPlace::submissions(&session.layout)),
            completions: CompletionConsumer::new(RingPlace::completions(&session.layout)),
            flights: InFlight::new(row(index(u64::from(sizes.entries)))?),
            kat: KatRun::default(),
            sources: SourceAreas::NONE,
            shares: Shares::new(
                sizes.pool_bytes * percent / 100,
                u32::try_from(slots.max(1)).unwrap_or(1),
            ),
            abuses: 0,
            quarantined_tiles: 0,
            requests: 0,
            late_expected: 0,
            stall: None,
            strikes: 0,
            next_deadline: u64::MAX,
            dozing_since: None,
            session,
        };
        let mut row = alloc::vec::Vec::new();
        row.try_reserve_exact(1).map_err(|_| Errno::NOMEM)?;
        row.push(active);
        row.into_boxed_slice().try_into().map_err(|_| Errno::NOMEM)
    }

    /// Whether requests are routed to it.
    pub(crate) fn is_live(&self) -> bool {
        self.session.state() == SessionState::Live
    }

    /// Whether it missed a deadline and has shown no life since.
    pub(crate) const fn is_stalled(&self) -> bool {
        self.stall.is_some()
    }

    /// Memory of this guest that the helper reads sources in, where they lie; none where it reads the pool alone.
    pub(super) fn areas(&self) -> &[PageRun] {
        self.sources.checked().unwrap_or_default()
    }

    /// The helper serves the ring: what it said of the sources that it reads stands. `false` when that is impossible.
    pub(super) fn take_areas(&mut self) -> bool {
        if self.session.features.contains(Features::GUEST_SOURCES) {
            let told = SourceAreas::load(self.session.helper.words());
            if let Err(error) = told.checked() {
                self.quarantine(format_args!("it reads sources in {error}"));
                return false;
            }
            self.sources = told;
        }
        true
    }

    /// The engine is awake: new completions need no kick.
    pub(super) fn awake(&mut self) {
        self.session.control.words().store(word::KICK_NEEDED, 0);
    }

    /// Makes what was pushed visible and wakes the helper if it sleeps.
    pub(super) fn publish(&mut self) {
        self.submissions.publish(self.session.control.words());
        self.session
            .published
            .store(self.submissions.pushed(), Ordering::Release);
        self.session.ring_for_submissions();
    }

    /// Stops routing to it; what is in flight may still be answered.
    pub(super) fn retire(&mut self, why: &str) {
        if self.session.state().is_open() {
            log(
                Level::Info,
                format_args!("session {} retired: {why}", self.session.generation),
            );
            self.unroute();
            self.session.set_state(SessionState::Retired);
            self.retire_keys();
        }
    }

    /// Nothing more is sent: each key leaves the table now, or with its last request. Transforms know
    /// one slot of theirs only, and another session may have it.
    fn retire_keys(&self) {
        let (layout, words) = (&self.session.layout, self.session.control.words());
        for slot in 0..layout.sizes.keys {
            let mut guard = lock();
            let slots = &mut self.session.books.get(&mut guard).slots;
            if let Some(generation) = slots.retire_slot(slot) {
                keytable::clear(words, layout, slot, generation);
            }
        }
    }

    /// Whether it is tested and not routed to yet.
    pub(super) fn has_passed(&self) -> bool {
        self.kat.is_done() && self.session.state() == SessionState::Testing
    }

    /// Routes requests to it.
    pub(super) fn go_live(&mut self) {
        self.session.set_state(SessionState::Live);
        self.route();
        log(
            Level::Info,
            format_args!(
                "helper {} passed {} known answers: session {} is live",
                self.session.peer, self.kat.passed, self.session.generation
            ),
        );
        ffi::register_later();
    }

    /// Another helper takes over: what this one has it may finish. Submitters see no gap, since
    /// routing stays on.
    pub(super) fn replace(&mut self) {
        GLOBAL.takeovers.add(1);
        GLOBAL.takeover_in_flight.set(u64::from(self.requests));
        log(
            Level::Info,
            format_args!(
                "session {} replaced with {} requests in flight",
                self.session.generation, self.requests
            ),
        );
        let state = if self.session.minor > 0 {
            SessionState::Replaced
        } else {
            SessionState::Retired
        };
        self.session.set_state(state);
        self.retire_keys();
    }

    /// Sets routing to what the session's state says, if it is the one that is routed to.
    pub(super) fn route(&self) {
        if self.is_live() {
            session::route(true, self.is_stalled(), !self.areas().is_empty());
        }
    }

    /// Nothing more goes to it.
    fn unroute(&self) {
        if self.is_live() {
            session::route(false, false, false);
        }
    }

    /// A ring word of the helper is impossible.
    pub(super) fn broken(&mut self, error: &RingError) {
        if let Some(count) = GLOBAL.ring_errors.get(error.kind()) {
            count.add(1);
        }
        self.quarantine(format_args!("{error}"));
    }

    /// Believes nothing of it any more: the fallback does what is in flight, and its pool pages
    /// are used for nothing until it is gone.
    pub(super) fn quarantine(&mut self, why: core::fmt::Arguments<'_>) {
        if self.session.state() == SessionState::Quarantined {
            return;
        }
        log(
            Level::Notice,
            format_args!(
                "helper {} quarantined: {why}; the kernel's own ciphers take over",
                self.session.peer
            ),
        );
        GLOBAL.quarantines.add(1);
        self.unroute();
        self.session.set_state(SessionState::Quarantined);
        self.retire_keys();
        self.abandon(Reason::Quarantine);
    }

    /// Hands everything in flight to the fallback, each request once.
    pub(super) fn abandon(&mut self, reason: Reason) {
        if self.session.state().is_open() {
            self.unroute();
            self.session.set_state(SessionState::Retired);
        }
        self.take_all_back(reason);
    }

    /// Takes everything in flight back.
    pub(super) fn take_all_back(&mut self, reason: Reason) {
        for slot in 0..self.session.layout.sizes.entries {
            if let Some(id) = self.flights.id_of(slot) {
                self.take_back(id, reason);
            }
        }
        self.next_deadline = u64::MAX;
    }

    /// Takes a request back from the helper. Its pool pages, and the tiles that name them, stay
    /// taken until the session is gone: a late write must hit nothing.
    pub(super) fn take_back(&mut self, id: RequestId, reason: Reason) {
        let Some(flight) = self.flights.remove(id) else {
            return;
        };
        self.late_expected += 1;
        self.requests -= flight.count;
        let mut granules = flight.pool.count;
        self.quarantined_tiles += flight.tiles.count;
        let slot_is_free = self.release_key(&flight);
        if let Waiter::Jobs(mut chain) = flight.waiter {
            GLOBAL.taken_over.add(u64::from(flight.count));
            self.release_share(&chain, slot_is_free, flight.bytes);
            chain.for_each_mut(|job| {
                let core = job.core_mut();
                granules += match core.held.take() {
                    // Taken for good.
                    Some(held) => held.into_run().count,
                    // Where nothing of the pool is ours to give back, the caller's own buffers are what a late write
                    // may hit.
                    None if core.buffers.is_some() => core.output_len.div_ceil(GRANULE),
                    None => 0,
                };
                core.taken_over = true;
                if reason == Reason::Deadline {
                    core.deadline = NonZeroU64::new(flight.deadline);
                }
            });
            fall_back(chain, reason);
        }
        self.session
            .quarantined
            .fetch_add(u64::from(granules) * u64::from(GRANULE), Ordering::Relaxed);
    }

    /// Gives back what a finished flight held of the region, but for what its requests hold of the pool. The result is
    /// whether it was the last flight on its key's slot.
    pub(super) fn release(&self, flight: &Flight) -> bool {
        let mut guard = lock();
        let books = self.session.books.get(&mut guard);
        books.tiles.give(flight.tiles);
        books.pool.give(flight.pool);
        self.release_slot(books, flight)
    }

    /// The same of its key slot alone.
    fn release_key(&self, flight: &Flight) -> bool {
        let mut guard = lock();
        self.release_slot(self.session.books.get(&mut guard), flight)
    }

    fn release_slot(&self, books: &mut Books, flight: &Flight) -> bool {
        let Some(slot) = flight.slot else {
            return false;
        };
        if let Some(generation) = books.slots.release(slot) {
            keytable::clear(
                self.session.control.words(),
                &self.session.layout,
                slot,
                generation,
            );
        }
        books.slots.in_flight(slot) == 0
    }

    /// Gives requests' share back; `slot` if their key's slot has no other request in flight.
    pub(super) fn release_share(&mut self, chain: &Chain, slot: bool, bytes: u32) {
        let tfm = chain.first().core().tfm.get();
        subtract(&tfm.in_flight, u64::from(bytes));
        self.shares.give(tfm.owner, u64::from(bytes), slot);
    }
}

/// Only the engine writes the count, so that load and store need not be one.
pub(super) fn subtract(count: &AtomicU64, n: u64) {
    let left = count.load(Ordering::Relaxed).saturating_sub(n);
    count.store(left, Ordering::Relaxed);
}

impl Drop for Active {
    fn drop(&mut self) {
        // Keys leave the region with the helper, not with the pages' last reference.
        let layout = self.session.layout;
        for slot in 0..layout.sizes.keys {
            keytable::clear(self.session.control.words(), &layout, slot, 0);
        }
    }
}
