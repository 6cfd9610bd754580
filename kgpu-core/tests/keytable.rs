//! Key slots, one side at a time. Both at once are beyond loom: an entry's sixteen words, each
//! seen old or new, make more runs than a test can.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests, too, may panic.

use kgpu_core::abi::{AlgorithmId, KEY_BYTES_MAX, KeyEntry, Layout, RingSizes};
use kgpu_core::cell::{Word, Words};
use kgpu_core::keytable::{clear, entry_at, read, write};
use proptest::prelude::*;

fn layout() -> Layout {
    Layout::new(RingSizes {
        entries: 2,
        tiles: 1,
        keys: 3,
        pool_bytes: 4096,
    })
    .unwrap()
}

fn table(layout: &Layout) -> Vec<Word> {
    (0..layout.control_bytes / 8)
        .map(|_| Word::new(0))
        .collect()
}

proptest! {
    #[test]
    fn a_key_is_read_under_its_own_generation_only(
        key in prop::collection::vec(any::<u8>(), 0..=KEY_BYTES_MAX),
        generation in any::<u32>(),
        other in any::<u32>(),
        algorithm in any::<u16>(),
        slot in 0u32..3,
    ) {
        let layout = layout();
        let words = table(&layout);
        let words = Words::new(&words);
        let entry = KeyEntry::new(generation, AlgorithmId(algorithm), &key).unwrap();
        prop_assert_eq!(entry.bytes(), Some(&key[..]));
        write(words, &layout, slot, &entry);
        let odd = generation % 2 == 1;
        prop_assert_eq!(read(words, &layout, slot, generation), odd.then_some(entry));
        prop_assert_eq!(words.load_entry::<KeyEntry>(entry_at(&layout, slot).unwrap()), Some(entry));
        if other != generation {
            prop_assert_eq!(read(words, &layout, slot, other), None);
        }
        for neighbour in (0..3).filter(|at| *at != slot) {
            let at = entry_at(&layout, neighbour).unwrap();
            prop_assert_eq!(words.load_entry(at), Some(KeyEntry::empty(0)));
        }
        let cleared = generation.wrapping_add(1) & !1;
        clear(words, &layout, slot, cleared);
        prop_assert_eq!(read(words, &layout, slot, generation), None);
        prop_assert_eq!(
            words.load_entry(entry_at(&layout, slot).unwrap()),
            Some(KeyEntry::empty(cleared))
        );
    }
}

#[test]
fn slots_and_keys_beyond_the_table_do_not_exist() {
    let layout = layout();
    let words = table(&layout);
    let words = Words::new(&words);
    assert_eq!(entry_at(&layout, 2), Some(layout.key_offset + 256));
    assert_eq!(entry_at(&layout, 3), None);
    let entry = KeyEntry::new(1, AlgorithmId(1), &[1; KEY_BYTES_MAX]).unwrap();
    write(words, &layout, 3, &entry);
    assert_eq!(read(words, &layout, 3, 1), None);
    assert!(
        (0..layout.control_bytes)
            .step_by(8)
            .all(|at| words.load(at) == 0)
    );
    assert!(KeyEntry::new(1, AlgorithmId(1), &[1; KEY_BYTES_MAX + 1]).is_none());
    // A length that no entry can have, as a broken writer would leave it.
    let long = KeyEntry {
        key_len: 113,
        ..entry
    };
    write(words, &layout, 0, &long);
    assert_eq!(read(words, &layout, 0, 1), None);
    assert_eq!(long.bytes(), None);
}
