//! What happened, per algorithm: plain counters, written anywhere, read by status files.

use core::sync::atomic::{AtomicU64, Ordering};

use kgpu_core::inflight::Reject;
use kgpu_core::num::index;
use kgpu_core::ring::RingError;

use crate::ALGORITHMS;

/// Why a request was computed by the fallback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// No helper is attached, or it has not passed its known answers.
    NoHelper,
    /// Too little was queued to be worth the trip.
    Small,
    /// A length or alignment that is not tiled.
    Shape,
    /// The ring, the pool or the tile table stayed full.
    Full,
    /// Its transform or owner holds its share already.
    Share,
    /// Every key slot had requests in flight.
    NoSlot,
    /// The helper missed a deadline and has shown no life since.
    Stalled,
    /// The helper had it and missed the deadline.
    Deadline,
    /// The helper had it and died.
    Death,
    /// The helper had it and said it failed.
    Failed,
    /// The helper had it and was quarantined.
    Quarantine,
    /// The system was being suspended: helpers are frozen with all other processes.
    Suspended,
    /// A recheck found the helper's result wrong; the submitter got the fallback's.
    Wrong,
}

impl Reason {
    /// Number of reasons.
    pub const COUNT: usize = 13;
    /// Names, in order.
    pub const LABELS: [&'static str; Self::COUNT] = [
        "no-helper",
        "small",
        "shape",
        "full",
        "share",
        "no-slot",
        "stalled",
        "deadline",
        "death",
        "failed",
        "quarantine",
        "suspended",
        "wrong",
    ];
}

const BUCKETS: usize = 32;

/// A count that only grows.
#[derive(Debug)]
pub struct Count(AtomicU64);

impl Count {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Reads.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that is what it is now.
#[derive(Debug)]
pub struct Gauge(AtomicU64);

impl Gauge {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Sets.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Reads.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Requests and their bytes.
#[derive(Debug)]
pub struct Tally {
    /// Requests.
    pub requests: Count,
    /// Source bytes.
    pub bytes: Count,
}

impl Tally {
    const fn new() -> Self {
        Self {
            requests: Count::new(),
            bytes: Count::new(),
        }
    }

    /// Adds a request.
    pub fn add(&self, bytes: u32) {
        self.add_many(1, u64::from(bytes));
    }

    /// Adds requests.
    pub fn add_many(&self, requests: u64, bytes: u64) {
        self.requests.add(requests);
        self.bytes.add(bytes);
    }
}

/// Times from acceptance to completion, in powers of two of a microsecond.
#[derive(Debug)]
pub struct Histogram([AtomicU64; BUCKETS]);

impl Histogram {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }

    /// Adds a time in nanoseconds: bucket n holds times below 2^n microseconds.
    pub fn add(&self, ns: u64) {
        self.add_all(core::iter::once(ns));
    }

    /// Adds times. Neighbours of one bucket are added at once: other processors write there as well.
    pub fn add_all(&self, times: impl Iterator<Item = u64>) {
        let (mut last, mut count) = (0, 0);
        for ns in times {
            let bucket = index(u64::from(
                (ns / 1000).checked_ilog2().map_or(0, |log| log + 1),
            ));
            if bucket != last {
                self.add_to(last, core::mem::take(&mut count));
                last = bucket;
            }
            count += 1;
        }
        self.add_to(last, count);
    }

    fn add_to(&self, bucket: usize, count: u64) {
        if let Some(bucket) = self.0.get(bucket.min(BUCKETS - 1))
            && count > 0
        {
            bucket.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// The buckets.
    pub fn buckets(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|bucket| bucket.load(Ordering::Relaxed))
    }
}

/// One algorithm's counters.
#[derive(Debug)]
pub struct PerAlgorithm {
    /// Requests that the module answers for: queued, or given to the fallback's work queue.
    pub accepted: Count,
    /// Those answered. At rest as many as were accepted: more would be answers given twice, fewer
    /// requests that were lost.
    pub completed: Count,
    /// Computed by a helper.
    pub helper: Tally,
    /// Computed by the fallback, by reason.
    pub fallback: [Tally; Reason::COUNT],
    /// Requests the fallback failed: errors that a stock kernel would have returned too.
    pub errors: Count,
    /// Completions not believed that named a request of this algorithm in flight.
    pub rejected: Count,
    /// Known answers passed through a helper.
    pub known_answers: Count,
    /// Requests whose data stayed in pool buffers.
    pub zero_copy: Count,
    /// Requests whose source the helper read where it lay, in this guest's memory.
    pub in_place: Count,
    /// Times of requests that a helper computed.
    pub helper_latency: Histogram,
    /// Times of requests that went through the queue and were computed by the fallback.
    pub fallback_latency: Histogram,
}

static PER_ALGORITHM: [PerAlgorithm; ALGORITHMS] = [const {
    PerAlgorithm {
        accepted: Count::new(),
        completed: Count::new(),
        helper: Tally::new(),
        fallback: [const { Tally::new() }; Reason::COUNT],
        errors: Count::new(),
        rejected: Count::new(),
        known_answers: Count::new(),
        zero_copy: Count::new(),
        in_place: Count::new(),
        helper_latency: Histogram::new(),
        fallback_latency: Histogram::new(),
    }
}; ALGORITHMS];

/// An algorithm's counters, by its index.
#[must_use]
pub fn of(algorithm: usize) -> &'static PerAlgorithm {
    // Indices come from the registry; the last entry takes what could not be.
    PER_ALGORITHM
        .get(algorithm)
        .unwrap_or(&PER_ALGORITHM[ALGORITHMS - 1])
}

/// Counts a request that the fallback is to compute.
pub fn fell_back(algorithm: usize, reason: Reason, bytes: u32) {
    if let Some(tally) = of(algorithm).fallback.get(reason as usize) {
        tally.add(bytes);
    }
}

/// Counters of the whole module.
#[derive(Debug)]
pub struct Global {
    /// Completions not believed, by kind.
    pub rejected: [Count; Reject::KINDS],
    /// Ring words that were impossible, by kind.
    pub ring_errors: [Count; RingError::KINDS],
    /// Helpers quarantined.
    pub quarantines: Count,
    /// Sessions opened.
    pub sessions: Count,
    /// Sessions ended by the device being closed.
    pub closed: Count,
    /// Keys written to a slot.
    pub key_fills: Count,
    /// Requests that a helper had and the module took back.
    pub taken_over: Count,
    /// Known answers that failed.
    pub known_answers_failed: Count,
    /// Helpers whose known answers did not come within the deadline.
    pub known_answers_missing: Count,
    /// Results of helpers that were computed again and compared.
    pub rechecks: Count,
    /// Those that were wrong.
    pub rechecks_wrong: Count,
    /// Helpers that took over from another.
    pub takeovers: Count,
    /// Requests that the other still had when the last of them did.
    pub takeover_in_flight: Gauge,
    /// Requests that helpers have now.
    pub in_flight: Gauge,
    /// How long after their deadline overdue requests were answered, by the fallback.
    pub overdue: Histogram,
}

/// Counters of the whole module.
pub static GLOBAL: Global = Global {
    rejected: [const { Count::new() }; Reject::KINDS],
    ring_errors: [const { Count::new() }; RingError::KINDS],
    quarantines: Count::new(),
    sessions: Count::new(),
    closed: Count::new(),
    key_fills: Count::new(),
    taken_over: Count::new(),
    known_answers_failed: Count::new(),
    known_answers_missing: Count::new(),
    rechecks: Count::new(),
    rechecks_wrong: Count::new(),
    takeovers: Count::new(),
    takeover_in_flight: Gauge::new(),
    in_flight: Gauge::new(),
    overdue: Histogram::new(),
};
