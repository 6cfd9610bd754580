//! Rechecks: one in so many results is not delivered but computed again by the fallback, and compared.
//!
//! The submitter gets the fallback's bytes, whatever the helper's are. The first wrong byte quarantines
//! the helper. Which results are looked at is decided when they are there, by chance, so that a helper
//! cannot know.

use kgpu_core::num::index;

use super::deliver;
use crate::counters::{self, GLOBAL, Reason};
use crate::ffi::{self, Job};
use crate::flight::{Flight, Waiter};
use crate::held::Held;
use crate::params;

/// A result of a helper that the fallback computed otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Index of the algorithm.
    pub algorithm: usize,
    /// Offset of the first wrong byte in the result.
    pub at: u32,
    /// Bytes of the result.
    pub len: u32,
}

impl core::fmt::Display for Wrong {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = crate::algorithm(self.algorithm).map_or("?", |a| a.name);
        write!(
            f,
            "a recheck found byte {} of {} of a result of {name} wrong",
            self.at, self.len
        )
    }
}

/// Whether this result is to be computed again. Results in a caller's own pool buffers are not: the
/// source may be gone, and the helper can write there at any time anyway.
///
/// Nor are those of several requests at once, whose results lie in one piece of the pool: while results are computed
/// again, each request goes to the helper by itself ([`crate::params::merge_bytes`]).
pub(super) fn is_wanted(flight: &Flight) -> bool {
    match &flight.waiter {
        Waiter::Jobs(chain) if chain.is_single() && chain.first().core().held.is_some() => {}
        _ => return false,
    }
    match params::RECHECK.get() {
        0 => false,
        1 => true,
        one_in => ffi::random().is_multiple_of(one_in),
    }
}

/// Has the request, which holds its result, computed by the fallback.
pub(super) fn begin(job: Job) {
    GLOBAL.rechecks.add(1);
    job.fall_back_later();
}

/// The fallback has computed it: compares.
pub(super) fn compare(job: &Job, theirs: &Held, error: i32) {
    let index = job.algorithm();
    let bytes = job.core().shape.len;
    let wrong = match error {
        0 => first_difference(job, theirs),
        // There is nothing to compare with.
        _ => None,
    };
    match wrong {
        None => {
            deliver::helped(core::iter::once(job), ffi::now());
        }
        Some(at) => {
            GLOBAL.rechecks_wrong.add(1);
            counters::fell_back(index, Reason::Wrong, bytes);
            theirs.session().wrong.set(Wrong {
                algorithm: index,
                at,
                len: job.core().output_len,
            });
            ffi::wake_engine();
        }
    }
}

/// Offset of the first byte in which the helper's result differs from the one delivered.
fn first_difference(job: &Job, held: &Held) -> Option<u32> {
    const PIECE: u32 = 256;
    let (mut ours, mut theirs) = ([0; PIECE as usize], [0; PIECE as usize]);
    let len = job.core().output_len;
    let mut at = 0;
    while at < len {
        let count = (len - at).min(PIECE);
        let (Some(ours), Some(theirs)) = (
            ours.get_mut(..index(u64::from(count))),
            theirs.get_mut(..index(u64::from(count))),
        ) else {
            break;
        };
        job.read_result(at, ours);
        held.session()
            .pool
            .read(job.core().at + u64::from(at), theirs);
        let same = ours.iter().zip(theirs.iter()).take_while(|(a, b)| a == b);
        let same = u32::try_from(same.count()).unwrap_or(count);
        if same < count {
            return Some(at + same);
        }
        at += count;
    }
    None
}
