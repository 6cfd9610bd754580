//! Neighbours in the queue go to the helper as one request, and come back as the requests that they were.

use std::rc::Rc;

use kgpu_core::abi::{Completion, Op, Status, Submission};

use super::{MS, World, bytes};
use crate::counters::{self, GLOBAL, Reason};
use crate::engine::landed::waiting;
use crate::ffi::lock;
use crate::ffi::mock::{self, Request, Transform};

/// Parameter numbers.
const RECHECK: u32 = 10;
const DELIVER_KIB: u32 = 11;
const MERGE_KIB: u32 = 12;

const SECTOR: usize = 4096;

fn merging() -> World {
    let world = World::live();
    world.set(MERGE_KIB, "64");
    world
}

fn xts() -> Rc<Transform> {
    Transform::new("xts(twofish)", &bytes(64, 3))
}

/// Sector `number` of a volume whose IVs are plain64.
fn sector(tfm: &Rc<Transform>, op: Op, number: u64) -> Request {
    let mut iv = [0; 16];
    iv[..8].copy_from_slice(&number.to_le_bytes());
    Request::cipher(tfm, op, &bytes(SECTOR, number), iv)
}

fn sectors(tfm: &Rc<Transform>, numbers: impl Iterator<Item = u64>) -> Vec<Request> {
    let requests: Vec<_> = numbers.map(|n| sector(tfm, Op::Encrypt, n)).collect();
    for request in &requests {
        request.submit();
    }
    requests
}

/// What the helper was handed since it last looked.
fn submissions(world: &mut World) -> Vec<Submission> {
    world.passes();
    let before = world.helper().peer.taken.len();
    world.helper().take();
    world
        .helper()
        .peer
        .taken
        .iter()
        .skip(before)
        .copied()
        .collect()
}

/// Bytes and tiles of each.
fn sizes(submissions: &[Submission]) -> Vec<(u32, u32)> {
    submissions
        .iter()
        .map(|s| (s.bytes, s.tile_count))
        .collect()
}

#[track_caller]
fn assert_helped(requests: &[Request]) {
    for request in requests {
        request.assert_right();
        assert_eq!(request.fallbacks(), 0);
    }
}

#[test]
fn sectors_that_follow_on_each_other_are_one_request() {
    let mut world = merging();
    let tfm = xts();
    let before = counters::of(tfm.algorithm).helper.requests.get();
    let requests = sectors(&tfm, 100..107);
    // The helper of these tests has tiles of 4 KiB.
    assert_eq!(sizes(&submissions(&mut world)), [(7 * 4096, 7)]);
    assert_eq!(GLOBAL.in_flight.get(), 7);
    world.settle();
    assert_helped(&requests);
    let after = counters::of(tfm.algorithm).helper.requests.get();
    assert_eq!((after - before, GLOBAL.in_flight.get()), (7, 0));
    world.assert_balanced();
}

#[test]
fn sectors_whose_ivs_count_on_are_one_tile() {
    let mut world = World::new();
    world.attach_in_tiles(65536);
    world.start();
    world.set(MERGE_KIB, "64");
    let tfm = xts();
    let counting = sectors(&tfm, 5..9);
    assert_eq!(sizes(&submissions(&mut world)), [(4 * 4096, 1)]);
    // Two of them, and two by themselves.
    let not = sectors(&tfm, [9, 10, 20, 30].into_iter());
    assert_eq!(sizes(&submissions(&mut world)), [(4 * 4096, 3)]);
    // Wraps as the IV does, without a carry.
    let wrapping = sectors(&tfm, [u64::MAX, 0].into_iter());
    assert_eq!(sizes(&submissions(&mut world)), [(2 * 4096, 1)]);
    world.settle();
    for requests in [&counting, &not, &wrapping] {
        assert_helped(requests);
    }
    world.assert_balanced();
}

#[test]
fn the_others_are_not_merged() {
    let mut world = merging();
    let (one, two) = (xts(), xts());
    let requests = [
        sector(&one, Op::Encrypt, 1),
        sector(&two, Op::Encrypt, 2),
        sector(&two, Op::Decrypt, 3),
        sector(&one, Op::Decrypt, 4),
        sector(&one, Op::Decrypt, 5),
    ];
    for request in &requests {
        request.submit();
    }
    let lengths: Vec<_> = submissions(&mut world).iter().map(|s| s.bytes).collect();
    assert_eq!(lengths, [4096, 4096, 4096, 8192]);
    world.settle();
    assert_helped(&requests);
    world.assert_balanced();
}

#[test]
fn no_more_than_the_parameter_says() {
    let mut world = merging();
    let tfm = xts();
    for (kib, expected) in [
        ("8", &[8192, 8192, 4096][..]),
        ("3", &[4096; 5]),
        ("0", &[4096; 5]),
    ] {
        world.set(MERGE_KIB, kib);
        let requests = sectors(&tfm, 0..5);
        let found: Vec<_> = submissions(&mut world).iter().map(|s| s.bytes).collect();
        assert_eq!(found, expected, "{kib} KiB");
        world.settle();
        assert_helped(&requests);
    }
    world.set(MERGE_KIB, "64");
    world.set(RECHECK, "1");
    let requests = sectors(&tfm, 0..3);
    assert_eq!(
        submissions(&mut world).len(),
        3,
        "results are computed again"
    );
    world.settle();
    for request in &requests {
        request.assert_right();
    }
    world.set(RECHECK, "0");
    world.assert_balanced();
}

#[test]
fn what_the_helper_fails_at_is_done_one_by_one() {
    let mut world = merging();
    let tfm = xts();
    let requests = sectors(&tfm, 0..4);
    let [submission] = submissions(&mut world)[..] else {
        panic!("not merged");
    };
    world.helper().peer.taken.clear();
    world.helper().post(&Completion {
        request: submission.request,
        session: submission.session,
        written_len: 0,
        status: Status::BackendFailed.code(),
        backend: 1,
        reserved: 0,
        detail: 7,
    });
    world.settle();
    for request in &requests {
        request.assert_right();
        assert_eq!(request.fallbacks(), 1);
    }
    assert_eq!(world.fell_back(Reason::Failed), 4);
    world.assert_balanced();
}

#[test]
fn all_of_them_are_taken_back_and_their_room_is_quarantined() {
    let mut world = merging();
    let tfm = xts();
    let requests = sectors(&tfm, 0..4);
    assert_eq!(submissions(&mut world).len(), 1);
    world.wait(1001 * MS);
    for request in &requests {
        request.assert_right();
        assert_eq!(request.fallbacks(), 1);
    }
    assert_eq!(world.fell_back(Reason::Deadline), 4);
    assert_eq!(world.bad()[1], 4);
    // Late, not wrong; and one answer for all.
    world.helper().serve();
    world.passes();
    assert_eq!(world.bad()[0], 0);
    world.assert_balanced();
}

#[test]
fn one_by_one_where_there_is_no_room_for_all() {
    let mut world = merging();
    let tfm = xts();
    let session = world.active().session.clone();
    // Every other 4 KiB of the pool is somebody's.
    let mut kept = Vec::new();
    let mut given = Vec::new();
    {
        let mut guard = lock();
        let mut odd = false;
        while let Some(run) = session.take_pool(&mut guard, 4096) {
            if odd { &mut given } else { &mut kept }.push(run);
            odd = !odd;
        }
        for run in given {
            session.books.get(&mut guard).pool.give(run);
        }
    }
    let requests = sectors(&tfm, 0..4);
    let found = submissions(&mut world);
    assert_eq!(sizes(&found), [(4096, 1); 4]);
    world.settle();
    assert_helped(&requests);
    {
        let mut guard = lock();
        for run in kept {
            session.books.get(&mut guard).pool.give(run);
        }
    }
    world.assert_balanced();
}

#[test]
fn chains_are_delivered_on_other_processors_as_well() {
    let mut world = merging();
    world.set(MERGE_KIB, "8");
    world.set(DELIVER_KIB, "8");
    let tfm = xts();
    let requests = sectors(&tfm, 0..7);
    world.passes();
    world.helper().serve();
    world.engine.pass();
    // Three of two sectors, and one of one; two processors leave one for them.
    assert_eq!((waiting(), mock::deliverers()), (4, 1));
    assert!(requests.iter().all(|request| request.answers() == 0));
    mock::run_work();
    assert_helped(&requests);
    world.assert_balanced();
}

#[test]
fn brought_sources_are_merged_too() {
    let mut world = merging();
    let tfm = xts();
    // The engine has found such requests worth a helper from the first on.
    let first = sectors(&tfm, 0..1);
    world.settle();
    assert_helped(&first);
    let requests: Vec<_> = (10..15)
        .map(|n| sector(&tfm, Op::Encrypt, n).may_backlog())
        .collect();
    for request in &requests {
        request.submit();
    }
    assert_eq!(sizes(&submissions(&mut world)), [(5 * 4096, 5)]);
    // One is killed with all of them in hand.
    world.kill();
    for request in &requests {
        request.assert_right();
        assert_eq!(request.fallbacks(), 1);
    }
}
