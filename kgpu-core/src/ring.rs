//! The two rings: one writer per word, free-running counters, peer-written words read once and
//! bounded.
//!
//! A ring is `entries` entries in its producer's mapping, a tail word in the same mapping, and a
//! head word in its consumer's. Counters count since the session began and never wrap in practice
//! (2^64); the index is the counter modulo `entries`. Each side keeps its own counter privately and
//! never reads it back from shared memory.

#[cfg(any(kani, test))]
mod proofs;

use core::marker::PhantomData;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::abi::{Completion, Layout, Submission, word};
use crate::cell::Words;

/// What a peer did to its ring word: an attack or a bug, never a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// The consumer claims to have consumed what was never published, or goes backwards.
    InvalidHead {
        /// The value found.
        head: u64,
        /// The last value found before it.
        seen: u64,
        /// The producer's own tail.
        tail: u64,
    },
    /// The producer claims more entries than the ring holds, or goes backwards.
    InvalidTail {
        /// The value found.
        tail: u64,
        /// The consumer's own head.
        head: u64,
        /// Entries of the ring.
        entries: u32,
    },
    /// The ring's entries lie outside the mapping: the layout is not this mapping's.
    OutsideMapping,
}

impl RingError {
    /// Number of kinds.
    pub const KINDS: usize = 3;
    /// The names of the kinds, in the order of [`RingError::kind`].
    pub const LABELS: [&'static str; Self::KINDS] = ["head", "tail", "mapping"];

    /// This kind's index, for counters.
    #[must_use]
    pub const fn kind(&self) -> usize {
        match self {
            Self::InvalidHead { .. } => 0,
            Self::InvalidTail { .. } => 1,
            Self::OutsideMapping => 2,
        }
    }
}

impl core::fmt::Display for RingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::InvalidHead { head, seen, tail } => {
                write!(f, "ring head {head}, was {seen}, tail {tail}")
            }
            Self::InvalidTail {
                tail,
                head,
                entries,
            } => {
                write!(f, "ring tail {tail}, head {head}, {entries} entries")
            }
            Self::OutsideMapping => f.write_str("ring entries lie outside the mapping"),
        }
    }
}

/// Where a ring lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingPlace {
    /// Byte offset of the entries in the producer's mapping.
    pub entries_at: u64,
    /// Number of entries, a power of two.
    pub entries: u32,
    /// Byte offset of the tail in the producer's mapping.
    pub tail_at: u64,
    /// Byte offset of the head in the consumer's mapping.
    pub head_at: u64,
}

impl RingPlace {
    /// The submission ring: produced in the control mapping, consumed in the helper mapping.
    #[must_use]
    pub const fn submissions(layout: &Layout) -> Self {
        Self {
            entries_at: layout.sq_offset,
            entries: layout.sizes.entries,
            tail_at: word::SQ_TAIL,
            head_at: word::SQ_HEAD,
        }
    }

    /// The completion ring: produced in the helper mapping, consumed in the control mapping.
    #[must_use]
    pub const fn completions(layout: &Layout) -> Self {
        Self {
            entries_at: layout.cq_offset,
            entries: layout.sizes.entries,
            tail_at: word::CQ_TAIL,
            head_at: word::CQ_HEAD,
        }
    }

    const fn entry_at(&self, counter: u64, size: usize) -> u64 {
        self.entries_at + (counter & (self.entries as u64 - 1)) * size as u64
    }
}

/// The producing side of a ring of `T`.
#[derive(Debug)]
pub struct Producer<T> {
    place: RingPlace,
    tail: u64,
    head: u64,
    entry: PhantomData<T>,
}

/// The consuming side of a ring of `T`.
#[derive(Debug)]
pub struct Consumer<T> {
    place: RingPlace,
    head: u64,
    tail: u64,
    entry: PhantomData<T>,
}

/// The module's side of the submission ring.
pub type SubmissionProducer = Producer<Submission>;
/// The helper's side of the submission ring.
pub type SubmissionConsumer = Consumer<Submission>;
/// The helper's side of the completion ring.
pub type CompletionProducer = Producer<Completion>;
/// The module's side of the completion ring.
pub type CompletionConsumer = Consumer<Completion>;

impl<T: IntoBytes + Immutable> Producer<T> {
    /// A producer whose counters stand at 0, as those of a new session do.
    #[must_use]
    pub const fn new(place: RingPlace) -> Self {
        Self {
            place,
            tail: 0,
            head: 0,
            entry: PhantomData,
        }
    }

    /// Free entries, by one look at the consumer's head.
    ///
    /// # Errors
    /// [`RingError::InvalidHead`] when the consumer's word is impossible.
    pub fn free(&mut self, theirs: Words<'_>) -> Result<u32, RingError> {
        let head = theirs.load(self.place.head_at);
        if head < self.head || head > self.tail {
            return Err(RingError::InvalidHead {
                head,
                seen: self.head,
                tail: self.tail,
            });
        }
        self.head = head;
        Ok(self
            .place
            .entries
            .saturating_sub(crate::num::low32(self.tail - head)))
    }

    /// Puts an entry behind the last one; the consumer sees it after [`Producer::publish`].
    /// `Ok(false)` when the ring is full.
    ///
    /// # Errors
    /// [`RingError`] when the consumer's head is impossible or the ring outside the mapping.
    pub fn push(
        &mut self,
        ours: Words<'_>,
        theirs: Words<'_>,
        entry: &T,
    ) -> Result<bool, RingError> {
        // Look at the peer's word only when the last look leaves no room: it is a cache miss.
        if self.tail - self.head >= u64::from(self.place.entries) && self.free(theirs)? == 0 {
            return Ok(false);
        }
        if !ours.store_entry(self.place.entry_at(self.tail, size_of::<T>()), entry) {
            return Err(RingError::OutsideMapping);
        }
        self.tail += 1;
        Ok(true)
    }

    /// Makes every entry pushed so far visible to the consumer.
    pub fn publish(&self, ours: Words<'_>) {
        ours.store(self.place.tail_at, self.tail);
    }

    /// Entries pushed since the session began.
    #[must_use]
    pub const fn pushed(&self) -> u64 {
        self.tail
    }

    /// Entries the consumer had taken at the last look.
    #[must_use]
    pub const fn seen_head(&self) -> u64 {
        self.head
    }
}

impl<T: FromBytes + IntoBytes> Consumer<T> {
    /// A consumer whose counters stand at 0, as those of a new session do.
    #[must_use]
    pub const fn new(place: RingPlace) -> Self {
        Self {
            place,
            head: 0,
            tail: 0,
            entry: PhantomData,
        }
    }

    /// Entries ready, by one look at the producer's tail.
    ///
    /// # Errors
    /// [`RingError::InvalidTail`] when the producer's word is impossible.
    pub fn ready(&mut self, theirs: Words<'_>) -> Result<u32, RingError> {
        let tail = theirs.load(self.place.tail_at);
        let waiting = tail.wrapping_sub(self.head);
        if tail < self.tail || waiting > u64::from(self.place.entries) {
            return Err(RingError::InvalidTail {
                tail,
                head: self.head,
                entries: self.place.entries,
            });
        }
        self.tail = tail;
        Ok(crate::num::low32(waiting))
    }

    /// Takes the next entry, copied out of the mapping. The producer may reuse its place after
    /// [`Consumer::release`].
    ///
    /// # Errors
    /// [`RingError`] when the producer's tail is impossible or the ring outside the mapping.
    pub fn pop(&mut self, theirs: Words<'_>) -> Result<Option<T>, RingError> {
        if self.head == self.tail && self.ready(theirs)? == 0 {
            return Ok(None);
        }
        let entry = theirs
            .load_entry(self.place.entry_at(self.head, size_of::<T>()))
            .ok_or(RingError::OutsideMapping)?;
        self.head += 1;
        Ok(Some(entry))
    }

    /// Tells the producer that every entry taken so far may be overwritten.
    pub fn release(&self, ours: Words<'_>) {
        ours.store(self.place.head_at, self.head);
    }

    /// Entries taken since the session began.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.head
    }
}
