//! Reading and writing a key slot while the other side looks.
//!
//! The first word of an entry carries the generation: odd while the slot holds a key. The writer
//! makes it even, writes the key, then makes it odd again; a reader that finds the same odd
//! generation before and after holds one whole key (a sequence lock).

use zeroize::Zeroize;

use crate::abi::{KeyEntry, Layout, Reflect};
use crate::cell::Words;

/// Byte offset of a slot's entry in the control mapping; `None` when there is no such slot.
#[must_use]
pub fn entry_at(layout: &Layout, slot: u32) -> Option<u64> {
    (slot < layout.sizes.keys).then(|| layout.key_offset + u64::from(slot) * KeyEntry::SIZE as u64)
}

/// Writes an entry; its generation must be odd for a key, even for a cleared slot.
pub fn write(control: Words<'_>, layout: &Layout, slot: u32, entry: &KeyEntry) {
    let Some(at) = entry_at(layout, slot) else {
        return;
    };
    // The generation lies in the low half of the first word: even from here on.
    control.store(at, control.load(at) & !1);
    Words::fence();
    let mut hidden = KeyEntry {
        generation: entry.generation & !1,
        ..*entry
    };
    // Inside the mapping: `entry_at` bounded the slot.
    let _inside = control.store_entry(at, &hidden);
    // Copies of a key must not stay on the stack.
    hidden.key.zeroize();
    Words::fence();
    let first = u64::from(entry.generation)
        | u64::from(entry.algorithm) << 32
        | u64::from(entry.key_len) << 48;
    control.store(at, first);
}

/// Clears a slot under an even generation: no byte of the key is left.
pub fn clear(control: Words<'_>, layout: &Layout, slot: u32, generation: u32) {
    write(control, layout, slot, &KeyEntry::empty(generation & !1));
}

/// Reads the key of a slot if it is, before and after, of this odd generation. The copy is the caller's to clear;
/// [`read_into`] leaves none on the way.
#[must_use]
pub fn read(control: Words<'_>, layout: &Layout, slot: u32, generation: u32) -> Option<KeyEntry> {
    let mut entry = KeyEntry::empty(0);
    read_into(control, layout, slot, generation, &mut entry).then_some(entry)
}

/// As [`read`], to where the caller has the entry. Whether it is that generation's key; if not, nothing of what was
/// read stays in it.
#[must_use]
pub fn read_into(
    control: Words<'_>,
    layout: &Layout,
    slot: u32,
    generation: u32,
    entry: &mut KeyEntry,
) -> bool {
    let Some(at) = entry_at(layout, slot) else {
        return false;
    };
    let before = control.load(at);
    let inside = control.load_entry_into(at, entry);
    Words::fence();
    let whole = inside
        && control.load(at) == before
        && crate::num::low32(before) == generation
        && entry.generation == generation
        && generation & 1 == 1
        && usize::from(entry.key_len) <= entry.key.len();
    if !whole {
        entry.zeroize();
    }
    whole
}
