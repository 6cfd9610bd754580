//! Chance that can be repeated: a run is its seed's, or that of bytes which somebody made. No source
//! of keys.

use alloc::collections::VecDeque;

/// Numbers of a seed (xorshift64), or of a row of bytes.
#[derive(Clone, Debug)]
pub struct Dice(Source);

#[derive(Clone, Debug)]
enum Source {
    Seed(u64),
    Rolls(VecDeque<u8>),
}

impl Dice {
    /// Dice of a seed; any seed will do.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Source::Seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// Dice whose rolls are said beforehand, for fuzzers; where they end every roll is 0.
    #[must_use]
    pub fn of(rolls: &[u8]) -> Self {
        Self(Source::Rolls(rolls.iter().copied().collect()))
    }

    /// Whether nothing is left of what was said beforehand.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(&self.0, Source::Rolls(left) if left.is_empty())
    }

    /// A number below `sides`; 0 when there are none.
    pub fn roll(&mut self, sides: u64) -> u64 {
        let number = match &mut self.0 {
            Source::Seed(x) => {
                *x ^= *x << 13;
                *x ^= *x >> 7;
                *x ^= *x << 17;
                *x
            }
            Source::Rolls(left) => {
                // As many bytes as the roll needs: a changed byte changes one decision.
                let bits = u64::BITS - sides.saturating_sub(1).leading_zeros();
                (0..bits.div_ceil(8)).fold(0, |number, _| {
                    number << 8 | u64::from(left.pop_front().unwrap_or(0))
                })
            }
        };
        if sides == 0 { 0 } else { number % sides }
    }

    /// One of a row; `None` of an empty one.
    pub fn pick<T: Copy>(&mut self, row: &[T]) -> Option<T> {
        let count = u64::try_from(row.len()).unwrap_or(u64::MAX);
        row.get(crate::num::index(self.roll(count))).copied()
    }
}
