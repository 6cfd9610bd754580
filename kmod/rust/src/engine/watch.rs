//! Time: deadlines, stalls, and when to wake up next.

use core::sync::atomic::Ordering;

use kgpu_core::abi::{SessionState, word};

use super::Active;
use super::active::Stall;
use crate::counters::{GLOBAL, Reason};
use crate::ffi::{self, Level, log};
use crate::kat::KatRun;
use crate::{params, power};

const MS: u64 = 1_000_000;
/// Stalls without a believed completion in between, after which a helper is given up.
const STRIKES: u32 = 3;

impl Active {
    /// Takes back what is overdue, and looks for signs of life of a stalled helper.
    pub(super) fn watch(&mut self, now: u64) {
        if now >= self.next_deadline {
            self.overdue(now);
        }
        if power::patience_until().is_some_and(|until| now >= until) && !self.flights.is_empty() {
            self.freeze();
        }
        let Some(stall) = self.stall else { return };
        // Nothing is sent to it, so no doorbell tells.
        self.session.look_for_helper();
        let helper = self.session.helper.words();
        let moved = helper.load(word::SQ_HEAD) != stall.head;
        // A heartbeat alone may come from a thread beside the one that hangs: it earns a new try,
        // but not at once.
        let beats = helper.load(word::HEARTBEAT) != stall.heartbeat
            && now.saturating_sub(stall.since) > params::deadline_ns();
        if moved || beats {
            self.alive();
        }
    }

    /// The helper is about to be frozen and has not finished: what it has is taken back. It need not
    /// be late for that, and is not blamed.
    fn freeze(&mut self) {
        self.take_all_back(Reason::Suspended);
        if self.session.state() == SessionState::Testing {
            // From the start, when it thaws.
            self.kat = KatRun::default();
            self.session.set_state(SessionState::Attached);
        }
    }

    fn overdue(&mut self, now: u64) {
        let mut next = u64::MAX;
        let mut taken = 0u32;
        for slot in 0..self.session.layout.sizes.entries {
            let Some(id) = self.flights.id_of(slot) else {
                continue;
            };
            let Some(deadline) = self.flights.get(id).map(|flight| flight.deadline) else {
                continue;
            };
            if deadline <= now {
                self.take_back(id, Reason::Deadline);
                taken += 1;
            } else {
                next = next.min(deadline);
            }
        }
        self.next_deadline = next;
        if taken == 0 {
            return;
        }
        if self.session.state() == SessionState::Testing {
            GLOBAL.known_answers_missing.add(1);
            self.quarantine(format_args!(
                "known answers not given in {} ms",
                params::known_answer_ns() / MS
            ));
            return;
        }
        let first = self.stall.is_none();
        self.stall(now);
        if first {
            log(
                Level::Notice,
                format_args!(
                    "helper {} missed the deadline of {} ms with {taken} requests; the kernel's own ciphers take over until it shows life",
                    self.session.peer,
                    params::DEADLINE_MS.get()
                ),
            );
        }
        if self.strikes >= STRIKES {
            self.retire("it missed deadlines three times in a row");
        } else if self.session.quarantined.load(Ordering::Relaxed)
            > self.session.layout.sizes.pool_bytes / 2
            || self.quarantined_tiles > self.session.layout.sizes.tiles / 2
        {
            self.retire("half of its region may still be used by late requests");
        }
    }

    fn stall(&mut self, now: u64) {
        let helper = self.session.helper.words();
        if self.stall.is_none() {
            self.strikes += 1;
        }
        self.stall = Some(Stall {
            since: now,
            heartbeat: helper.load(word::HEARTBEAT),
            head: helper.load(word::SQ_HEAD),
        });
        self.route();
    }

    /// The helper showed life.
    pub(super) fn alive(&mut self) {
        if self.stall.take().is_some() {
            log(
                Level::Info,
                format_args!("helper {} is back", self.session.peer),
            );
            self.route();
        }
    }

    /// Polls for a bounded time while answers are due, then asks the helper for a kick. The result
    /// is whether to go on at once.
    pub(super) fn doze(&mut self, now: u64) -> bool {
        if self.flights.is_empty() {
            self.dozing_since = None;
        } else {
            let since = *self.dozing_since.get_or_insert(now);
            if now.saturating_sub(since) < u64::from(params::POLL_US.get()) * 1000 {
                ffi::relax();
                return true;
            }
        }
        let session = &self.session;
        if session.state() == SessionState::Quarantined {
            return false;
        }
        // The flag before the last look, the helper's tail before its look at the flag: one of the
        // two sees the other.
        session
            .control
            .words()
            .store_then_look(word::KICK_NEEDED, 1);
        self.completions
            .ready(session.helper.words())
            .is_ok_and(|ready| ready > 0)
    }

    /// Nanoseconds to the next deadline or look at a stalled helper.
    pub(super) fn until_next(&self, now: u64) -> u64 {
        let patience = power::patience_until().filter(|_| !self.flights.is_empty());
        let first = self.next_deadline.min(patience.unwrap_or(u64::MAX));
        let deadline = first.saturating_sub(now).max(MS);
        if self.stall.is_some() {
            deadline.min(50 * MS)
        } else if first == u64::MAX {
            u64::MAX
        } else {
            deadline
        }
    }
}
