//! Deadlines, stalls, late answers.

use std::sync::atomic::Ordering;

use kgpu_core::abi::{Op, SessionState};

use super::{MS, World, bytes};
use crate::counters::Reason;
use crate::ffi::mock::{Request, Transform};

/// `Reject::StaleGeneration`'s kind.
const STALE: usize = 2;

fn request(tfm: &std::rc::Rc<Transform>, len: usize, seed: u64) -> Request {
    Request::cipher(tfm, Op::Encrypt, &bytes(len, seed), [9; 16])
}

#[test]
fn a_late_answer_is_counted_and_changes_nothing() {
    let mut world = World::live();
    let tfm = Transform::new("cbc(aes)", &[7; 16]);
    let late = request(&tfm, 4992, 1);
    late.submit();
    world.passes();
    world.helper().take();
    world.wait(999 * MS);
    assert_eq!(late.answers(), 0, "not yet");
    world.wait(2 * MS);
    late.assert_right();
    assert_eq!(world.fell_back(Reason::Deadline), 1);
    assert_eq!(world.bad()[1], 1, "taken over");
    world.assert_balanced();
    let session = world.helper().session.clone();
    let quarantined = session.quarantined.load(Ordering::Relaxed);
    assert_eq!(quarantined, 5120);

    // While it shows no life, nothing is sent.
    let meanwhile = request(&tfm, 512, 2);
    assert_eq!(meanwhile.submit(), 0);
    meanwhile.assert_right();
    assert_eq!(world.fell_back(Reason::Stalled), 1);

    // The late answer is life, but not an answer.
    world.helper().answer();
    world.passes();
    assert_eq!(world.rejected(STALE), 1);
    late.assert_right();
    assert_eq!(session.quarantined.load(Ordering::Relaxed), quarantined);
    assert_eq!(world.active().abuses, 0, "late is not wrong");
    world.assert_balanced();

    let after = request(&tfm, 512, 3);
    after.submit();
    world.settle();
    after.assert_right();
    assert_eq!(after.fallbacks(), 0);
    world.assert_balanced();
}

#[test]
fn each_request_has_its_own_deadline() {
    let mut world = World::live();
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    let (first, second) = (request(&tfm, 512, 1), request(&tfm, 512, 2));
    first.submit();
    world.passes();
    world.wait(400 * MS);
    second.submit();
    world.passes();
    world.helper().take();
    world.wait(601 * MS);
    assert_eq!((first.answers(), second.answers()), (1, 0));
    let ns = world.engine.pass();
    assert!(ns <= 50 * MS, "it looks for life meanwhile: {ns}");
    // Stalled or not, what it answers in time is its own.
    world.helper().peer.taken.rotate_left(1);
    world.helper().answer();
    world.passes();
    for (request, fallbacks) in [(first, 1), (second, 0)] {
        request.assert_right();
        assert_eq!(request.fallbacks(), fallbacks);
    }
    world.assert_balanced();
}

#[test]
fn a_late_write_hits_nobody_else() {
    let mut world = World::live();
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    let late = request(&tfm, 4096, 1);
    late.submit();
    world.passes();
    world.helper().take();
    world.wait(1001 * MS);
    let submission = world.helper().peer.taken.pop_front().unwrap();
    world.helper().beat();
    world.wait(1001 * MS);
    // A ring full is in flight while the late helper writes.
    let others: Vec<_> = (0..16).map(|i| request(&tfm, 4096, 100 + i)).collect();
    for other in &others {
        other.submit();
    }
    world.passes();
    world.helper().take();
    let taken: Vec<_> = world.helper().peer.taken.drain(..).collect();
    assert_eq!(taken.len(), 16);
    let answers: Vec<_> = taken.iter().map(|s| world.helper().compute(s)).collect();
    world.helper().compute(&submission);
    for answer in answers {
        assert!(world.helper().post(&answer));
    }
    world.passes();
    for other in others {
        other.assert_right();
        assert_eq!(other.fallbacks(), 0);
    }
    world.assert_balanced();
}

#[test]
fn a_heartbeat_earns_a_new_try_but_not_at_once() {
    let mut world = World::live();
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    let first = request(&tfm, 512, 1);
    first.submit();
    world.passes();
    world.wait(1001 * MS);
    first.assert_right();
    world.helper().beat();
    world.wait(100 * MS);
    assert!(world.active().is_stalled());
    world.wait(1000 * MS);
    assert!(!world.active().is_stalled());
}

#[test]
fn three_stalls_without_an_answer_retire_a_helper() {
    let mut world = World::live();
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    for round in 0..3 {
        assert_eq!(world.state(), SessionState::Live);
        let request = request(&tfm, 512, round);
        request.submit();
        world.passes();
        world.wait(1001 * MS);
        request.assert_right();
        // It takes requests and never answers.
        world.helper().take();
        world.wait(MS);
    }
    assert_eq!(world.state(), SessionState::Retired);
    world.assert_balanced();
}

#[test]
fn an_answer_in_between_clears_the_strikes() {
    let mut world = World::live();
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    for round in 0..5 {
        let lost = request(&tfm, 512, round);
        lost.submit();
        world.passes();
        world.wait(1001 * MS);
        lost.assert_right();
        world.helper().take();
        world.helper().peer.taken.clear();
        world.wait(MS);
        let served = request(&tfm, 512, round);
        served.submit();
        world.settle();
        assert_eq!(served.fallbacks(), 0);
        served.assert_right();
    }
    assert_eq!(world.state(), SessionState::Live);
    world.assert_balanced();
}

#[test]
fn a_helper_whose_region_is_half_lost_is_retired() {
    let mut world = World::live();
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    // 520 KiB of 1 MiB, in one stall.
    let lost: Vec<_> = (0..13).map(|i| request(&tfm, 40 << 10, i)).collect();
    for request in &lost {
        request.submit();
    }
    world.passes();
    assert_eq!(world.helper().take(), 13);
    world.wait(1001 * MS);
    assert_eq!(world.state(), SessionState::Retired);
    for request in lost {
        request.assert_right();
    }
    world.assert_balanced();
    // It finishes late, closes, and the next one has a whole region.
    while world.helper().answer() {}
    world.passes();
    assert_eq!(world.rejected(STALE), 13);
    world.kill();
    world.attach();
    world.start();
    world.assert_balanced();
}

#[test]
fn known_answers_that_do_not_come_quarantine() {
    let mut world = World::new();
    world.attach();
    world.ioctl(kgpu_core::abi::IOC_START).unwrap();
    world.passes();
    assert_eq!(world.state(), SessionState::Testing);
    world.wait(1001 * MS);
    assert_eq!(world.state(), SessionState::Quarantined);
    assert_eq!(world.bad()[0], 1);
}
