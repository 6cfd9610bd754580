//! What a helper may write where the module reads, and what the module makes of it.

use kgpu_core::abi::{Completion, Op, RequestId, SessionState, word};
use kgpu_core::inflight::Reject;

use super::{MS, World, bytes};
use crate::counters::Reason;
use crate::ffi::mock::{self, Request, Transform};

/// A completion that is not believed, made of a good one.
type Lie = fn(&Completion) -> Completion;

/// One of each kind of [`Reject`], in its order.
const LIES: [Lie; Reject::KINDS] = [
    |c| Completion {
        session: c.session + 1,
        ..*c
    },
    |c| Completion {
        request: RequestId {
            slot: 1 << 20,
            generation: 0,
        }
        .to_wire(),
        ..*c
    },
    |c| Completion {
        request: c.request ^ 1 << 40,
        ..*c
    },
    |c| Completion {
        written_len: c.written_len + 1,
        ..*c
    },
    |c| Completion { status: 77, ..*c },
    |c| Completion { reserved: 1, ..*c },
];

/// A live helper that took `count` requests.
fn in_flight(count: u64) -> (World, Vec<Request>) {
    let mut world = World::live();
    let tfm = Transform::new("cbc(aes)", &[7; 16]);
    let requests: Vec<_> = (0..count)
        .map(|i| Request::cipher(&tfm, Op::Encrypt, &bytes(512, i), [1; 16]))
        .collect();
    for request in &requests {
        request.submit();
    }
    world.passes();
    assert_eq!(world.helper().take(), requests.len());
    (world, requests)
}

#[test]
fn every_kind_of_lie_is_counted_and_at_the_limit_quarantines() {
    for (kind, lie) in LIES.iter().enumerate() {
        let (mut world, requests) = in_flight(3);
        let honest = world.helper().taken[0];
        let good = world.helper().compute(&honest);
        for i in 0..15 {
            assert!(world.helper().post(&lie(&good)));
            world.passes();
            assert_eq!(world.rejected(kind), i + 1);
            assert_eq!(world.state(), SessionState::Live, "kind {kind}, lie {i}");
        }
        assert!(requests.iter().all(|r| r.answers() == 0));
        // What it says rightly is still believed.
        assert!(world.helper().post(&good));
        world.passes();
        requests[0].assert_right();
        assert_eq!(requests[0].fallbacks(), 0);
        let other = world.helper().taken[1];
        let good = world.helper().compute(&other);
        assert!(world.helper().post(&lie(&good)));
        assert!(world.helper().post(&good));
        world.passes();
        assert_eq!(world.state(), SessionState::Quarantined, "kind {kind}");
        for request in &requests {
            request.assert_right();
        }
        assert_eq!(world.fell_back(Reason::Quarantine), 2);
        assert_eq!(world.bad(), [1, 2, 0]);
        world.assert_balanced();
        // Nothing of it is read any more, nothing is sent.
        world.helper().serve();
        world.passes();
        for request in &requests {
            request.assert_right();
        }
        assert!(world.device().poll().over);
    }
}

#[test]
fn an_answer_given_twice_answers_once() {
    let (mut world, requests) = in_flight(1);
    let submission = world.helper().taken[0];
    let good = world.helper().compute(&submission);
    for _ in 0..2 {
        assert!(world.helper().post(&good));
    }
    world.passes();
    requests[0].assert_right();
    assert_eq!(world.rejected(2), 1);
    assert_eq!(world.active().abuses, 1, "nothing was late");
    world.assert_balanced();
}

#[test]
fn impossible_ring_words_quarantine() {
    let words = [
        (word::CQ_TAIL, u64::MAX),
        (word::CQ_TAIL, 1 << 32),
        (word::CQ_TAIL, 0),
        (word::SQ_HEAD, u64::MAX),
        (word::SQ_HEAD, 0),
    ];
    for (at, value) in words {
        let (mut world, requests) = in_flight(3);
        world.helper().session.helper.words().store(at, value);
        // The head is looked at when something is to be sent.
        let tfm = Transform::new("ecb(aes)", &[7; 16]);
        let more = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 5), [0; 16]);
        more.submit();
        world.passes();
        assert_eq!(
            world.state(),
            SessionState::Quarantined,
            "word {at} is {value}"
        );
        for request in requests.iter().chain([&more]) {
            request.assert_right();
            assert_eq!(request.fallbacks(), 1);
        }
        assert_eq!(world.bad()[2], 1);
        world.assert_balanced();
    }
}

/// The helper repairs its word as soon as the module has seen it broken: nothing more of what
/// was queued may go to it.
#[test]
fn a_flush_ends_with_the_quarantine() {
    let (mut world, requests) = in_flight(3);
    let session = world.helper().session.clone();
    let right = session.helper.words().load(word::SQ_HEAD);
    session.helper.words().store(word::SQ_HEAD, u64::MAX);
    let repaired = session.clone();
    mock::on_log(move |_| repaired.helper.words().store(word::SQ_HEAD, right));
    let tfm = Transform::new("ecb(aes)", &[7; 16]);
    let more: Vec<_> = (0..5)
        .map(|i| Request::cipher(&tfm, Op::Encrypt, &bytes(512, i), [0; 16]))
        .collect();
    for request in &more {
        request.submit();
    }
    let before = mock::clock();
    world.passes();
    assert_eq!(world.state(), SessionState::Quarantined);
    for request in requests.iter().chain(&more) {
        request.assert_right();
    }
    assert!(mock::clock() - before < MS, "at once, not at the deadline");
    assert_eq!(world.helper().take(), 0);
    world.assert_balanced();
}

/// As above, during the known answers.
#[test]
fn known_answers_end_with_the_quarantine() {
    let mut world = World::new();
    world.set(5, "2");
    world.attach();
    world.ioctl(kgpu_core::abi::IOC_START).unwrap();
    world.passes();
    assert_eq!(world.helper().take(), 2);
    world.helper().answer();
    let session = world.helper().session.clone();
    session.helper.words().store(word::SQ_HEAD, u64::MAX);
    let repaired = session.clone();
    mock::on_log(move |_| repaired.helper.words().store(word::SQ_HEAD, 2));
    world.passes();
    assert_eq!(world.state(), SessionState::Quarantined);
    assert_eq!(world.helper().take(), 0);
    world.assert_balanced();
}

#[test]
fn a_wrong_known_answer_quarantines() {
    let mut world = World::new();
    world.attach();
    world.ioctl(kgpu_core::abi::IOC_START).unwrap();
    world.passes();
    assert!(world.helper().take() > 0);
    let submission = world.helper().taken[0];
    let completion = world.helper().compute(&submission);
    let session = world.helper().session.clone();
    let tile: kgpu_core::abi::Tile = session
        .control
        .words()
        .load_entry(session.layout.tile_offset + u64::from(submission.tile_first) * 64)
        .unwrap();
    let mut last = [0];
    let at = tile.dst + u64::from(tile.dst_len) - 1;
    session.pool.read(at, &mut last);
    session.pool.write(at, &[last[0] ^ 1]);
    world.helper().post(&completion);
    world.passes();
    assert_eq!(world.state(), SessionState::Quarantined);
    world.assert_balanced();
    // A new helper may do better.
    world.kill();
    world.attach();
    world.start();
}
