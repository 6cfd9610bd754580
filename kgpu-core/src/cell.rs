//! Shared-memory cells: the only place where memory that another party may be rewriting is
//! touched, and the only `unsafe` of this crate.
//!
//! Shared memory is a row of 64-bit atomic words. Every access is one atomic load or store of one
//! word, so a peer that writes at the same time yields an arbitrary value, never undefined
//! behaviour, and a value once loaded cannot change under the reader.
#![allow(unsafe_code)]

#[cfg(not(any(loom, shuttle)))]
use core::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicU64, Ordering};

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::num::index;

const WORD: usize = 8;

/// One shared word.
pub type Word = AtomicU64;

/// A shared mapping as words.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    words: &'a [Word],
}

impl<'a> Words<'a> {
    /// Words that are already a slice (tests, in-process rings).
    #[must_use]
    pub const fn new(words: &'a [Word]) -> Self {
        Self { words }
    }

    /// The words of a mapping of `bytes` bytes at `base`.
    ///
    /// # Safety
    /// For all of `'a`, `base` must be 8-byte aligned and valid for reads of `bytes` bytes (and for
    /// writes, if any store is made through the result), and every other access to the memory,
    /// by whomever, must be atomic or made by another process through its own mapping.
    #[cfg(not(any(loom, shuttle)))]
    #[must_use]
    pub const unsafe fn from_raw(base: *const u8, bytes: usize) -> Self {
        // SAFETY: the caller vouches for alignment, validity and atomicity; AtomicU64 has the
        // layout of u64, and interior mutability makes concurrent change sound.
        let words = unsafe { core::slice::from_raw_parts(base.cast::<Word>(), bytes / WORD) };
        Self { words }
    }

    /// Bytes of the mapping.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.words.len() * WORD
    }

    /// Whether the mapping is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn word(&self, offset: u64) -> Option<&'a Word> {
        self.words.get(index(offset) / WORD)
    }

    /// Loads the word at a byte offset once; what the peer wrote before it is visible. 0 outside
    /// the mapping.
    #[must_use]
    pub fn load(&self, offset: u64) -> u64 {
        self.word(offset).map_or(0, |w| w.load(Ordering::Acquire))
    }

    /// Stores the word at a byte offset; what was written before becomes visible with it. Nothing
    /// outside the mapping.
    pub fn store(&self, offset: u64, value: u64) {
        if let Some(word) = self.word(offset) {
            word.store(value, Ordering::Release);
        }
    }

    /// Stores a word and orders everything after it behind it: for "I am going to sleep" flags,
    /// which are followed by one more look at the other side's words.
    pub fn store_then_look(&self, offset: u64, value: u64) {
        if let Some(word) = self.word(offset) {
            word.store(value, Ordering::SeqCst);
            Self::fence();
        }
    }

    /// Orders a published word before a look at the other side's "I am going to sleep" flag.
    pub fn fence() {
        #[cfg(not(any(loom, shuttle)))]
        core::sync::atomic::fence(Ordering::SeqCst);
        #[cfg(loom)]
        loom::sync::atomic::fence(Ordering::SeqCst);
        #[cfg(shuttle)]
        shuttle::sync::atomic::fence(Ordering::SeqCst);
    }

    /// Copies an entry out of the mapping, each word once. `None` outside the mapping.
    #[must_use]
    pub fn load_entry<T: FromBytes + IntoBytes>(&self, offset: u64) -> Option<T> {
        let mut entry = T::new_zeroed();
        self.load_entry_into(offset, &mut entry).then_some(entry)
    }

    /// Copies an entry out of the mapping to where the caller has it, each word once, and leaves no other copy of
    /// it: for keys. `false` outside the mapping.
    #[must_use]
    pub fn load_entry_into<T: FromBytes + IntoBytes>(&self, offset: u64, entry: &mut T) -> bool {
        let first = index(offset) / WORD;
        let bytes = entry.as_mut_bytes();
        let Some(words) = self
            .words
            .get(first..first.saturating_add(bytes.len() / WORD))
        else {
            return false;
        };
        for (to, word) in bytes.chunks_exact_mut(WORD).zip(words) {
            // Relaxed: entries are ordered by the index word that publishes them.
            to.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        true
    }

    /// Copies an entry into the mapping. `false` outside the mapping.
    #[must_use]
    pub fn store_entry<T: IntoBytes + Immutable>(&self, offset: u64, entry: &T) -> bool {
        let first = index(offset) / WORD;
        let bytes = entry.as_bytes();
        let Some(words) = self
            .words
            .get(first..first.saturating_add(bytes.len() / WORD))
        else {
            return false;
        };
        for (from, word) in bytes.chunks_exact(WORD).zip(words) {
            let mut value = [0; WORD];
            value.copy_from_slice(from);
            // Relaxed: see `load_entry`.
            word.store(u64::from_ne_bytes(value), Ordering::Relaxed);
        }
        true
    }
}
