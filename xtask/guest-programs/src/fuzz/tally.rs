//! What came of the calls: a count for each kind and each result, shared by all processes of a run.

use std::sync::atomic::{AtomicU64, Ordering};

use kgpu_core::num::index;
use rustix::io::Errno;

use super::kinds::Kind;
use super::raw;

/// Results told apart: 0 for success, error numbers, and the last one for those that no program must see.
const RESULTS: u64 = 135;
/// The result of an error number that is the kernel's own affair.
const INTERNAL: u64 = RESULTS - 1;

/// The counts.
#[derive(Clone, Copy, Debug)]
pub struct Tally(&'static [AtomicU64]);

impl Tally {
    /// All zero.
    ///
    /// # Errors
    /// What mmap(2) said.
    pub fn new() -> Result<Self, Errno> {
        Ok(Self(raw::shared_counters(
            Kind::ALL.len() * index(RESULTS),
        )?))
    }

    fn place(self, kind: Kind, result: u64) -> Option<&'static AtomicU64> {
        let row = Kind::ALL.iter().position(|(k, _)| *k == kind)?;
        self.0.get(row * index(RESULTS) + index(result))
    }

    /// Counts a call.
    pub fn count(self, kind: Kind, result: Result<u64, u64>) {
        let result = match result {
            Ok(_) => 0,
            Err(errno @ 1..INTERNAL) => errno,
            Err(_) => INTERNAL,
        };
        if let Some(place) = self.place(kind, result) {
            place.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn get(self, kind: Kind, result: u64) -> u64 {
        self.place(kind, result)
            .map_or(0, |place| place.load(Ordering::Relaxed))
    }

    /// How many calls of a kind succeeded.
    pub fn succeeded(self, kind: Kind) -> u64 {
        self.get(kind, 0)
    }

    /// How many calls of a kind were made.
    pub fn made(self, kind: Kind) -> u64 {
        (0..RESULTS).map(|result| self.get(kind, result)).sum()
    }

    /// How many calls gave an error number that no program must see.
    pub fn internal(self) -> u64 {
        Kind::ALL.iter().map(|(k, _)| self.get(*k, INTERNAL)).sum()
    }

    /// A line for each kind: its results by count.
    pub fn lines(self) -> Vec<String> {
        Kind::ALL
            .iter()
            .map(|(kind, _)| {
                let mut line = format!("{kind:?}: ok {}", self.succeeded(*kind));
                for errno in 1..RESULTS {
                    let count = self.get(*kind, errno);
                    if count > 0 {
                        line.push_str(&format!(", errno {errno} {count}"));
                    }
                }
                line
            })
            .collect()
    }
}
