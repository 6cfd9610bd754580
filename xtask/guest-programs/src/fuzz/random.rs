//! Random numbers that a seed repeats.

/// A generator (xorshift, multiplied); not for secrets.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed; any will do.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.next();
        }
        random
    }

    /// Any 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound.max(1)
    }

    /// Whether an event of one in `n` happens.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of some values.
    pub fn of<T: Copy + Default>(&mut self, values: &[T]) -> T {
        let count = u64::try_from(values.len()).unwrap_or(0);
        let at = usize::try_from(self.below(count)).unwrap_or(0);
        values.get(at).copied().unwrap_or_default()
    }

    /// A subset of some bits, most often a small one.
    pub fn bits(&mut self, bits: &[u64]) -> u64 {
        let mut all = 0;
        for _ in 0..self.below(3) {
            all |= self.of(bits);
        }
        all
    }
}
