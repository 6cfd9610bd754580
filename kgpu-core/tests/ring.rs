//! The ring against a queue, and against a peer that writes anything into its words.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests, too, may panic.

use std::collections::VecDeque;

use kgpu_core::abi::{Layout, RingSizes, Submission, word};
use kgpu_core::cell::{Word, Words};
use kgpu_core::ring::{
    Consumer, Producer, RingError, RingPlace, SubmissionConsumer, SubmissionProducer,
};
use proptest::prelude::*;

fn layout(entries: u32) -> Layout {
    Layout::new(RingSizes {
        entries,
        tiles: 1,
        keys: 1,
        pool_bytes: 4096,
    })
    .unwrap()
}

fn mapping(bytes: u64) -> Vec<Word> {
    (0..bytes / 8).map(|_| Word::new(0)).collect()
}

fn submission(number: u64) -> Submission {
    let half = u32::try_from(number & 0xffff_ffff).unwrap();
    Submission {
        request: number,
        session: !half,
        tile_first: half,
        tile_count: half ^ 0x5555_5555,
        bytes: half.rotate_left(7),
        written_len: half.rotate_left(13),
        algorithm: 0xabcd,
        op: 0x12,
        flags: 0x34,
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    Publish,
    Pop,
    Release,
    Free,
    Ready,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Push),
        2 => Just(Step::Publish),
        4 => Just(Step::Pop),
        2 => Just(Step::Release),
        1 => Just(Step::Free),
        1 => Just(Step::Ready),
    ];
    prop::collection::vec(step, 0..200)
}

/// What a peer's word may hold: near the truth, or anything.
#[derive(Clone, Copy, Debug)]
enum Lie {
    Offset(i64),
    Value(u64),
}

impl Lie {
    fn told(self, truth: u64) -> u64 {
        match self {
            Self::Offset(by) => truth.wrapping_add_signed(by),
            Self::Value(value) => value,
        }
    }
}

fn lies() -> impl Strategy<Value = Vec<(Lie, u8)>> {
    let lie = prop_oneof![
        6 => (-3i64..10).prop_map(Lie::Offset),
        1 => any::<u64>().prop_map(Lie::Value),
        1 => (0u64..3).prop_map(|below| Lie::Value(u64::MAX - below)),
    ];
    prop::collection::vec((lie, 0u8..12), 1..60)
}

proptest! {
    #[test]
    fn a_ring_is_a_queue(entries in (1u32..5).prop_map(|log| 1 << log), steps in steps()) {
        let layout = layout(entries);
        let (control, helper) = (mapping(layout.control_bytes), mapping(layout.helper_bytes));
        let (control, helper) = (Words::new(&control), Words::new(&helper));
        let place = RingPlace::submissions(&layout);
        let mut producer = SubmissionProducer::new(place);
        let mut consumer = SubmissionConsumer::new(place);

        let (mut pending, mut waiting) = (VecDeque::new(), VecDeque::new());
        let (mut pushed, mut popped, mut released) = (0u64, 0u64, 0u64);
        for step in steps {
            let room = u64::from(entries) - (pushed - released);
            match step {
                Step::Push => {
                    let entry = submission(pushed);
                    prop_assert_eq!(producer.push(control, helper, &entry), Ok(room > 0));
                    if room > 0 {
                        pending.push_back(entry);
                        pushed += 1;
                    }
                }
                Step::Publish => {
                    producer.publish(control);
                    waiting.append(&mut pending);
                }
                Step::Pop => {
                    let expected = waiting.pop_front();
                    popped += u64::from(expected.is_some());
                    prop_assert_eq!(consumer.pop(control), Ok(expected));
                }
                Step::Release => {
                    consumer.release(helper);
                    released = popped;
                }
                Step::Free => {
                    let free = producer.free(helper).map(u64::from);
                    prop_assert_eq!(free, Ok(room));
                    prop_assert_eq!(producer.seen_head(), released);
                }
                Step::Ready => {
                    let ready = consumer.ready(control).map(|ready| ready as usize);
                    prop_assert_eq!(ready, Ok(waiting.len()));
                }
            }
            prop_assert_eq!(producer.pushed(), pushed);
            prop_assert_eq!(consumer.taken(), popped);
        }
    }

    #[test]
    fn a_lying_consumer_is_named(lies in lies()) {
        let layout = layout(4);
        let (control, helper) = (mapping(layout.control_bytes), mapping(layout.helper_bytes));
        let (control, helper) = (Words::new(&control), Words::new(&helper));
        let mut ring = SubmissionProducer::new(RingPlace::submissions(&layout));
        for (lie, pushes) in lies {
            let (seen, tail) = (ring.seen_head(), ring.pushed());
            let head = lie.told(seen);
            helper.store(word::SQ_HEAD, head);
            let free = ring.free(helper);
            if head < seen || head > tail {
                prop_assert_eq!(free, Err(RingError::InvalidHead { head, seen, tail }));
                prop_assert_eq!(ring.seen_head(), seen);
                // No room by the last honest look: the lie is met again, and nothing is pushed.
                if tail - seen == 4 {
                    let pushed = ring.push(control, helper, &submission(tail));
                    prop_assert_eq!(pushed, Err(RingError::InvalidHead { head, seen, tail }));
                    prop_assert_eq!(ring.pushed(), tail);
                }
            } else {
                prop_assert_eq!(free.map(u64::from), Ok(4 - (tail - head)));
                for _ in 0..pushes {
                    let room = ring.pushed() - head < 4;
                    let pushed = ring.push(control, helper, &submission(ring.pushed()));
                    prop_assert_eq!(pushed, Ok(room));
                }
            }
            prop_assert!(ring.pushed() - ring.seen_head() <= 4);
        }
    }

    #[test]
    fn a_lying_producer_is_named(lies in lies()) {
        let layout = layout(4);
        let control = mapping(layout.control_bytes);
        let control = Words::new(&control);
        let mut ring = SubmissionConsumer::new(RingPlace::submissions(&layout));
        let mut seen = 0;
        for (lie, pops) in lies {
            let head = ring.taken();
            let tail = lie.told(head);
            control.store(word::SQ_TAIL, tail);
            let ready = ring.ready(control);
            if tail < seen || tail - head > 4 {
                let error = RingError::InvalidTail { tail, head, entries: 4 };
                prop_assert_eq!(ready, Err(error));
                // What was published before the lie can still be had. Beyond it the lie is met again,
                // unless it has become a possible tail meanwhile.
                for _ in head..seen {
                    prop_assert!(ring.pop(control).unwrap().is_some());
                }
                prop_assert_eq!(ring.taken(), seen);
                if tail < seen || tail - seen > 4 {
                    let error = RingError::InvalidTail { tail, head: seen, entries: 4 };
                    prop_assert_eq!(ring.pop(control), Err(error));
                    prop_assert_eq!(ring.taken(), seen);
                }
            } else {
                prop_assert_eq!(ready.map(u64::from), Ok(tail - head));
                seen = tail;
                for taken in 0..u64::from(pops) {
                    let popped = ring.pop(control).unwrap();
                    prop_assert_eq!(popped.is_some(), taken < tail - head);
                }
            }
        }
    }
}

#[test]
fn a_ring_outside_its_mapping_is_refused() {
    let layout = layout(2);
    let place = RingPlace::completions(&layout);
    // Room for the words and the first entry, not for the second.
    let helper = mapping(layout.cq_offset + 32);
    let helper = Words::new(&helper);
    let control = mapping(layout.control_bytes);
    let control = Words::new(&control);
    let mut producer = Producer::<[u64; 4]>::new(place);
    assert_eq!(producer.push(helper, control, &[1; 4]), Ok(true));
    assert_eq!(
        producer.push(helper, control, &[2; 4]),
        Err(RingError::OutsideMapping)
    );
    assert_eq!(producer.pushed(), 1);
    helper.store(word::CQ_TAIL, 2);
    let mut consumer = Consumer::<[u64; 4]>::new(place);
    assert_eq!(consumer.pop(helper), Ok(Some([1; 4])));
    assert_eq!(consumer.pop(helper), Err(RingError::OutsideMapping));
    assert_eq!(consumer.taken(), 1);
}

#[test]
fn words_outside_a_mapping_read_as_zero_and_take_nothing() {
    let words = mapping(16);
    let words = Words::new(&words);
    assert_eq!((words.len(), words.is_empty()), (16, false));
    words.store(8, 5);
    for offset in [16, 1 << 40, u64::MAX] {
        words.store(offset, 9);
        words.store_then_look(offset, 9);
        assert_eq!(words.load(offset), 0);
        assert_eq!(words.load_entry::<[u64; 2]>(offset), None);
        assert!(!words.store_entry(offset, &[1u64, 2]));
    }
    // Not even in part.
    assert!(!words.store_entry(8, &[1u64, 2]));
    assert_eq!(words.load_entry::<[u64; 2]>(8), None);
    assert_eq!((words.load(0), words.load(8)), (0, 5));
    assert!(Words::new(&[]).is_empty());
}

#[test]
fn errors_name_their_values() {
    let head = RingError::InvalidHead {
        head: 9,
        seen: 2,
        tail: 5,
    };
    assert_eq!(head.to_string(), "ring head 9, was 2, tail 5");
    let tail = RingError::InvalidTail {
        tail: 9,
        head: 2,
        entries: 4,
    };
    assert_eq!(tail.to_string(), "ring tail 9, head 2, 4 entries");
}
