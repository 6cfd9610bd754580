//! Proofs of the ring's index arithmetic. Bounds: rings of up to 2^16 entries for the arithmetic,
//! of 2 to 8 where words are read; every value of the peer's word, every pair of counters below
//! 2^63 (a session does not get there).

use super::{Consumer, Producer, RingError, RingPlace};
use crate::cell::{Word, Words};
use crate::proof::Source;
use crate::prove;

const ENTRY: usize = 32;

fn place(entries: u32) -> RingPlace {
    RingPlace {
        entries_at: 8,
        entries,
        tail_at: 0,
        head_at: 0,
    }
}

/// Entries lie inside the ring, and two that are in it at once lie apart.
fn entries_stay_inside(source: &mut impl Source) -> bool {
    let entries = 1u32 << (1 + source.below(16));
    let place = RingPlace {
        entries_at: source.below(1 << 40),
        ..place(entries)
    };
    let counter = source.u64();
    let at = place.entry_at(counter, ENTRY);
    let end = place.entries_at + u64::from(entries) * ENTRY as u64;
    assert!(at >= place.entries_at && at + ENTRY as u64 <= end);
    assert!((at - place.entries_at).is_multiple_of(ENTRY as u64));
    let ahead = 1 + source.below(u64::from(entries) - 1);
    let other = place.entry_at(counter.wrapping_add(ahead), ENTRY);
    assert!(other.abs_diff(at) >= ENTRY as u64);
    true
}

/// Two counters as a side may hold them: how far behind is behind, and no further than a ring.
fn counters(source: &mut impl Source, entries: u32) -> (u64, u64) {
    let behind = source.below(1 << 63);
    (behind, behind + source.below(u64::from(entries) + 1))
}

/// A producer believes a head only between the last one and its own tail, and then pushes only
/// where there is room.
fn producers_bound_the_head(source: &mut impl Source) -> bool {
    let entries = 2u32 << source.below(3);
    let (head, tail) = counters(source, entries);
    let mut producer = Producer::<[u64; 4]> {
        tail,
        head,
        ..Producer::new(place(entries))
    };
    let found = source.u64();
    let theirs = [Word::new(found)];
    let free = producer.free(Words::new(&theirs));
    let believed = found >= head && found <= tail;
    assert_eq!(free.is_ok(), believed);
    let Ok(free) = free else {
        assert!(producer.head == head && producer.tail == tail);
        return true;
    };
    assert!(free <= entries && u64::from(free) == u64::from(entries) - (tail - found));
    // One word of tail and eight entries: as many as any ring here has.
    let ours = [const { Word::new(0) }; 1 + 8 * 4];
    let pushed = producer.push(Words::new(&ours), Words::new(&theirs), &[1, 2, 3, 4]);
    assert_eq!(pushed, Ok(free > 0));
    assert_eq!(producer.tail - tail, u64::from(free > 0));
    true
}

/// A consumer believes a tail only from the last one to a ring ahead of its head, and pops only
/// what was published.
fn consumers_bound_the_tail(source: &mut impl Source) -> bool {
    let entries = 2u32 << source.below(3);
    let (head, tail) = counters(source, entries);
    let mut consumer = Consumer::<[u64; 4]> {
        tail,
        head,
        ..Consumer::new(place(entries))
    };
    let found = source.u64();
    let mut theirs = [const { Word::new(0) }; 1 + 8 * 4];
    theirs[0] = Word::new(found);
    let words = Words::new(&theirs);
    let ready = consumer.ready(words);
    let believed = found >= tail && found <= head + u64::from(entries);
    assert_eq!(ready.is_ok(), believed);
    match ready {
        Err(error) => {
            assert!(matches!(error, RingError::InvalidTail { .. }));
            assert!(consumer.head == head && consumer.tail == tail);
        }
        Ok(ready) => {
            assert!(ready <= entries && u64::from(ready) == found - head);
            let popped = consumer.pop(words);
            assert_eq!(popped.map(|entry| entry.is_some()), Ok(ready > 0));
            assert_eq!(consumer.head - head, u64::from(ready > 0));
        }
    }
    true
}

prove!(entries_inside: entries_stay_inside, unwind 2, 20_000 cases);
prove!(producer_bounds: producers_bound_the_head, unwind 40, 20_000 cases);
prove!(consumer_bounds: consumers_bound_the_tail, unwind 40, 20_000 cases);
