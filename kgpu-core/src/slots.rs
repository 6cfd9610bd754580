//! Key slots: an LRU cache of keys, filled at first offload.
//!
//! The submitter's private books; the keys themselves lie in the shared key table. eCryptfs makes
//! a transform per file, so there are always more keys than slots: setting a key never takes one,
//! and a request that finds none free simply is not offloaded.

/// A key's number: unique per key set, never reused. 0 is no key.
pub type KeyId = u64;

/// One slot's books. Storage of [`Slots`] is a row of these.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    key: KeyId,
    generation: u32,
    in_flight: u32,
    retired: bool,
    newer: u32,
    older: u32,
}

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The key is in this slot.
    Filled {
        /// Index in the key table.
        slot: u32,
        /// Its generation.
        generation: u32,
    },
    /// The slot is now this key's, and the key must be written to the table under this generation.
    Fill {
        /// Index in the key table.
        slot: u32,
        /// Its new generation.
        generation: u32,
    },
    /// Every slot has requests in flight (or the key is 0).
    Busy,
}

const NIL: u32 = u32::MAX;

/// The cache. `S` is its storage.
#[derive(Debug)]
pub struct Slots<S> {
    slots: S,
    newest: u32,
    oldest: u32,
}

impl<S: AsRef<[Slot]> + AsMut<[Slot]>> Slots<S> {
    /// All slots empty.
    #[must_use]
    pub fn new(mut slots: S) -> Self {
        let count = u32::try_from(slots.as_ref().len()).unwrap_or(NIL);
        for (i, slot) in (0u32..).zip(slots.as_mut().iter_mut()) {
            *slot = Slot {
                newer: i.checked_sub(1).unwrap_or(NIL),
                older: if i + 1 < count { i + 1 } else { NIL },
                ..Slot::default()
            };
        }
        Self {
            slots,
            newest: if count > 0 { 0 } else { NIL },
            oldest: count.checked_sub(1).unwrap_or(NIL),
        }
    }

    fn slot(&self, i: u32) -> Option<&Slot> {
        self.slots.as_ref().get(crate::num::index(u64::from(i)))
    }

    fn slot_mut(&mut self, i: u32) -> Option<&mut Slot> {
        self.slots.as_mut().get_mut(crate::num::index(u64::from(i)))
    }

    fn unlink(&mut self, i: u32) {
        let Some(&Slot { newer, older, .. }) = self.slot(i) else {
            return;
        };
        match self.slot_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slot_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, i: u32) {
        let newest = self.newest;
        if let Some(slot) = self.slot_mut(i) {
            slot.newer = NIL;
            slot.older = newest;
        }
        match self.slot_mut(newest) {
            Some(slot) => slot.newer = i,
            None => self.oldest = i,
        }
        self.newest = i;
    }

    fn link_oldest(&mut self, i: u32) {
        let oldest = self.oldest;
        if let Some(slot) = self.slot_mut(i) {
            slot.older = NIL;
            slot.newer = oldest;
        }
        match self.slot_mut(oldest) {
            Some(slot) => slot.older = i,
            None => self.newest = i,
        }
        self.oldest = i;
    }

    /// Finds `key`'s slot, or gives it the slot that was unused for longest, and counts one more
    /// request in flight on it. `hint` is the slot the key was last seen in. Key 0 gets no slot.
    pub fn acquire(&mut self, key: KeyId, hint: u32) -> Found {
        if key == 0 {
            return Found::Busy;
        }
        if let Some(slot) = self.slot_mut(hint)
            && slot.key == key
            && !slot.retired
        {
            slot.in_flight += 1;
            let generation = slot.generation;
            self.unlink(hint);
            self.link_newest(hint);
            return Found::Filled {
                slot: hint,
                generation,
            };
        }
        let mut at = self.oldest;
        while let Some(slot) = self.slot(at) {
            if slot.in_flight == 0 {
                break;
            }
            at = slot.newer;
        }
        let Some(slot) = self.slot_mut(at) else {
            return Found::Busy;
        };
        // Odd while filled; skipping the even value in between is one change for the reader.
        slot.generation =
            (slot.generation | 1).wrapping_add(if slot.generation & 1 == 1 { 2 } else { 0 });
        slot.key = key;
        slot.in_flight = 1;
        slot.retired = false;
        let generation = slot.generation;
        self.unlink(at);
        self.link_newest(at);
        Found::Fill {
            slot: at,
            generation,
        }
    }

    /// One request less in flight. The result tells whether the slot's key was retired meanwhile
    /// and must be cleared from the table under the returned generation.
    pub fn release(&mut self, i: u32) -> Option<u32> {
        let slot = self.slot_mut(i)?;
        slot.in_flight = slot.in_flight.saturating_sub(1);
        if slot.in_flight == 0 && slot.retired {
            self.clear(i)
        } else {
            None
        }
    }

    /// Forgets a key that its owner changed or freed. The result is the slot to clear in the key
    /// table at once and the generation to clear it under; `None` if the key has no slot or
    /// requests are still in flight on it (then [`Slots::release`] says so later).
    pub fn retire(&mut self, key: KeyId, hint: u32) -> Option<(u32, u32)> {
        if key == 0 || self.slot(hint)?.key != key {
            return None;
        }
        self.retire_slot(hint).map(|generation| (hint, generation))
    }

    /// Forgets whatever key a slot has, for a table that no key is filled into any more. The result
    /// is the generation to clear it under at once; `None` as with [`Slots::retire`].
    pub fn retire_slot(&mut self, i: u32) -> Option<u32> {
        let slot = self.slot_mut(i)?;
        if slot.key == 0 {
            return None;
        }
        if slot.in_flight > 0 {
            slot.retired = true;
            return None;
        }
        self.clear(i)
    }

    fn clear(&mut self, i: u32) -> Option<u32> {
        let slot = self.slot_mut(i)?;
        slot.key = 0;
        slot.retired = false;
        slot.generation = slot.generation.wrapping_add(1) & !1;
        let generation = slot.generation;
        self.unlink(i);
        self.link_oldest(i);
        Some(generation)
    }

    /// Whether requests under a key are in flight; `hint` is the slot it was last seen in.
    #[must_use]
    pub fn is_in_flight(&self, key: KeyId, hint: u32) -> bool {
        self.slot(hint)
            .is_some_and(|slot| slot.key == key && !slot.retired && slot.in_flight > 0)
    }

    /// Requests in flight on a slot.
    #[must_use]
    pub fn in_flight(&self, i: u32) -> u32 {
        self.slot(i).map_or(0, |slot| slot.in_flight)
    }

    /// Slots that hold a key.
    #[must_use]
    pub fn filled(&self) -> usize {
        self.slots
            .as_ref()
            .iter()
            .filter(|slot| slot.key != 0)
            .count()
    }
}
