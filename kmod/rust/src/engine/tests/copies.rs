//! Who copies: sources where they are submitted, results on more than one processor, and neither loses a byte or a
//! granule.

use std::rc::Rc;

use kgpu_core::abi::{AttachFlags, IOC_START, Op, SessionState};
use kgpu_core::peer::Lie;

use super::{World, bytes};
use crate::counters::Reason;
use crate::engine::landed::waiting;
use crate::ffi::lock;
use crate::ffi::mock::{self, Request, Transform};

/// Parameter numbers.
const CROSSOVER: u32 = 1;
const DELIVER_KIB: u32 = 11;

fn cipher(tfm: &Rc<Transform>, len: usize, seed: u64) -> Request {
    Request::cipher(tfm, Op::Encrypt, &bytes(len, seed), [2; 16])
}

fn free(world: &mut World) -> u32 {
    let session = world.active().session.clone();
    session.books.get(&mut lock()).pool.free_units()
}

/// A machine whose engine has found requests of this transform worth a helper.
fn expecting(name: &'static str) -> (World, Rc<Transform>) {
    let mut world = World::live();
    let tfm = Transform::new(name, &[7; 16]);
    let first = cipher(&tfm, 512, 0);
    first.submit();
    world.settle();
    first.assert_right();
    (world, tfm)
}

#[test]
fn results_that_come_together_are_delivered_by_several() {
    for (kib, lots) in [("8", 4), ("0", 0), ("64", 0)] {
        let (mut world, tfm) = expecting("cbc(aes)");
        world.set(DELIVER_KIB, kib);
        let before = free(&mut world);
        let requests: Vec<_> = (0..7).map(|i| cipher(&tfm, 4096, i)).collect();
        for request in &requests {
            request.submit();
        }
        world.passes();
        world.helper().serve();
        world.engine.pass();
        // Two fill a lot, which goes when a third comes, and the last one after them: all or none. Of two processors one
        // is the engine's.
        assert_eq!(waiting(), lots, "lots of {kib} KiB");
        assert_eq!(mock::deliverers(), lots.min(1));
        let answered = |requests: &[Request]| requests.iter().filter(|r| r.answers() > 0).count();
        assert_eq!(answered(&requests), if lots == 0 { 7 } else { 0 });
        assert_eq!(free(&mut world), before - if lots == 0 { 0 } else { 7 * 8 });
        mock::run_work();
        for request in &requests {
            request.assert_right();
            assert_eq!(request.fallbacks(), 0);
        }
        world.assert_balanced();
    }
}

#[test]
fn results_are_delivered_after_their_helper_is_gone() {
    let (mut world, tfm) = expecting("ctr(aes)");
    world.set(DELIVER_KIB, "1");
    let requests: Vec<_> = (0..4).map(|i| cipher(&tfm, 4096, i)).collect();
    for request in &requests {
        request.submit();
    }
    world.passes();
    world.helper().serve();
    world.engine.pass();
    assert_eq!(waiting(), 4);
    // Runs the work queues last.
    world.kill();
    for request in &requests {
        request.assert_right();
        assert_eq!(request.fallbacks(), 0);
    }
}

#[test]
fn results_of_a_helper_that_is_quarantined_meanwhile_are_not_delivered() {
    let (mut world, tfm) = expecting("ctr(aes)");
    world.set(DELIVER_KIB, "1");
    let requests: Vec<_> = (0..4)
        .map(|i| cipher(&tfm, 4096, i))
        .chain((4..6).map(|i| cipher(&tfm, 4096, i).in_place()))
        .collect();
    for request in &requests {
        request.submit();
    }
    world.passes();
    world.helper().serve();
    world.engine.pass();
    assert_eq!(waiting(), 6);
    world.helper().misplace(Lie::TailAhead);
    world.engine.pass();
    assert_eq!(world.state(), SessionState::Quarantined);
    // What it does to its pool from then on hurts nobody.
    let pool = &world.helper().session.pool;
    pool.write(0, &vec![0xaa; usize::try_from(pool.bytes()).unwrap()]);
    mock::run_work();
    for request in &requests {
        request.assert_right();
        assert_eq!(request.fallbacks(), 1);
    }
    assert_eq!(world.fell_back(Reason::Quarantine), 6);
    world.assert_balanced();
}

#[test]
fn who_may_wait_brings_the_source() {
    let (mut world, tfm) = expecting("ctr(aes)");
    let before = free(&mut world);
    let (brought, not) = (cipher(&tfm, 4096, 1).may_backlog(), cipher(&tfm, 4096, 2));
    brought.submit();
    assert_eq!(free(&mut world), before - 8);
    not.submit();
    assert_eq!(free(&mut world), before - 8);
    world.settle();
    for request in [&brought, &not] {
        request.assert_right();
        assert_eq!(request.fallbacks(), 0);
    }
    world.assert_balanced();
}

#[test]
fn half_of_the_pool_stays_for_the_engine() {
    let (mut world, tfm) = expecting("ctr(aes)");
    let requests: Vec<_> = (0..6)
        .map(|i| cipher(&tfm, 128 << 10, i).may_backlog())
        .collect();
    for request in &requests {
        request.submit();
    }
    // 1 MiB of granules: four fit into a half.
    assert_eq!(free(&mut world), 1024);
    world.settle();
    for request in &requests {
        request.assert_right();
        assert_eq!(request.fallbacks(), 0);
    }
    world.assert_balanced();
}

#[test]
fn what_is_not_worth_it_gives_its_room_back_and_brings_nothing_more() {
    let (mut world, tfm) = expecting("ctr(aes)");
    world.set(CROSSOVER, "*=8192");
    let before = free(&mut world);
    let small = cipher(&tfm, 4096, 1).may_backlog();
    small.submit();
    assert_eq!(free(&mut world), before - 8);
    world.settle();
    small.assert_right();
    assert_eq!((small.fallbacks(), world.fell_back(Reason::Small)), (1, 1));
    assert_eq!(free(&mut world), before);
    let next = cipher(&tfm, 4096, 2).may_backlog();
    next.submit();
    assert_eq!(free(&mut world), before);
    world.settle();
    next.assert_right();
    // A source is not taken for a result to compare with.
    assert_eq!(world.state(), SessionState::Live);
    assert_eq!(world.bad(), [0, 0, 0]);
    world.assert_balanced();
}

#[test]
fn a_source_brought_to_one_helper_reaches_the_next() {
    let (mut world, tfm) = expecting("ctr(aes)");
    let mut old = world.set_aside();
    world.attach_as(AttachFlags::TAKEOVER);
    world.ioctl(IOC_START).unwrap();
    // One before each pass: also before the one that routes to the new helper.
    let mut requests = Vec::new();
    while world.state() != SessionState::Live {
        let request = cipher(&tfm, 4096, requests.len() as u64).may_backlog();
        request.submit();
        requests.push(request);
        world.turn();
        world.swap(&mut old);
        world.helper().serve();
        world.swap(&mut old);
        assert!(requests.len() < 10_000, "the helper is not live");
    }
    world.settle();
    for request in &requests {
        request.assert_right();
        assert_eq!(request.fallbacks(), 0);
    }
    world.assert_balanced();
    world.swap(&mut old);
    world.assert_balanced();
    world.kill();
    world.swap(&mut old);
}

#[test]
fn a_source_brought_to_a_dead_helper_falls_back() {
    let (mut world, tfm) = expecting("ctr(aes)");
    let request = cipher(&tfm, 4096, 1).may_backlog();
    request.submit();
    world.kill();
    world.passes();
    request.assert_right();
    assert_eq!(request.fallbacks(), 1);
    // And to one that is gone when the next is there already.
    world.attach();
    world.start();
    let warm = cipher(&tfm, 512, 2);
    warm.submit();
    world.settle();
    let request = cipher(&tfm, 4096, 3).may_backlog();
    request.submit();
    world.kill();
    world.attach();
    world.start();
    world.settle();
    request.assert_right();
    world.assert_balanced();
}

#[test]
fn without_a_slot_room_is_given_back_once() {
    let mut world = World::new();
    world.set(7, "1");
    world.attach();
    world.start();
    let one = Transform::new("ctr(aes)", &[7; 16]);
    let first = cipher(&one, 512, 0);
    first.submit();
    world.passes();
    assert_eq!(world.helper().take(), 1);
    let before = free(&mut world);
    mock::set_owner(77);
    let two = Transform::new("ctr(aes)", &[8; 16]);
    let brought = cipher(&two, 4096, 1).may_backlog();
    brought.submit();
    world.passes();
    brought.assert_right();
    assert_eq!(world.fell_back(Reason::NoSlot), 1);
    assert_eq!(free(&mut world), before);
    world.settle();
    first.assert_right();
    world.assert_balanced();
}

#[test]
fn who_has_room_passes_who_waits_for_it() {
    let (mut world, tfm) = expecting("ctr(aes)");
    mock::set_owner(2000);
    let other = Transform::new("ctr(aes)", &[8; 16]);
    let large: Vec<_> = (0..2).map(|i| cipher(&other, 400 << 10, i)).collect();
    let brought = cipher(&tfm, 256 << 10, 9).may_backlog();
    brought.submit();
    for request in &large {
        request.submit();
    }
    let last = cipher(&tfm, 4096, 10).may_backlog();
    last.submit();
    world.passes();
    // One of the large ones at most has room beside what was brought: the other waits, and the last one passes it.
    let taken = world.helper().take();
    assert!(taken <= 3, "{taken}");
    let mut sizes = world.helper().peer.taken.iter().map(|s| s.bytes);
    assert!(sizes.any(|bytes| bytes == 4096));
    world.settle();
    for request in large.iter().chain([&brought, &last]) {
        request.assert_right();
        assert_eq!(request.fallbacks(), 0);
    }
    world.assert_balanced();
}
