//! A next-fit allocator of runs of equal units: pool granules and tile table entries.
//!
//! One bit a unit, in storage that the caller brings, so that nothing is allocated after start.
//! The books are private to the submitter: a hostile helper can't touch them.

#[cfg(any(kani, test))]
mod proofs;

use crate::num::index;

/// Bytes of a pool granule: the smallest sector, so that queued sectors lie side by side.
pub const GRANULE: u32 = 512;

/// Consecutive units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First unit.
    pub first: u32,
    /// Number of units; 0 for none.
    pub count: u32,
}

impl Run {
    /// No units.
    pub const NONE: Self = Self { first: 0, count: 0 };
}

/// The allocator. `B` is its storage: one bit a unit, set while the unit is taken.
#[derive(Debug)]
pub struct Runs<B> {
    bits: B,
    units: u32,
    free: u32,
    next: u32,
}

const BITS: u32 = u64::BITS;

/// Words of storage for `units` units.
#[must_use]
pub const fn words_for(units: u32) -> usize {
    index(units.div_ceil(BITS) as u64)
}

impl<B: AsRef<[u64]> + AsMut<[u64]>> Runs<B> {
    /// All units free. Units that the storage has no bit for do not exist.
    #[must_use]
    pub fn new(mut bits: B, units: u32) -> Self {
        bits.as_mut().fill(0);
        let words = u32::try_from(bits.as_ref().len()).unwrap_or(u32::MAX / BITS);
        let units = units.min(words.saturating_mul(BITS));
        Self {
            bits,
            units,
            free: units,
            next: 0,
        }
    }

    /// Units not taken.
    #[must_use]
    pub const fn free_units(&self) -> u32 {
        self.free
    }

    /// All units.
    #[must_use]
    pub const fn units(&self) -> u32 {
        self.units
    }

    /// Units from `at`, before `end`, that are all taken or all free: how many, and which.
    fn stretch(&self, at: u32, end: u32) -> (u32, bool) {
        let Some(word) = self.bits.as_ref().get(index(u64::from(at / BITS))) else {
            return (end - at, true);
        };
        let rest = word >> (at % BITS);
        let taken = rest & 1 == 1;
        let same = if taken {
            rest.trailing_ones()
        } else {
            rest.trailing_zeros()
        };
        (same.min(BITS - at % BITS).min(end - at), taken)
    }

    /// The first free run of `count` units in `from..to`.
    fn find(&self, count: u32, from: u32, to: u32) -> Option<u32> {
        let (mut start, mut at) = (from, from);
        while at < to {
            let (same, taken) = self.stretch(at, to);
            at += same;
            if taken {
                start = at;
            } else if at - start >= count {
                return Some(start);
            }
        }
        None
    }

    fn mark(&mut self, run: Run, taken: bool) {
        let end = run.first + run.count;
        let mut at = run.first;
        while at < end {
            let shift = at % BITS;
            let bits = (BITS - shift).min(end - at);
            let mask = (u64::MAX >> (BITS - bits)) << shift;
            if let Some(word) = self.bits.as_mut().get_mut(index(u64::from(at / BITS))) {
                if taken { *word |= mask } else { *word &= !mask }
            }
            at += bits;
        }
    }

    /// Takes `count` consecutive units, next-fit. `None` when there is no such run.
    pub fn take(&mut self, count: u32) -> Option<Run> {
        if count == 0 || count > self.free {
            return None;
        }
        let first = self
            .find(count, self.next, self.units)
            .or_else(|| self.find(count, 0, self.units.min(self.next.saturating_add(count))))?;
        let run = Run { first, count };
        self.mark(run, true);
        self.free -= count;
        self.next = if first + count >= self.units {
            0
        } else {
            first + count
        };
        Some(run)
    }

    /// Gives a run back. The run must be one that [`Runs::take`] returned and that was not given
    /// back since; anything outside the units is ignored.
    pub fn give(&mut self, run: Run) {
        if run.count == 0
            || run
                .first
                .checked_add(run.count)
                .is_none_or(|end| end > self.units)
        {
            return;
        }
        self.mark(run, false);
        self.free = (self.free + run.count).min(self.units);
    }
}
