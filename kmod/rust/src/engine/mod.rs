//! The engine: one kernel thread that takes queued requests, decides helper or fallback by what is
//! queued, keeps the ring, and answers for every request it took.
//!
//! It never sleeps in here and never allocates: a pass is bounded work, after which it says for how
//! long there is nothing to do.

mod active;
mod deliver;
mod landed;
mod merge;
mod offload;
mod reap;
mod recheck;
#[cfg(any(test, feature = "mock"))]
pub(crate) mod tests;
mod tiles;
mod watch;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

pub use active::Active;
pub use landed::{DELIVERERS, deliver};
use offload::Refusal;
pub use recheck::Wrong;

use crate::chain::Chain;
use crate::counters::{self, GLOBAL, Reason};
use crate::errno::Errno;
use crate::ffi::{self, Guard, Guarded, Job, lock};
use crate::session::{SESSIONS, Session};
use crate::{ALGORITHMS, held, kept, params, power, submit};

/// Requests taken from the queue and not yet decided on.
const STAGE: usize = 1024;
/// Closed sessions whose pool buffers are still held.
const ZOMBIES: usize = 16;

/// Sessions that were attached and that the engine has not taken yet. Under the lock.
static INCOMING: Guarded<[Option<Row>; SESSIONS]> = Guarded::new([const { None }; SESSIONS]);

/// A session being served: a row of one, because a row can be allocated fallibly.
pub type Row = Box<[Active; 1]>;

/// Hands a new session to the engine, which is then to be woken.
///
/// # Errors
/// Gives it back when too many wait already.
pub fn hand_over(guard: &mut Guard, active: Row) -> Result<(), Row> {
    match INCOMING.get(guard).iter_mut().find(|place| place.is_none()) {
        Some(place) => {
            *place = Some(active);
            Ok(())
        }
        None => Err(active),
    }
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    staged: VecDeque<Job>,
    /// In the order of their attachment. At most one is live.
    actives: Vec<Row>,
    zombies: Vec<Arc<Session>>,
}

impl Engine {
    /// An engine without a session.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new() -> Result<Self, Errno> {
        let mut staged = VecDeque::new();
        staged.try_reserve_exact(STAGE).map_err(|_| Errno::NOMEM)?;
        let (mut actives, mut zombies) = (Vec::new(), Vec::new());
        actives
            .try_reserve_exact(SESSIONS)
            .map_err(|_| Errno::NOMEM)?;
        zombies
            .try_reserve_exact(ZOMBIES)
            .map_err(|_| Errno::NOMEM)?;
        Ok(Self {
            staged,
            actives,
            zombies,
        })
    }

    fn actives(&mut self) -> impl Iterator<Item = &mut Active> {
        self.actives.iter_mut().map(|row| {
            let [active] = &mut **row;
            active
        })
    }

    /// One round: sessions, completions, known answers, queued requests, deadlines. The result is
    /// for how many nanoseconds there is nothing to do; 0 means: again, at once.
    pub fn pass(&mut self) -> u64 {
        let paused = power::is_paused();
        self.sessions();
        let mut busy = false;
        for active in self.actives() {
            active.awake();
            busy |= active.reap();
            busy |= active.known_answers();
        }
        self.promote();
        busy |= self.flush();
        let now = ffi::now();
        let (mut in_flight, mut idle) = (0, true);
        for active in self.actives() {
            active.watch(now);
            in_flight += u64::from(active.requests);
            idle &= active.flights.is_empty();
        }
        GLOBAL.in_flight.set(in_flight);
        power::set_drained(paused && idle);
        if busy { 0 } else { self.rest(now) }
    }

    /// Takes new sessions; lets go of closed ones.
    fn sessions(&mut self) {
        while self.actives.len() < SESSIONS {
            let mut guard = lock();
            let mut waiting = INCOMING.get(&mut guard).iter_mut();
            let Some(new) = waiting.find_map(Option::take) else {
                break;
            };
            self.actives.push(new);
        }
        kept::release(ffi::now());
        // Also while no helper is there: nobody else lets go of a pool whose last buffer is free.
        self.zombies
            .retain(|session| session.books.get(&mut lock()).buffers > 0);
        for active in self.actives() {
            if active.session.detached.load(Ordering::Acquire) {
                active.retire("the helper detached");
            }
            if active.session.closed.load(Ordering::Acquire) {
                active.abandon(Reason::Death);
            }
        }
        let closed = |row: &mut Row| row[0].session.closed.load(Ordering::Acquire);
        while let Some(at) = self.actives.iter_mut().position(closed) {
            let row = self.actives.remove(at);
            let session = row[0].session.clone();
            // Clears its keys, before anybody is told that it is gone.
            drop(row);
            self.bury(session);
        }
    }

    /// Lets go of a closed session, but for a pool that callers still hold buffers of.
    fn bury(&mut self, session: Arc<Session>) {
        GLOBAL.closed.add(1);
        let told = session.clone();
        let held = session.books.get(&mut lock()).buffers > 0;
        if held && self.zombies.len() < ZOMBIES {
            self.zombies.push(session);
        } else if held {
            // Its pool stays until reboot rather than under somebody's feet.
            ffi::log(
                ffi::Level::Error,
                format_args!("too many closed sessions with pool buffers held: one pool is lost"),
            );
            core::mem::forget(session);
        }
        // Last: whoever waits for it may be the one that frees what is left.
        told.tell_gone();
    }

    /// Routes to a helper that has passed its known answers, and no more to the one before.
    fn promote(&mut self) {
        let Some(at) = self.actives().position(|active| active.has_passed()) else {
            return;
        };
        if let Some(old) = self.actives().find(|active| active.is_live()) {
            old.replace();
        }
        if let Some(new) = self.actives().nth(at) {
            new.go_live();
        }
    }

    /// Decides on what is queued. The result is whether there may be more at once.
    fn flush(&mut self) -> bool {
        self.stage();
        if self.staged.is_empty() {
            return false;
        }
        let more = self.staged.len() == STAGE;
        let reason = submit::route();
        let Self {
            staged, actives, ..
        } = self;
        let live = actives.iter_mut().map(|row| &mut row[0]);
        let live = live.into_iter().find(|active| active.is_live());
        let (Some(active), None) = (live, reason) else {
            for job in staged.drain(..) {
                fall_back(Chain::new(job), reason.unwrap_or(Reason::NoHelper));
            }
            return more;
        };
        let mut queued = [0u64; ALGORITHMS];
        for job in staged.iter() {
            if let Some(bytes) = queued.get_mut(job.algorithm()) {
                *bytes += u64::from(job.core().shape.len);
            }
        }
        let now = ffi::now();
        let mut merge = merge::Limits::new(&active.session);
        let (mut sent, mut full) = (false, false);
        // Those that find no room go back behind the others, for the next time.
        let mut left = staged.len();
        while let Some(first) = staged.front().filter(|_| left > 0) {
            let index = first.algorithm();
            let worth = first.core().worth_it
                || queued
                    .get(index)
                    .is_some_and(|q| *q >= params::crossover(index));
            let live = active.is_live();
            let together = match live && worth && !full {
                true => merge.count(staged.iter().take(left)),
                false => 1,
            };
            left -= together;
            let Some(mut chain) = Chain::link(staged.drain(..together).rev()) else {
                break;
            };
            if !live {
                // Quarantined for what one of these found. A helper that repairs its words
                // meanwhile gets nothing more: nobody would look for the answer.
                fall_back(chain, Reason::NoHelper);
                continue;
            }
            submit::expect(index, worth);
            if !worth {
                fall_back(chain, Reason::Small);
                continue;
            }
            chain.for_each_mut(|job| job.core_mut().worth_it = true);
            // One that has its room in the pool need not wait for those that have none.
            let refused = if full && chain.first().core().held.is_none() {
                Err((chain, Refusal::Full))
            } else {
                match active.offload(chain, now) {
                    Err((chain, Refusal::Full)) if !full => {
                        held::want_room();
                        active.offload(chain, now)
                    }
                    done => done,
                }
            };
            match refused {
                Ok(()) => sent = true,
                Err((chain, Refusal::Because(reason))) => fall_back(chain, reason),
                Err((chain, Refusal::Full)) if !chain.is_single() => {
                    // There may be room for one by one.
                    merge = merge::Limits::NONE;
                    left += together;
                    staged.extend(chain);
                    staged.rotate_right(together);
                }
                Err((chain, Refusal::Full)) => {
                    full = true;
                    let patience = u64::from(params::FULL_MS.get()) * 1_000_000;
                    for job in chain {
                        let waited = now.saturating_sub(job.core().accepted_at);
                        if waited > patience {
                            fall_back(Chain::new(job), Reason::Full);
                        } else {
                            staged.push_back(job);
                        }
                    }
                }
            }
        }
        if sent {
            active.publish();
        }
        more && !full
    }

    /// Takes what is queued, as far as there is room for it, and counts it: it will be answered.
    fn stage(&mut self) {
        let mut accepted = [0u32; ALGORITHMS];
        loop {
            let room = STAGE.saturating_sub(self.staged.len());
            let taken = Job::dequeue(room, |job| {
                if let Some(count) = accepted.get_mut(job.algorithm()) {
                    *count += 1;
                }
                self.staged.push_back(job);
            });
            if taken == 0 {
                break;
            }
        }
        for (algorithm, count) in accepted.into_iter().enumerate() {
            if count > 0 {
                counters::of(algorithm).accepted.add(u64::from(count));
            }
        }
    }

    /// For how long nothing needs doing. Arms the wake-ups before it says so.
    fn rest(&mut self, now: u64) -> u64 {
        const MS: u64 = 1_000_000;
        let waiting = !self.staged.is_empty();
        let zombies = !self.zombies.is_empty();
        let mut ns = if kept::count() > 0 || zombies && self.actives.is_empty() {
            1000 * MS
        } else {
            u64::MAX
        };
        let mut polling = false;
        for active in self.actives() {
            polling |= active.doze(now);
            ns = ns.min(active.until_next(now));
        }
        if polling {
            return 0;
        }
        if waiting {
            ns = ns.min(u64::from(params::FULL_MS.get().max(1)) * MS);
        }
        ns
    }
}

/// Hands requests to the fallback, counted. What a helper was to get of them is nobody's business any more.
pub(crate) fn fall_back(chain: Chain, reason: Reason) {
    for mut job in chain {
        drop(job.core_mut().held.take());
        counters::fell_back(job.algorithm(), reason, job.core().shape.len);
        job.fall_back_later();
    }
}

/// The fallback has computed a queued request.
pub fn fallback_done(mut job: Job, error: i32) {
    let counters = counters::of(job.algorithm());
    if error != 0 {
        counters.errors.add(1);
    }
    counters
        .fallback_latency
        .add(ffi::now().saturating_sub(job.core().accepted_at));
    if let Some(deadline) = job.core().deadline {
        let late = ffi::now().saturating_sub(deadline.get());
        GLOBAL.overdue.add(late);
    }
    if let Some(theirs) = job.core_mut().held.take() {
        // May be the session's last reference: this is a work queue's context.
        recheck::compare(&job, &theirs, error);
    }
    job.name_result(job.core().taken_over);
    answer(job, error);
}

/// Tells a submitter the outcome, counted.
pub(crate) fn answer(job: Job, error: i32) {
    counters::of(job.algorithm()).completed.add(1);
    job.complete(error);
}
