//! Chance that can be repeated: a run is its seed's. No source of keys.

/// Numbers of a seed (xorshift64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed; any seed will do.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`; 0 when there are none.
    pub const fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        if sides == 0 { 0 } else { self.0 % sides }
    }

    /// One of a row; `None` of an empty one.
    pub fn pick<T: Copy>(&mut self, row: &[T]) -> Option<T> {
        let count = u64::try_from(row.len()).unwrap_or(u64::MAX);
        row.get(crate::num::index(self.roll(count))).copied()
    }
}
