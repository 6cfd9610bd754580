//! Random numbers that are the same for the same seed, on every machine.

/// SplitMix64 (Steele, Lea, Flood 2014): fast, and good enough to choose test data by.
#[derive(Clone, Debug)]
pub struct Rng(u64);

fn mix(value: u64) -> u64 {
    let z = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream that belongs to these numbers, in this order.
    #[must_use]
    pub fn of(numbers: &[u64]) -> Self {
        Self(numbers.iter().fold(0, |state, number| {
            mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ mix(*number))
        }))
    }

    /// Any number.
    #[allow(clippy::should_implement_trait)] // It never ends.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u32::try_from(wide >> 64).unwrap_or(0)
    }

    /// One of these; the default for an empty list.
    pub fn pick<T: Copy + Default>(&mut self, of: &[T]) -> T {
        let bound = u32::try_from(of.len()).unwrap_or(u32::MAX);
        let at = usize::try_from(self.below(bound)).unwrap_or(0);
        of.get(at).copied().unwrap_or_default()
    }

    /// Any bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            *word = self.next().to_le_bytes();
        }
        for (to, from) in rest.iter_mut().zip(self.next().to_le_bytes()) {
            *to = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_their_own() {
        let mut one = Rng::of(&[1, 2]);
        let mut two = Rng::of(&[2, 1]);
        let mut same = Rng::of(&[1, 2]);
        for _ in 0..100 {
            let number = one.next();
            assert_eq!(number, same.next());
            assert_ne!(number, two.next());
        }
    }

    #[test]
    fn bounds_hold_and_are_reached() {
        let mut rng = Rng::of(&[7]);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            seen[rng.below(5) as usize] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
        assert_eq!(rng.below(0), 0);
        let mut bytes = [0; 13];
        rng.fill(&mut bytes);
        assert!(bytes.iter().any(|byte| *byte != 0) && bytes[8..] != [0; 5]);
    }
}
