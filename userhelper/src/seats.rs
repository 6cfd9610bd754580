//! The helper's own table of requests taken from the ring and not yet completed. One place per ring
//! entry, made at the start.

use kgpu_core::abi::{Completion, Status, Submission};
use kgpu_core::num::index;

use crate::backend::CPU_CODE;
use crate::fault::Fault;
use crate::job::Outcome;

#[derive(Clone, Copy, Debug)]
struct Seat {
    submission: Submission,
    /// Tiles not yet done.
    left: u32,
    fault: Option<Fault>,
    /// The backend that did all tiles so far; 0 before the first.
    backend: u16,
}

/// The table.
#[derive(Debug)]
pub struct Seats {
    seats: Vec<Option<Seat>>,
    free: Vec<u32>,
    tiles: u64,
}

impl Seats {
    /// An empty table for as many requests as the ring has entries.
    #[must_use]
    pub fn new(entries: u32) -> Self {
        Self {
            seats: vec![None; index(u64::from(entries))],
            free: (0..entries).rev().collect(),
            tiles: 0,
        }
    }

    /// Whether no request is being worked on.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.free.len() == self.seats.len()
    }

    /// Free places.
    #[must_use]
    pub const fn free(&self) -> usize {
        self.free.len()
    }

    /// Tiles of all requests being worked on.
    #[must_use]
    pub const fn tiles(&self) -> u64 {
        self.tiles
    }

    /// Seats a request, all of whose tiles are yet to be done. `None` when there is no place.
    pub fn take(&mut self, submission: Submission) -> Option<u32> {
        let seat = self.free.pop()?;
        *self.seats.get_mut(index(u64::from(seat)))? = Some(Seat {
            submission,
            left: submission.tile_count,
            fault: None,
            backend: 0,
        });
        self.tiles += u64::from(submission.tile_count);
        Some(seat)
    }

    /// One tile less. The result is the request's completion when it was the last, with its source
    /// bytes and its first fault. It names a device only if that computed every tile.
    pub fn settle(&mut self, outcome: &Outcome) -> Option<(Completion, u32, Option<Fault>)> {
        let place = self.seats.get_mut(index(u64::from(outcome.seat)))?;
        let taken = place.as_mut()?;
        taken.fault = taken.fault.or(outcome.result.err());
        taken.backend = match taken.backend {
            0 => outcome.backend,
            same if same == outcome.backend => same,
            _ => CPU_CODE,
        };
        taken.left = taken.left.saturating_sub(1);
        if taken.left > 0 {
            return None;
        }
        let Seat {
            submission,
            fault,
            backend,
            ..
        } = place.take()?;
        self.free.push(outcome.seat);
        self.tiles -= u64::from(submission.tile_count);
        let done = completion(&submission, fault.as_ref(), backend);
        Some((done, submission.bytes, fault))
    }
}

/// The completion of a request.
#[must_use]
pub fn completion(submission: &Submission, fault: Option<&Fault>, backend: u16) -> Completion {
    let (status, written_len, detail) = match fault {
        None => (Status::Ok, submission.written_len, 0),
        Some(fault) => (fault.status(), 0, fault.detail()),
    };
    Completion {
        request: submission.request,
        session: submission.session,
        written_len,
        status: status.code(),
        backend,
        reserved: 0,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(tiles: u32) -> Submission {
        Submission {
            request: 77,
            session: 3,
            tile_first: 0,
            tile_count: tiles,
            bytes: 100,
            written_len: 50,
            algorithm: 1,
            op: 1,
            flags: 0,
        }
    }

    fn outcome(seat: u32, result: Result<(), Fault>, backend: u16) -> Outcome {
        Outcome {
            seat,
            result,
            backend,
        }
    }

    /// A request that a device left to the CPU in part is none of the device's.
    #[test]
    fn completions_name_who_computed_them() {
        for (tiles, named) in [
            ([2, 2, 2], 2),
            ([2, 1, 2], 1),
            ([1, 2, 2], 1),
            ([2, 2, 3], 1),
        ] {
            let mut seats = Seats::new(2);
            let seat = seats.take(submission(3)).unwrap();
            let mut done = None;
            for backend in tiles {
                done = seats.settle(&outcome(seat, Ok(()), backend));
            }
            assert_eq!(done.unwrap().0.backend, named, "{tiles:?}");
        }
    }

    #[test]
    fn a_request_is_done_with_its_last_tile() {
        let mut seats = Seats::new(2);
        let seat = seats.take(submission(3)).unwrap();
        assert!(seats.settle(&outcome(seat, Ok(()), 1)).is_none());
        assert!(seats.settle(&outcome(seat, Ok(()), 1)).is_none());
        assert_eq!(seats.tiles(), 3);
        let (done, bytes, fault) = seats.settle(&outcome(seat, Ok(()), 1)).unwrap();
        assert_eq!((done.request, done.session, done.written_len), (77, 3, 50));
        assert_eq!((done.status, bytes, fault), (0, 100, None));
        assert!(seats.is_empty() && seats.tiles() == 0);
        // Nobody sits there any more.
        assert!(seats.settle(&outcome(seat, Ok(()), 1)).is_none());
    }

    #[test]
    fn the_first_fault_counts_and_nothing_is_written() {
        let mut seats = Seats::new(2);
        let seat = seats.take(submission(3)).unwrap();
        seats.settle(&outcome(seat, Ok(()), 1));
        seats.settle(&outcome(seat, Err(Fault::Panicked), 1));
        let last = seats.settle(&outcome(seat, Err(Fault::ShuttingDown), 1));
        let (done, _, fault) = last.unwrap();
        assert_eq!(fault, Some(Fault::Panicked));
        assert_eq!(done.written_len, 0);
        assert_eq!(done.status, Status::BackendFailed.code());
        assert_eq!(done.detail, 19);
    }

    #[test]
    fn no_more_requests_than_seats() {
        let mut seats = Seats::new(2);
        assert!(seats.take(submission(1)).is_some());
        assert!(seats.take(submission(1)).is_some());
        assert!(seats.take(submission(1)).is_none());
        assert_eq!(seats.free(), 0);
    }
}
