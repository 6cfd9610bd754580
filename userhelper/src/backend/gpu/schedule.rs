//! A key's schedule as a device's kernels read it: expanded once, kept on the host for as long as the prepared
//! key lives, and known to the arena by its place. No device memory here.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kgpu_core::abi::AlgorithmId;
use kgpu_core::cpu::KeyError;
use kgpu_core::device::{Code, HEADER_WORDS};
use zeroize::Zeroize;

/// Where a schedule lies: a slot of one arena. A device that was opened anew has another arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which arena.
    pub arena: u32,
    /// Which slot of it.
    pub slot: u32,
}

const NOWHERE: u64 = u64::MAX;

impl Place {
    fn pack(self) -> u64 {
        u64::from(self.arena) << 32 | u64::from(self.slot)
    }

    fn unpack(word: u64) -> Option<Self> {
        (word != NOWHERE).then(|| Self {
            arena: kgpu_core::num::low32(word >> 32),
            slot: kgpu_core::num::low32(word),
        })
    }
}

/// What schedules and arenas of one backend share: numbers, and the slots that dropped schedules leave.
#[derive(Debug, Default)]
pub struct Schedules {
    generation: AtomicU32,
    arena: AtomicU32,
    left: Mutex<Vec<Place>>,
    any_left: AtomicBool,
}

impl Schedules {
    /// For as many dropped schedules between two looks of their arena as `room` says, without taking memory.
    #[must_use]
    pub fn with_room(room: usize) -> Self {
        Self {
            left: Mutex::new(Vec::with_capacity(room)),
            ..Self::default()
        }
    }

    /// Expands a key for a device.
    ///
    /// # Errors
    /// [`KeyError`] when the algorithm has no key of that length.
    pub fn expand(
        self: &Arc<Self>,
        algorithm: AlgorithmId,
        code: &Code,
        key: &[u8],
    ) -> Result<Schedule, KeyError> {
        let mut schedule = Schedule {
            words: vec![0; code.schedule_words.max(HEADER_WORDS)].into(),
            // 0 is no generation: what was cleared is stale.
            generation: (self.generation.fetch_add(1, Ordering::Relaxed))
                .wrapping_add(1)
                .max(1),
            place: AtomicU64::new(NOWHERE),
            home: Arc::clone(self),
        };
        let generation = schedule.generation;
        let key_len = u32::try_from(key.len()).map_err(|_| KeyError { len: key.len() })?;
        if let Some((header, words)) = schedule.words.split_first_chunk_mut::<HEADER_WORDS>() {
            *header = [generation, u32::from(algorithm.0), key_len, 0];
            (code.schedule)(key, words)?;
        }
        Ok(schedule)
    }

    /// A number for an arena.
    pub(super) fn new_arena(&self) -> u32 {
        self.arena.fetch_add(1, Ordering::Relaxed)
    }

    /// Moves the slots of an arena that dropped schedules left to `slots`.
    pub(super) fn left(&self, arena: u32, slots: &mut Vec<u32>) {
        // Asked each round: a look costs less than a swap.
        if !self.any_left.load(Ordering::Relaxed) || !self.any_left.swap(false, Ordering::Acquire) {
            return;
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        // Slots of an arena that is gone were cleared with it.
        slots.extend(left.drain(..).filter(|p| p.arena == arena).map(|p| p.slot));
    }
}

/// A key's schedule, its header included. Cleared when dropped; its slot is cleared by the arena soon after.
pub struct Schedule {
    words: Box<[u32]>,
    generation: u32,
    place: AtomicU64,
    home: Arc<Schedules>,
}

impl std::fmt::Debug for Schedule {
    /// Prints no key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule")
            .field("generation", &self.generation)
            .field("words", &self.words.len())
            .finish_non_exhaustive()
    }
}

impl Schedule {
    /// Header and schedule.
    pub(crate) fn words(&self) -> &[u32] {
        &self.words
    }

    /// What its header says; no other schedule of the process's life has it.
    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    /// Its place in an arena, if it has one there.
    pub(super) fn slot(&self, arena: u32) -> Option<u32> {
        Place::unpack(self.place.load(Ordering::Relaxed))
            .filter(|place| place.arena == arena)
            .map(|place| place.slot)
    }

    /// Gives it a place. Only the one thread that runs the backend does so.
    pub(super) fn settle(&self, place: Place) {
        self.place.store(place.pack(), Ordering::Relaxed);
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.words.zeroize();
        if let Some(place) = Place::unpack(*self.place.get_mut()) {
            let mut left = self
                .home
                .left
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            left.push(place);
            self.home.any_left.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> Code {
        Code {
            schedule_words: 8,
            schedule: |key, words| {
                if key.len() != 4 {
                    return Err(KeyError { len: key.len() });
                }
                words.fill(u32::from_le_bytes([key[0], key[1], key[2], key[3]]));
                Ok(())
            },
            entries: &[],
        }
    }

    #[test]
    fn headers_tell_generation_algorithm_and_key_length() {
        let home = Arc::new(Schedules::default());
        let one = home.expand(AlgorithmId(7), &code(), &[1, 2, 3, 4]).unwrap();
        let two = home.expand(AlgorithmId(7), &code(), &[1, 2, 3, 4]).unwrap();
        assert_eq!(one.words()[1..4], [7, 4, 0]);
        assert_eq!(one.words()[4..], [0x0403_0201; 4]);
        assert_eq!(one.words()[0], one.generation());
        assert_ne!(one.generation(), two.generation());
        assert!(home.expand(AlgorithmId(7), &code(), &[1]).is_err());
        assert!(!format!("{one:?}").contains("67305985"));
    }

    #[test]
    fn dropped_schedules_leave_their_slots_once_and_to_their_arena_only() {
        let home = Arc::new(Schedules::default());
        let place = |arena, slot| {
            let schedule = home.expand(AlgorithmId(7), &code(), &[0; 4]).unwrap();
            schedule.settle(Place { arena, slot });
            schedule
        };
        let (mine, other, kept) = (place(3, 11), place(2, 12), place(3, 13));
        assert_eq!((mine.slot(3), mine.slot(2)), (Some(11), None));
        drop((mine, other));
        drop(home.expand(AlgorithmId(7), &code(), &[0; 4]));
        let mut slots = Vec::new();
        home.left(3, &mut slots);
        assert_eq!(slots, [11]);
        home.left(3, &mut slots);
        assert_eq!(slots, [11]);
        drop(kept);
        home.left(3, &mut slots);
        assert_eq!(slots, [11, 13]);
    }
}
