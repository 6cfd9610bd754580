//! Taking completions: validation, and what becomes of their requests.

use kgpu_core::abi::{Completion, RequestId, SessionState, Status};
use kgpu_core::inflight::Reject;

use super::landed::Landed;
use super::{Active, deliver, fall_back, recheck};
use crate::counters::{self, GLOBAL, Reason};
use crate::ffi::{self, Level, log};
use crate::flight::{Flight, Waiter};
use crate::kat::KatRef;

/// Completions that are neither right nor merely late, after which a helper is quarantined.
const ABUSE_LIMIT: u32 = 16;

impl Active {
    /// Takes what the helper has completed. The result is whether anything was there.
    pub(super) fn reap(&mut self) -> bool {
        if self.session.state() == SessionState::Quarantined {
            return false;
        }
        if let Some(wrong) = self.session.wrong.take() {
            self.quarantine(format_args!("{wrong}"));
            return true;
        }
        // Also while nothing is sent, as when all that is queued went in few requests: an impossible word is found out by
        // the next pass, not by the next request.
        if let Err(error) = self.submissions.free(self.session.helper.words()) {
            self.broken(&error);
            return true;
        }
        let mut any = false;
        let mut landed = Landed::new();
        // At most a ring full a pass, however fast the helper posts.
        let session = self.session.clone();
        for _ in 0..session.layout.sizes.entries {
            match self.completions.pop(session.helper.words()) {
                Ok(Some(completion)) => self.take(&completion, &mut landed),
                Ok(None) => break,
                Err(error) => {
                    drop(landed);
                    self.broken(&error);
                    return true;
                }
            }
            any = true;
        }
        drop(landed);
        if any {
            self.completions.release(self.session.control.words());
            self.dozing_since = None;
        }
        any
    }

    fn take(&mut self, completion: &Completion, landed: &mut Landed) {
        match self.flights.complete(completion, self.session.generation) {
            Ok((flight, status)) => {
                self.strikes = 0;
                self.alive();
                self.land(flight, status, completion.detail, landed);
            }
            Err(reject) => self.reject(completion, &reject),
        }
    }

    fn reject(&mut self, completion: &Completion, reject: &Reject) {
        if let Some(count) = GLOBAL.rejected.get(reject.kind()) {
            count.add(1);
        }
        // Counted for an algorithm where it names a request that is in flight.
        if let Some(Flight {
            waiter: Waiter::Jobs(chain),
            ..
        }) = self.flights.get(RequestId::from_wire(completion.request))
        {
            counters::of(chain.first().algorithm()).rejected.add(1);
        }
        if matches!(reject, Reject::StaleGeneration { .. }) && self.late_expected > 0 {
            // The answer to a request that was taken back: late, not wrong.
            self.late_expected -= 1;
            self.alive();
            return;
        }
        log(Level::Warning, format_args!("{reject}"));
        self.abuses += 1;
        if self.abuses >= ABUSE_LIMIT {
            let abuses = self.abuses;
            self.quarantine(format_args!(
                "{abuses} completions that were not believed, the last: {reject}"
            ));
        }
    }

    /// A request came back.
    fn land(&mut self, flight: Flight, status: Status, detail: u64, landed: &mut Landed) {
        let recheck = status == Status::Ok && recheck::is_wanted(&flight);
        let right = match (&flight.waiter, status) {
            (Waiter::Kat(kat), Status::Ok) => self.is_right(*kat, &flight),
            (_, status) => status == Status::Ok,
        };
        let slot_is_free = self.release(&flight);
        self.requests -= flight.count;
        match flight.waiter {
            Waiter::Jobs(chain) => {
                self.release_share(&chain, slot_is_free, flight.bytes);
                if !right {
                    log(
                        Level::Warning,
                        format_args!(
                            "the helper could not do a request: {status}, detail {detail:#x}; the kernel's own cipher does it"
                        ),
                    );
                    fall_back(chain, Reason::Failed);
                } else if recheck {
                    recheck::begin(chain.into_first());
                } else if chain.first().core().held.is_none() {
                    // In a caller's buffers, where it belongs. What holds room begins with it, so these are none.
                    deliver::done(chain, ffi::now());
                } else {
                    landed.add(chain, flight.output_len);
                }
            }
            Waiter::Kat(kat) if right => {
                counters::of(kat.algorithm).known_answers.add(1);
                self.kat.pass();
            }
            Waiter::Kat(kat) => {
                GLOBAL.known_answers_failed.add(1);
                let name = crate::algorithm(kat.algorithm).map_or("?", |a| a.name);
                self.quarantine(format_args!(
                    "known answer {} of {name} failed (status {status}, detail {detail:#x})",
                    kat.answer
                ));
            }
        }
    }

    fn is_right(&self, kat: KatRef, flight: &Flight) -> bool {
        let Some(request) = kat.request() else {
            return false;
        };
        let mut at = flight.dst;
        request.expected.chunks(64).all(|expected| {
            let mut found = [0; 64];
            let Some(found) = found.get_mut(..expected.len()) else {
                return false;
            };
            self.session.pool.read(at, found);
            at += expected.len() as u64;
            found == expected
        })
    }
}
