//! What is not sent to a helper, and what waits.

use std::rc::Rc;

use kgpu_core::abi::Op;

use super::{MS, World, bytes};
use crate::counters::Reason;
use crate::errno::Errno;
use crate::ffi::mock::{self, Request, Transform};

fn submit(tfm: &Rc<Transform>, count: u64, len: usize) -> Vec<Request> {
    let requests: Vec<_> = (0..count)
        .map(|i| Request::cipher(tfm, Op::Encrypt, &bytes(len, i), [2; 16]))
        .collect();
    for request in &requests {
        assert_eq!(request.submit(), -Errno::INPROGRESS.0);
    }
    requests
}

fn helped(requests: &[Request]) -> usize {
    for request in requests {
        request.assert_right();
    }
    requests.iter().filter(|r| r.fallbacks() == 0).count()
}

#[test]
fn too_little_for_the_trip_falls_back_by_what_is_queued() {
    let mut world = World::live();
    world.set(1, "ctr(aes)=2048");
    let (tfm, other) = (
        Transform::new("ctr(aes)", &[7; 16]),
        Transform::new("cbc(aes)", &[7; 16]),
    );
    let few = submit(&tfm, 3, 512);
    let free = submit(&other, 1, 512);
    world.settle();
    assert_eq!((helped(&few), helped(&free)), (0, 1));
    assert_eq!(world.fell_back(Reason::Small), 3);
    let many = submit(&tfm, 4, 512);
    world.settle();
    assert_eq!(helped(&many), 4);
    world.assert_balanced();
}

/// A request once found worth the trip stays so, also when it waits for room among fewer.
#[test]
fn a_full_ring_waits_and_does_not_ask_for_the_crossover_again() {
    let mut world = World::live();
    world.set(1, "*=10240");
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    let requests = submit(&tfm, 20, 512);
    world.passes();
    assert_eq!(world.helper().take(), 16);
    world.wait(50 * MS);
    assert!(requests.iter().all(|r| r.answers() == 0));
    world.settle();
    assert_eq!(helped(&requests), 20);
    world.assert_balanced();
}

#[test]
fn what_waits_too_long_for_room_falls_back() {
    let mut world = World::live();
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    let requests = submit(&tfm, 20, 512);
    world.passes();
    let ns = world.engine.pass();
    assert!(ns <= 100 * MS, "it looks again in time: {ns}");
    world.wait(101 * MS);
    assert_eq!(world.fell_back(Reason::Full), 4);
    world.settle();
    assert_eq!(helped(&requests), 16);
    world.assert_balanced();
}

#[test]
fn a_full_pool_waits_too() {
    let mut world = World::live();
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    // The runs begin where the known answers ended: three fit side by side.
    let requests = submit(&tfm, 5, 256 << 10);
    world.passes();
    assert_eq!(world.helper().take(), 3);
    assert!(requests.iter().all(|r| r.answers() == 0));
    world.settle();
    assert_eq!(helped(&requests), 5);
    let huge = submit(&tfm, 1, 600 << 10);
    world.settle();
    assert_eq!(helped(&huge), 0);
    assert_eq!(world.fell_back(Reason::Shape), 1);
    world.assert_balanced();
}

#[test]
fn an_owner_has_its_share_and_no_more() {
    let mut world = World::new();
    world.set(8, "25");
    world.attach();
    world.start();
    // A quarter of 1 MiB, over two transforms.
    let one = Transform::new("ctr(aes)", &[7; 16]);
    let two = Transform::new("ctr(aes)", &[8; 16]);
    let first = submit(&one, 3, 64 << 10);
    let second = submit(&two, 3, 64 << 10);
    mock::set_owner(2000);
    let other = submit(&Transform::new("ctr(aes)", &[9; 16]), 2, 64 << 10);
    world.settle();
    assert_eq!(helped(&first) + helped(&second), 4);
    assert_eq!(helped(&other), 2);
    assert_eq!(world.fell_back(Reason::Share), 2);
    world.assert_balanced();
    // Slots likewise: 2 of 8. A third key of this owner falls back, more of the first do not.
    let keys: Vec<_> = (0..3)
        .map(|i| Transform::new("ctr(aes)", &[20 + i; 16]))
        .collect();
    let requests: Vec<_> = keys.iter().flat_map(|tfm| submit(tfm, 2, 512)).collect();
    world.settle();
    assert_eq!(helped(&requests), 4);
    assert_eq!(world.fell_back(Reason::Share), 4);
    world.assert_balanced();
}

#[test]
fn without_a_free_key_slot_the_fallback_does_it() {
    let mut world = World::new();
    world.set(7, "2");
    world.attach();
    world.start();
    let requests: Vec<_> = (0..3u8)
        .flat_map(|i| {
            mock::set_owner(u64::from(i));
            submit(&Transform::new("ctr(aes)", &[i; 16]), 1, 512)
        })
        .collect();
    world.settle();
    assert_eq!(helped(&requests), 2);
    assert_eq!(world.fell_back(Reason::NoSlot), 1);
    world.assert_balanced();
}

#[test]
fn a_full_queue_holds_back_who_waits_and_serves_who_does_not_at_once() {
    let mut world = World::live();
    mock::set_queue_limit(2);
    let tfm = Transform::new("ctr(aes)", &[7; 16]);
    let queued = submit(&tfm, 2, 512);
    let now = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 7), [2; 16]);
    assert_eq!(now.submit(), 0);
    now.assert_right();
    let waits = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 8), [2; 16]).may_backlog();
    assert_eq!(waits.submit(), -Errno::BUSY.0);
    let shape = kgpu_core::request::Shape::single(Op::Encrypt, 512, [2; 16]);
    let api = Request::api(&tfm, shape, &bytes(512, 9));
    assert_eq!(api.submit(), -Errno::NOSPC.0);
    world.settle();
    assert_eq!(waits.told_queued(), 1);
    assert_eq!(helped(&queued), 2);
    waits.assert_right();
    assert_eq!(api.answers(), 1, "refused, and nothing else");
    assert_eq!(world.fell_back(Reason::Full), 1);
    world.assert_balanced();
}
