//! Numbers of measurements: rates, medians, histograms of latencies. No clocks and no text.

use std::time::Duration;

/// A count as a number to calculate with; exact below 2^53.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub const fn float(count: u64) -> f64 {
    count as f64
}

/// 10^9 bytes per second.
#[must_use]
pub fn gigabytes(bytes: u64, elapsed: Duration) -> f64 {
    float(bytes) / elapsed.as_secs_f64().max(1e-9) / 1e9
}

/// The median; NaN of none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        at(half)
    } else {
        f64::midpoint(at(half.saturating_sub(1)), at(half))
    }
}

/// The largest; NaN of none.
#[must_use]
pub fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}

/// Bits of a value that are kept below its highest one: buckets are 1/64 of their value wide.
const FINE: u32 = 6;
/// Buckets for all of 64 bits.
const BUCKETS: usize = (64 - FINE as usize + 1) << FINE;

/// How often values were seen, to within 1.6 percent of a value.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS].into(),
            total: 0,
        }
    }
}

/// The bucket of a value.
const fn bucket(value: u64) -> usize {
    let high = 63 - (value | 1).leading_zeros();
    if high < FINE {
        return low(value);
    }
    let shift = high - FINE;
    ((shift as usize) << FINE) + low(value >> shift)
}

/// A value below 2^(FINE + 1).
#[allow(clippy::cast_possible_truncation)]
const fn low(value: u64) -> usize {
    value as usize
}

/// The largest value of a bucket.
const fn upper(bucket: usize) -> u64 {
    let fine = 1 << FINE;
    if bucket < 2 * fine {
        return bucket as u64;
    }
    let shift = (bucket >> FINE) - 1;
    let first = ((bucket & (fine - 1)) + fine) as u64;
    (first << shift) | ((1 << shift) - 1)
}

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut(bucket(value)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// How many values were counted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The value that `percent` of the values do not exceed, to within a bucket; `None` of none.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.counts.iter().enumerate().find_map(|(bucket, count)| {
            seen += count;
            (seen >= wanted).then(|| upper(bucket))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn medians() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan() && best(&[]).is_nan());
        assert!((best(&[1.0, 3.0, 2.0]) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_of_few_values() {
        let mut seen = Histogram::default();
        assert_eq!(seen.percentile(50), None);
        for value in 1..=100 {
            seen.add(value);
        }
        assert_eq!(seen.percentile(50), Some(50));
        assert_eq!(seen.percentile(99), Some(99));
        assert_eq!(seen.percentile(100), Some(100));
    }

    proptest! {
        #[test]
        fn buckets_are_narrow_and_in_order(value in any::<u64>(), shift in 0u32..64) {
            let value = value >> shift;
            let top = upper(bucket(value));
            prop_assert!(bucket(value) < BUCKETS);
            prop_assert!(top >= value && top - value <= value >> FINE);
            prop_assert_eq!(bucket(top), bucket(value));
            if let Some(next) = top.checked_add(1) {
                prop_assert_eq!(bucket(next), bucket(top) + 1);
            }
        }
    }
}
