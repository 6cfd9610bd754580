//! The algorithms a helper serves, found by number. Which ones those are is the registry's affair.

use kgpu_core::abi::AlgorithmId;
use kgpu_core::algorithm::Algorithm;

/// A list of algorithms and its index by number.
#[derive(Clone, Debug)]
pub struct Catalogue {
    algorithms: Vec<&'static Algorithm>,
    /// Index in `algorithms` plus 1 by number; 0 for none.
    by_id: Vec<u16>,
}

impl Catalogue {
    /// Every algorithm of the registry.
    #[must_use]
    pub fn registry() -> Self {
        Self::new(kgpu_algos::all().iter().copied())
    }

    /// A list of its own: tests bring algorithms that fail on purpose.
    #[must_use]
    pub fn new(algorithms: impl IntoIterator<Item = &'static Algorithm>) -> Self {
        let algorithms: Vec<_> = algorithms.into_iter().take(usize::from(u16::MAX)).collect();
        let most = algorithms.iter().map(|a| a.id.0).max().unwrap_or(0);
        let mut by_id = vec![0; usize::from(most) + 1];
        for (number, algorithm) in (1..).zip(&algorithms) {
            if let Some(place) = by_id.get_mut(usize::from(algorithm.id.0)) {
                *place = number;
            }
        }
        Self { algorithms, by_id }
    }

    /// The algorithm of a number, and its index in [`Catalogue::all`].
    #[must_use]
    pub fn find(&self, id: AlgorithmId) -> Option<(usize, &'static Algorithm)> {
        let number = self.by_id.get(usize::from(id.0)).copied()?;
        let at = usize::from(number.checked_sub(1)?);
        Some((at, self.algorithms.get(at)?))
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[&'static Algorithm] {
        &self.algorithms
    }
}
