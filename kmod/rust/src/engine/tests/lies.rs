//! What a helper may write where the module reads, and what the module makes of it.

use kgpu_core::abi::{Op, SessionState, word};
use kgpu_core::peer::lie::Stage;
use kgpu_core::peer::{Answer, Dice, Lie};

use super::{MS, World, bytes};
use crate::counters::Reason;
use crate::ffi::mock::{self, Request, Transform};

/// Parameter number of `recheck`.
const RECHECK: u32 = 10;

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
    // What is posted twice is told by a test of its own.
    let lies = Lie::ALL.iter().filter(|lie| **lie != Lie::Doubled);
    for lie in lies {
        let Answer::Rejected(kind) = lie.answer() else {
            continue;
        };
        let (mut world, requests) = in_flight(3);
        let name = lie.label();
        let honest = world.helper().peer.taken[0];
        let good = world.helper().compute(&honest);
        for i in 0..15 {
            assert!(world.helper().post(&lie.bend(&good).unwrap()));
            world.passes();
            assert_eq!(world.rejected(kind), i + 1);
            assert_eq!(world.state(), SessionState::Live, "{name}, lie {i}");
        }
        assert!(requests.iter().all(|r| r.answers() == 0));
        // What it says rightly is still believed.
        assert!(world.helper().post(&good));
        world.passes();
        requests[0].assert_right();
        assert_eq!(requests[0].fallbacks(), 0);
        let other = world.helper().peer.taken[1];
        let good = world.helper().compute(&other);
        assert!(world.helper().post(&lie.bend(&good).unwrap()));
        assert!(world.helper().post(&good));
        world.passes();
        assert_eq!(world.state(), SessionState::Quarantined, "{name}");
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
    let submission = world.helper().peer.taken[0];
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
    for &lie in Lie::ALL.iter().filter(|lie| lie.is_word()) {
        let (mut world, requests) = in_flight(3);
        world.helper().misplace(lie);
        // The head is looked at when something is to be sent.
        let tfm = Transform::new("ecb(aes)", &[7; 16]);
        let more = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 5), [0; 16]);
        more.submit();
        world.passes();
        assert_eq!(world.state(), SessionState::Quarantined, "{}", lie.label());
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
    let submission = world.helper().peer.taken[0];
    let mut dice = Dice::new(1);
    assert!(
        world
            .helper()
            .tell(Lie::WrongAnswer, &submission, &mut dice)
    );
    world.passes();
    assert_eq!(world.state(), SessionState::Quarantined);
    world.assert_balanced();
    // A new helper may do better.
    world.kill();
    world.attach();
    world.start();
}

/// The counters as programs read them.
fn counted(name: &str) -> u64 {
    let mut text = String::new();
    crate::report::counters(&mut text).unwrap();
    let suffix = format!(".{name}");
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(counter, _)| *counter == name || counter.ends_with(&suffix))
        .map(|(_, count)| count.parse::<u64>().unwrap())
        .sum()
}

/// Each class of lie moves the counter that it names, by one; every caller gets the right bytes,
/// where the lie can only be seen by a recheck thanks to that.
#[test]
fn every_lie_moves_the_counter_that_it_names() {
    for &lie in Lie::ALL {
        let name = lie.label();
        let mut dice = Dice::new(5);
        let (mut world, mut requests) = match lie.stage() {
            Stage::Live => in_flight(2),
            Stage::Testing => {
                let mut world = World::new();
                world.attach();
                world.ioctl(kgpu_core::abi::IOC_START).unwrap();
                world.passes();
                assert!(world.helper().take() > 0);
                (world, Vec::new())
            }
        };
        if lie.answer() == Answer::Recheck {
            world.set(RECHECK, "1");
        }
        let counter = lie.answer().counter();
        let before = counted(counter);
        let submission = world.helper().peer.taken.pop_front().unwrap();
        let over = world.helper().tell(lie, &submission, &mut dice);
        if !over && !lie.is_word() {
            let good = world.helper().compute(&submission);
            assert!(world.helper().post(&good));
        }
        if lie.is_word() {
            // The head is looked at when something is to be sent.
            let tfm = Transform::new("ecb(aes)", &[7; 16]);
            let more = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 5), [0; 16]);
            more.submit();
            requests.push(more);
        }
        world.passes();
        if matches!(lie.answer(), Answer::Deadline | Answer::NoKnownAnswer) {
            world.wait(1001 * MS);
        }
        // A deadline takes back what waits behind the lie, too.
        let more = u64::from(lie.answer() == Answer::Deadline);
        assert_eq!(counted(counter) - before, 1 + more, "{name}: {counter}");
        let over = !matches!(
            lie.answer(),
            Answer::Rejected(_) | Answer::Failed | Answer::Deadline
        );
        assert_eq!(world.state() == SessionState::Quarantined, over, "{name}");
        if lie == Lie::Late {
            assert_eq!(world.helper().answer_late(), 1);
            let stale = counted("rejected.stale");
            world.passes();
            assert_eq!(counted("rejected.stale"), stale + 1);
        }
        for (i, request) in requests.iter().enumerate() {
            match i {
                1 if request.answers() == 0 => {
                    assert_eq!(world.state(), SessionState::Live, "{name}");
                    world.helper().serve();
                    world.passes();
                    request.assert_right();
                }
                _ => request.assert_right(),
            }
        }
        world.assert_balanced();
    }
}
