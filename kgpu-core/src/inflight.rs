//! The table of requests in flight: what the submitter handed over and still owes an answer for.
//!
//! A completion is believed only as far as this private table goes along with it: it must name a
//! slot in use, that slot's generation, this session, and exactly the bytes asked for. Every way
//! to break that is an error of its own, with its values.

#[cfg(any(kani, test))]
mod proofs;

use crate::abi::{Completion, RequestId, Status};
use crate::num::index;

/// Why a completion is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// It names a session that is not this one.
    ForeignSession {
        /// The session it names.
        session: u32,
        /// The session it came in.
        expected: u32,
    },
    /// It names a slot that the table does not have.
    UnknownSlot {
        /// The slot.
        slot: u32,
        /// Slots of the table.
        slots: u32,
    },
    /// Its slot has moved on: a late or doubled completion.
    StaleGeneration {
        /// The slot.
        slot: u32,
        /// The generation it names.
        generation: u32,
        /// The slot's.
        current: u32,
    },
    /// It claims to have written another length than asked for.
    WrittenLength {
        /// The length it claims.
        written: u32,
        /// The length asked for.
        expected: u32,
    },
    /// Its status is no status.
    UnknownStatus {
        /// The code.
        code: u16,
    },
    /// A reserved field is not zero.
    Reserved {
        /// The field.
        value: u32,
    },
}

impl Reject {
    /// Number of kinds.
    pub const KINDS: usize = 6;

    /// This kind's index, for counters.
    #[must_use]
    pub const fn kind(&self) -> usize {
        match self {
            Self::ForeignSession { .. } => 0,
            Self::UnknownSlot { .. } => 1,
            Self::StaleGeneration { .. } => 2,
            Self::WrittenLength { .. } => 3,
            Self::UnknownStatus { .. } => 4,
            Self::Reserved { .. } => 5,
        }
    }

    /// The names of the kinds, in the order of [`Reject::kind`].
    pub const LABELS: [&'static str; Self::KINDS] = [
        "foreign-session",
        "unknown-slot",
        "stale",
        "written-length",
        "unknown-status",
        "reserved",
    ];
}

impl core::fmt::Display for Reject {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::ForeignSession { session, expected } => {
                write!(f, "completion for session {session} in session {expected}")
            }
            Self::UnknownSlot { slot, slots } => {
                write!(f, "completion for request slot {slot} of {slots}")
            }
            Self::StaleGeneration {
                slot,
                generation,
                current,
            } => write!(
                f,
                "late or doubled completion for request slot {slot}: generation {generation}, \
                 current {current}"
            ),
            Self::WrittenLength { written, expected } => {
                write!(f, "completion claims {written} bytes written of {expected}")
            }
            Self::UnknownStatus { code } => write!(f, "completion with unknown status {code}"),
            Self::Reserved { value } => write!(f, "completion with reserved field {value}"),
        }
    }
}

/// One slot of the table. Storage of [`InFlight`] is a row of these.
#[derive(Debug)]
pub struct Seat<R> {
    generation: u32,
    written_len: u32,
    next_free: u32,
    request: Option<R>,
}

impl<R> Default for Seat<R> {
    fn default() -> Self {
        Self {
            generation: 0,
            written_len: 0,
            next_free: NIL,
            request: None,
        }
    }
}

const NIL: u32 = u32::MAX;

/// The table. `S` is its storage of seats.
#[derive(Debug)]
pub struct InFlight<S, R> {
    seats: S,
    first_free: u32,
    taken: u32,
    request: core::marker::PhantomData<R>,
}

impl<R, S: AsRef<[Seat<R>]> + AsMut<[Seat<R>]>> InFlight<S, R> {
    /// An empty table. Seats of an earlier table may be used again: their requests are dropped,
    /// and completions for them are stale.
    #[must_use]
    pub fn new(mut seats: S) -> Self {
        let count = u32::try_from(seats.as_ref().len()).unwrap_or(NIL);
        for (i, seat) in (0u32..).zip(seats.as_mut().iter_mut()) {
            if seat.request.take().is_some() {
                seat.generation = seat.generation.wrapping_add(1);
            }
            seat.next_free = if i + 1 < count { i + 1 } else { NIL };
        }
        Self {
            seats,
            first_free: if count > 0 { 0 } else { NIL },
            taken: 0,
            request: core::marker::PhantomData,
        }
    }

    /// Requests in flight.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.taken
    }

    /// Whether nothing is in flight.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Whether every seat is taken.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.first_free == NIL
    }

    /// Seats a request of which exactly `written_len` bytes must be written.
    ///
    /// # Errors
    /// Gives the request back when every seat is taken.
    pub fn insert(&mut self, written_len: u32, request: R) -> Result<RequestId, R> {
        let slot = self.first_free;
        let Some(seat) = self.seats.as_mut().get_mut(index(u64::from(slot))) else {
            return Err(request);
        };
        self.first_free = seat.next_free;
        seat.written_len = written_len;
        seat.request = Some(request);
        self.taken += 1;
        Ok(RequestId {
            slot,
            generation: seat.generation,
        })
    }

    /// Takes a request out, whatever became of it; its generation is gone from then on.
    pub fn remove(&mut self, id: RequestId) -> Option<R> {
        let seat = self.seats.as_mut().get_mut(index(u64::from(id.slot)))?;
        if seat.generation != id.generation {
            return None;
        }
        let request = seat.request.take()?;
        seat.generation = seat.generation.wrapping_add(1);
        seat.next_free = self.first_free;
        self.first_free = id.slot;
        self.taken -= 1;
        Some(request)
    }

    /// Checks a completion against the table and takes its request out. A completion whose status
    /// is not OK is believed too, for what it is: the request comes back with the status.
    ///
    /// # Errors
    /// [`Reject`]; then the table is as it was.
    pub fn complete(
        &mut self,
        completion: &Completion,
        session: u32,
    ) -> Result<(R, Status), Reject> {
        if completion.session != session {
            return Err(Reject::ForeignSession {
                session: completion.session,
                expected: session,
            });
        }
        let id = RequestId::from_wire(completion.request);
        let slots = u32::try_from(self.seats.as_ref().len()).unwrap_or(NIL);
        let Some(seat) = self.seats.as_ref().get(index(u64::from(id.slot))) else {
            return Err(Reject::UnknownSlot {
                slot: id.slot,
                slots,
            });
        };
        if seat.generation != id.generation || seat.request.is_none() {
            return Err(Reject::StaleGeneration {
                slot: id.slot,
                generation: id.generation,
                current: seat.generation,
            });
        }
        let Ok(status) = Status::try_from(completion.status) else {
            return Err(Reject::UnknownStatus {
                code: completion.status,
            });
        };
        if completion.reserved != 0 {
            return Err(Reject::Reserved {
                value: completion.reserved,
            });
        }
        let expected = if status == Status::Ok {
            seat.written_len
        } else {
            0
        };
        if completion.written_len != expected {
            return Err(Reject::WrittenLength {
                written: completion.written_len,
                expected,
            });
        }
        let current = seat.generation;
        self.remove(id)
            .map(|request| (request, status))
            .ok_or(Reject::StaleGeneration {
                slot: id.slot,
                generation: id.generation,
                current,
            })
    }

    /// The ids of all requests in flight.
    pub fn ids(&self) -> impl Iterator<Item = RequestId> + '_ {
        (0u32..)
            .zip(self.seats.as_ref())
            .filter(|(_, seat)| seat.request.is_some())
            .map(|(slot, seat)| RequestId {
                slot,
                generation: seat.generation,
            })
    }

    /// The id of the request in a slot, if one is in flight there.
    #[must_use]
    pub fn id_of(&self, slot: u32) -> Option<RequestId> {
        let seat = self.seats.as_ref().get(index(u64::from(slot)))?;
        seat.request.as_ref().map(|_| RequestId {
            slot,
            generation: seat.generation,
        })
    }

    /// A request in flight.
    #[must_use]
    pub fn get(&self, id: RequestId) -> Option<&R> {
        let seat = self.seats.as_ref().get(index(u64::from(id.slot)))?;
        if seat.generation == id.generation {
            seat.request.as_ref()
        } else {
            None
        }
    }
}
