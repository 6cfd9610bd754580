//! A helper that takes over from another: requests go to it from the moment it is live, and what the
//! other has it may finish.

use kgpu_core::abi::{Attach, AttachFlags, Features, Op, SessionState};

use super::world::Aside;
use super::{MS, World, bytes};
use crate::counters::{GLOBAL, Reason};
use crate::errno::Errno;
use crate::ffi::mock::{Request, Transform};

fn request(seed: u64) -> Request {
    let tfm = Transform::new("cbc(aes)", &[7; 16]);
    Request::cipher(&tfm, Op::Encrypt, &bytes(4992, seed), [9; 16])
}

/// A machine whose live helper has a request, and a second one that is live in its place.
fn taken_over() -> (World, Aside, Request) {
    let mut world = World::live();
    let waiting = request(1);
    waiting.submit();
    world.passes();
    world.helper().take();
    let old = world.set_aside();
    let takeovers = GLOBAL.takeovers.get();
    world.attach_as(AttachFlags::TAKEOVER);
    world.start();
    assert_eq!(GLOBAL.takeovers.get(), takeovers + 1);
    (world, old, waiting)
}

fn state(aside: &Aside) -> SessionState {
    aside.helper.as_ref().unwrap().session.state()
}

#[test]
fn neither_a_request_nor_a_moment_is_lost() {
    let (mut world, mut old, waiting) = taken_over();
    assert_eq!(state(&old), SessionState::Replaced);
    assert_eq!(GLOBAL.takeover_in_flight.get(), 1);
    let next = request(2);
    next.submit();
    world.settle();
    next.assert_right();
    assert_eq!(next.fallbacks(), 0, "the new helper has it");
    assert_eq!(waiting.answers(), 0);
    // The old one finishes what it has, and ends.
    world.swap(&mut old);
    world.settle();
    waiting.assert_right();
    assert_eq!(waiting.fallbacks(), 0, "the old helper had it");
    world.assert_balanced();
    world.kill();
    world.swap(&mut old);
    let last = request(3);
    last.submit();
    world.settle();
    last.assert_right();
    assert_eq!(last.fallbacks(), 0);
    world.assert_balanced();
}

#[test]
fn while_it_is_tested_the_other_serves() {
    let mut world = World::live();
    let mut old = world.set_aside();
    world.attach_as(AttachFlags::TAKEOVER);
    world.ioctl(kgpu_core::abi::IOC_START).unwrap();
    world.passes();
    assert_eq!(world.state(), SessionState::Testing);
    // A third must wait.
    let mut new = world.set_aside();
    world.open();
    let handshake = Attach::request(Features::SERVICES, AttachFlags::TAKEOVER, 4096, "third");
    assert_eq!(world.attach_with(&handshake).unwrap_err(), Errno::BUSY);
    world.kill();
    world.swap(&mut old);
    let meanwhile = request(4);
    meanwhile.submit();
    world.settle();
    meanwhile.assert_right();
    assert_eq!(meanwhile.fallbacks(), 0);
    // It dies in its test: nothing happened.
    world.swap(&mut new);
    world.kill();
    world.swap(&mut new);
    assert_eq!(world.state(), SessionState::Live);
    let after = request(5);
    after.submit();
    world.settle();
    after.assert_right();
    assert_eq!(after.fallbacks(), 0);
}

#[test]
fn one_that_fails_its_test_changes_nothing() {
    let mut world = World::live();
    let mut old = world.set_aside();
    world.attach_as(AttachFlags::TAKEOVER);
    world.ioctl(kgpu_core::abi::IOC_START).unwrap();
    world.passes();
    // Silent beyond the deadline.
    world.wait(1001 * MS);
    assert_eq!(world.state(), SessionState::Quarantined);
    world.swap(&mut old);
    assert_eq!(world.state(), SessionState::Live);
    let after = request(6);
    after.submit();
    world.settle();
    after.assert_right();
    assert_eq!(after.fallbacks(), 0);
    world.swap(&mut old);
    world.kill();
    world.swap(&mut old);
}

#[test]
fn the_old_one_dies_or_hangs_with_what_it_has() {
    for dies in [true, false] {
        let (mut world, mut old, waiting) = taken_over();
        world.swap(&mut old);
        if dies {
            world.kill();
            assert_eq!(world.fell_back(Reason::Death), 1);
        } else {
            world.wait(1001 * MS);
            assert_eq!(world.fell_back(Reason::Deadline), 1);
        }
        waiting.assert_right();
        world.swap(&mut old);
        // It was not the new one's fault.
        assert!(!world.active().is_stalled());
        let after = request(7);
        after.submit();
        world.settle();
        after.assert_right();
        assert_eq!(after.fallbacks(), 0);
        world.swap(&mut old);
        world.kill();
        world.swap(&mut old);
    }
}

#[test]
fn a_stalled_helper_can_be_taken_over() {
    let mut world = World::live();
    let waiting = request(8);
    waiting.submit();
    world.passes();
    world.helper().take();
    world.wait(1001 * MS);
    waiting.assert_right();
    assert!(world.active().is_stalled());
    let mut old = world.set_aside();
    world.attach_as(AttachFlags::TAKEOVER);
    world.start();
    let next = request(9);
    next.submit();
    world.settle();
    next.assert_right();
    assert_eq!(next.fallbacks(), 0);
    world.swap(&mut old);
    world.kill();
    world.swap(&mut old);
}

/// The replaced helper stays, and with it its region: no key stays there but those that its requests
/// need, and those go with the last of them.
#[test]
fn keys_leave_the_session_that_was_replaced() {
    let mut world = World::live();
    let idle = Transform::new("ecb(aes)", &[0x5a; 16]);
    let done = Request::cipher(&idle, Op::Encrypt, &bytes(512, 1), [0; 16]);
    done.submit();
    world.settle();
    let waiting = request(2);
    waiting.submit();
    world.passes();
    world.helper().take();
    let both = key_bytes(world.helper());
    let mut old = world.set_aside();
    world.attach_as(AttachFlags::TAKEOVER);
    world.start();
    let one = key_bytes(old.helper.as_ref().unwrap());
    assert!(
        one > 0 && one < both,
        "{one} of {both}: its request needs one"
    );
    // The same keys, filled into other slots of the new session.
    for _ in 0..2 {
        let again = Request::cipher(&idle, Op::Encrypt, &bytes(512, 1), [0; 16]);
        again.submit();
        world.settle();
        again.assert_right();
        assert_eq!(again.fallbacks(), 0);
    }
    world.swap(&mut old);
    world.settle();
    waiting.assert_right();
    assert_eq!(waiting.fallbacks(), 0);
    assert_eq!(key_bytes(world.helper()), 0, "while its session lives");
    world.kill();
    world.swap(&mut old);
    assert!(key_bytes(world.helper()) > 0);
    idle.set_key(&[0x77; 16]);
    world.assert_balanced();
}

/// Bytes of the session's key table that are not zero, but for generations.
fn key_bytes(helper: &super::Helper) -> usize {
    let session = &helper.session;
    (0..session.layout.sizes.keys)
        .filter_map(|slot| kgpu_core::keytable::entry_at(&session.layout, slot))
        .flat_map(|at| (2..16).map(move |word| at + word * 8))
        .filter(|at| session.control.words().load(*at) != 0)
        .count()
}
