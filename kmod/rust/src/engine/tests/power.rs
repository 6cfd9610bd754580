//! Sleep states: the fallback takes over before helpers freeze, and they are back afterwards.

use kgpu_core::abi::{IOC_START, Op, SessionState};

use super::{MS, World, bytes};
use crate::counters::Reason;
use crate::ffi::mock::{Request, Transform};
use crate::power;

/// Thaws however a test ends.
struct Pause;

impl Pause {
    fn begin() -> Self {
        power::pause(true);
        Self
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        power::pause(false);
    }
}

fn request(seed: u64) -> Request {
    let tfm = Transform::new("cbc(aes)", &[7; 16]);
    Request::cipher(&tfm, Op::Encrypt, &bytes(4992, seed), [9; 16])
}

#[test]
fn a_helper_that_finishes_in_time_loses_nothing() {
    let mut world = World::live();
    let before = request(1);
    before.submit();
    world.passes();
    let pause = Pause::begin();
    world.passes();
    assert!(!power::is_drained(), "the helper has a request");
    let meanwhile = request(2);
    assert_eq!(meanwhile.submit(), 0, "in the submitter's own context");
    meanwhile.assert_right();
    world.settle();
    assert!(power::is_drained());
    before.assert_right();
    assert_eq!(before.fallbacks(), 0);
    assert_eq!(world.fell_back(Reason::Suspended), 1);
    // However long the sleep is, nobody is late.
    world.wait(100_000 * MS);
    assert_eq!(world.fell_back(Reason::Deadline), 0);
    drop(pause);
    let after = request(3);
    after.submit();
    world.settle();
    after.assert_right();
    assert_eq!(after.fallbacks(), 0);
    assert_eq!(world.state(), SessionState::Live);
    world.assert_balanced();
}

#[test]
fn what_it_does_not_finish_is_taken_back_without_blame() {
    let mut world = World::live();
    world.set(2, "5000");
    let waiting = request(1);
    waiting.submit();
    world.passes();
    let pause = Pause::begin();
    world.wait(999 * MS);
    assert!(!power::is_drained());
    world.wait(2 * MS);
    assert!(power::is_drained());
    waiting.assert_right();
    assert_eq!(world.fell_back(Reason::Suspended), 1);
    drop(pause);
    assert_eq!(world.state(), SessionState::Live);
    assert!(!world.active().is_stalled());
    // Thawed, it answers what nobody waits for any more.
    world.settle();
    let after = request(2);
    after.submit();
    world.settle();
    after.assert_right();
    assert_eq!(after.fallbacks(), 0);
    world.assert_balanced();
}

#[test]
fn known_answers_begin_anew_after_it() {
    let mut world = World::new();
    world.set(2, "5000");
    world.attach();
    world.ioctl(IOC_START).unwrap();
    world.passes();
    assert_eq!(world.state(), SessionState::Testing);
    let pause = Pause::begin();
    world.wait(1001 * MS);
    assert!(power::is_drained());
    assert_eq!(world.state(), SessionState::Attached);
    drop(pause);
    for _ in 0..10_000 {
        world.turn();
    }
    assert_eq!(world.state(), SessionState::Live);
    world.assert_balanced();
}
