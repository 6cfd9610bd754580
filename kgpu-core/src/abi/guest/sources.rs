//! Which memory of a guest its helper may read sources from where they lie, outside of the pool: areas that the
//! helper names, by guest-physical address, before it serves a session, and that stand as long as the session does.

use super::{PageRun, RunsError};
use crate::abi::{PAGE, word};
use crate::cell::Words;

/// Most areas of a session. A guest's machine names two to four.
pub const AREAS_MAX: usize = 8;

abi_struct! {
    /// The areas, in the helper mapping at [`word::SOURCES`]. Written by the helper before it answers a set-up, and
    /// not again. Since 1.3; where [`super::super::Features::GUEST_SOURCES`] is in force.
    #[derive(Debug)]
    pub struct SourceAreas [136] {
        /// How many there are, at most 8; 0 where the helper reads no such sources.
        pub count: u64,
        /// Guest-physical addresses and bytes, in any order; what is not used is zero.
        pub areas: [PageRun; 8],
    }
}

const UNUSED: PageRun = PageRun {
    address: 0,
    bytes: 0,
};

impl SourceAreas {
    /// No areas.
    pub const NONE: Self = Self {
        count: 0,
        areas: [UNUSED; AREAS_MAX],
    };

    /// The first [`AREAS_MAX`] of some areas.
    #[must_use]
    pub fn of(areas: impl IntoIterator<Item = PageRun>) -> Self {
        let mut out = Self::NONE;
        for (to, area) in out.areas.iter_mut().zip(areas) {
            *to = area;
            out.count += 1;
        }
        out
    }

    /// Reads them where the helper wrote them, each word once. Nothing is checked yet.
    #[must_use]
    pub fn load(helper: Words<'_>) -> Self {
        helper.load_entry(word::SOURCES).unwrap_or(Self::NONE)
    }

    /// Writes them to where the module reads them. `false` when the mapping is no helper's.
    #[must_use]
    pub fn store(&self, helper: Words<'_>) -> bool {
        helper.store_entry(word::SOURCES, self)
    }

    /// The areas in use, if each is whole pages that are somewhere.
    ///
    /// # Errors
    /// [`RunsError`]: there are more than can be, one is none, or one is there that is not counted.
    pub fn checked(&self) -> Result<&[PageRun], RunsError> {
        let count = usize::try_from(self.count).ok();
        let parts = count.and_then(|count| self.areas.split_at_checked(count));
        let (used, unused) = parts.ok_or(RunsError::Areas(self.count))?;
        if let Some(run) = unused.iter().find(|run| **run != UNUSED) {
            return Err(RunsError::Uncounted(*run));
        }
        for run in used {
            if run.bytes == 0 || !(run.bytes | run.address).is_multiple_of(PAGE) {
                return Err(RunsError::NotPages(*run));
            }
            if run.address.checked_add(run.bytes).is_none() {
                return Err(RunsError::TooLong(*run));
            }
        }
        Ok(used)
    }
}

/// Whether all `bytes` from `address` on lie in one of the areas. No bytes lie in none.
#[must_use]
pub fn holds(areas: &[PageRun], address: u64, bytes: u64) -> bool {
    bytes > 0 && areas.iter().any(|area| inside(*area, address, bytes))
}

/// Whether all `bytes` from `address` on lie in an area.
const fn inside(area: PageRun, address: u64, bytes: u64) -> bool {
    match address.checked_sub(area.address) {
        // Not added to: neither of the sums need fit.
        Some(at) => at <= area.bytes && bytes <= area.bytes - at,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn run(address: u64, bytes: u64) -> PageRun {
        PageRun { address, bytes }
    }

    #[test]
    fn areas_are_whole_pages_that_are_counted() {
        let good = [run(0, 4096), run(1 << 20, 8192), run(u64::MAX - 8191, 4096)];
        assert_eq!(SourceAreas::of(good).checked(), Ok(&good[..]));
        assert_eq!(SourceAreas::NONE.checked(), Ok(&[][..]));
        let full = SourceAreas::of([run(4096, 4096); 12]);
        assert_eq!(full.checked().map(<[_]>::len), Ok(8));
        for count in [9, 1 << 32, u64::MAX] {
            let more = SourceAreas { count, ..full };
            assert_eq!(more.checked(), Err(RunsError::Areas(count)));
        }
        let less = SourceAreas { count: 7, ..full };
        let last = full.areas[7];
        assert_eq!(less.checked(), Err(RunsError::Uncounted(last)));
        for (bad, why) in [
            (run(1, 4096), RunsError::NotPages as fn(_) -> _),
            (run(4096, 4095), RunsError::NotPages),
            (run(4096, 0), RunsError::NotPages),
            (run(0, 0), RunsError::NotPages),
            (run(u64::MAX - 4095, 4096), RunsError::TooLong),
            (run(4096, u64::MAX - 4095), RunsError::TooLong),
        ] {
            assert_eq!(SourceAreas::of([good[0], bad]).checked(), Err(why(bad)));
        }
    }

    #[test]
    fn bytes_lie_in_one_area_or_in_none() {
        let areas = [run(4096, 4096), run(8192, 4096), run(u64::MAX - 8191, 4096)];
        for (address, bytes, held) in [
            (4096, 1, true),
            (4096, 4096, true),
            (4097, 4095, true),
            (4097, 4096, false),
            (4095, 1, false),
            (8191, 1, true),
            // Neighbours are two areas all the same.
            (8191, 2, false),
            (12_288, 1, false),
            (12_288, 0, false),
            (4096, 0, false),
            (0, u64::MAX, false),
            (u64::MAX - 4096, 1, true),
            (u64::MAX - 4096, 2, false),
            (u64::MAX, 1, false),
            (u64::MAX - 8191, u64::MAX, false),
        ] {
            assert_eq!(holds(&areas, address, bytes), held, "{bytes} at {address}");
        }
        assert!(!holds(&[], 4096, 1));
    }

    proptest! {
        /// As with numbers that do not wrap.
        #[test]
        fn holding_is_counting(
            areas in prop::collection::vec((0u64..6, 0u64..4), 0..4),
            high in any::<bool>(),
            (at, bytes) in (0u64..10 << 12, prop_oneof![0u64..3 << 12, Just(u64::MAX)]),
        ) {
            let base = if high { u64::MAX - (10 << 12) + 1 } else { 0 };
            let areas: Vec<_> = areas.into_iter().map(|(at, n)| run(base + (at << 12), n << 12)).collect();
            let (start, end) = (u128::from(base + at), u128::from(base + at) + u128::from(bytes));
            let held = bytes > 0 && areas.iter().any(|area| {
                let from = u128::from(area.address);
                from <= start && end <= from + u128::from(area.bytes)
            });
            prop_assert_eq!(holds(&areas, base + at, bytes), held);
        }
    }
}
