//! Byte ranges of a batch, neighbours merged: one copy each.

/// Byte ranges of the pool.
#[derive(Debug, Default)]
pub struct Runs {
    /// First byte and end of each.
    runs: Vec<(u64, u64)>,
    sorted: bool,
}

impl Runs {
    /// No ranges, with room for some.
    #[must_use]
    pub fn with_capacity(room: usize) -> Self {
        Self {
            runs: Vec::with_capacity(room),
            sorted: true,
        }
    }

    /// Forgets all ranges.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.sorted = true;
    }

    /// Adds a range; [`Runs::merge`] makes up for any order.
    pub fn add(&mut self, at: u64, len: u32) {
        let end = at + u64::from(len);
        match self.runs.last_mut() {
            Some(last) if last.1 == at => last.1 = end,
            Some(last) => {
                self.sorted &= last.1 <= at;
                self.runs.push((at, end));
            }
            None => self.runs.push((at, end)),
        }
    }

    /// Merges ranges that touch or overlap, never across bytes that nobody named: those may be another batch's.
    pub fn merge(&mut self) {
        if self.sorted {
            return;
        }
        self.runs.sort_unstable();
        self.runs.dedup_by(|next, last| {
            let touch = next.0 <= last.1;
            if touch {
                last.1 = last.1.max(next.1);
            }
            touch
        });
        self.sorted = true;
    }

    /// Bytes of all ranges.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.iter().map(|(_, len)| len).sum()
    }

    /// Bytes of a range on average; 0 without ranges.
    #[must_use]
    pub fn mean(&self) -> u64 {
        self.bytes()
            .checked_div(u64::try_from(self.runs.len()).unwrap_or(u64::MAX))
            .unwrap_or(0)
    }

    /// First byte and length of each.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.runs.iter().map(|(at, end)| (*at, end - at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_are_one_run() {
        let mut runs = Runs::with_capacity(4);
        runs.add(0, 10);
        runs.add(10, 6);
        runs.add(100, 1);
        runs.merge();
        assert!(runs.iter().eq([(0, 16), (100, 1)]));
        assert_eq!(runs.mean(), 8);
        runs.add(16, 84);
        runs.merge();
        assert!(runs.iter().eq([(0, 101)]));
    }

    proptest! {
        #[test]
        fn the_same_bytes_and_no_others(ranges in prop::collection::vec((0u64..300, 1u32..20), 0..40)) {
            let mut runs = Runs::with_capacity(4);
            let mut named = [false; 400];
            for (at, len) in &ranges {
                runs.add(*at, *len);
                let at = usize::try_from(*at).unwrap();
                named[at..at + usize::try_from(*len).unwrap()].fill(true);
            }
            runs.merge();
            let (mut covered, mut last) = ([false; 400], 0);
            for (at, len) in runs.iter() {
                // Apart from the one before: touching ones are merged.
                prop_assert!(len > 0 && (at > last || last == 0));
                last = at + len;
                covered[usize::try_from(at).unwrap()..usize::try_from(last).unwrap()].fill(true);
            }
            prop_assert_eq!(named, covered);
        }
    }
}
