//! Sources that a guest's helper reads where they lie, and those that go to the pool all the same.

use std::rc::Rc;

use kgpu_core::abi::guest::{Event, PageRun, SourceAreas};
use kgpu_core::abi::{
    Attach, AttachFlags, Features, IvStep, Op, SessionState, Status, Tile, TileFlags, word,
};
use kgpu_core::request::Shape;

use super::guest::Guest;
use super::{MS, bytes};
use crate::counters::{self, Reason};
use crate::ffi::mock::{self, Request, SOURCES, Transform};
use crate::session;

/// Parameter numbers.
const MERGE_KIB: u32 = 12;

/// All of physical memory.
const ALL: PageRun = PageRun {
    address: 0,
    bytes: 1 << 60,
};

fn in_place(tfm: &Transform) -> u64 {
    counters::of(tfm.algorithm).in_place.get()
}

/// Tiles of what the helper has taken and not answered.
fn tiles(guest: &mut Guest) -> Vec<Tile> {
    let helper = guest.world.helper();
    let session = helper.session.clone();
    let mut tiles = Vec::new();
    for submission in &helper.peer.taken {
        for at in submission.tile_first..submission.tile_first + submission.tile_count {
            let offset = session.layout.tile_offset + u64::from(at) * 64;
            tiles.push(session.control.words().load_entry::<Tile>(offset).unwrap());
        }
    }
    tiles
}

/// What the helper was handed for these requests, which come out right.
fn tiles_of(guest: &mut Guest, requests: &[Request]) -> Vec<Tile> {
    for request in requests {
        request.submit();
    }
    guest.world.passes();
    guest.world.helper().take();
    let tiles = tiles(guest);
    guest.world.settle();
    for request in requests {
        request.assert_right();
        assert_eq!(request.fallbacks(), 0);
    }
    guest.world.assert_balanced();
    tiles
}

fn is_in_place(tile: &Tile) -> bool {
    tile.flags == TileFlags::GUEST_SOURCE.bits()
}

fn cipher(tfm: &Rc<Transform>, op: Op, len: usize) -> Request {
    Request::cipher(tfm, op, &bytes(len, 11), [9; 16])
}

#[test]
fn a_source_in_an_area_is_read_where_it_lies() {
    let mut guest = Guest::reading(&[ALL]);
    assert!(session::IN_PLACE.load(std::sync::atomic::Ordering::Relaxed));
    for (name, key, op) in [
        ("cbc(aes)", 16, Op::Decrypt),
        ("cbc(blowfish)", 16, Op::Encrypt),
        ("ctr(twofish)", 32, Op::Encrypt),
        ("xts(aes)", 64, Op::Decrypt),
    ] {
        let tfm = Transform::new(name, &bytes(key, 2));
        let before = in_place(&tfm);
        let requests = [cipher(&tfm, op, 4096), cipher(&tfm, op, 8192).in_place()];
        let tiles = tiles_of(&mut guest, &requests);
        assert!(tiles.len() >= 2 && tiles.iter().all(is_in_place), "{name}");
        assert_eq!(in_place(&tfm) - before, 2);
    }
}

#[test]
fn known_answers_are_asked_for_in_both_ways() {
    let passed = |guest: &mut Guest| guest.world.active().kat.passed;
    let mut once = Guest::live();
    let count = passed(&mut once);
    drop(once);
    let mut twice = Guest::reading(&[ALL]);
    assert_eq!(passed(&mut twice), 2 * count);
}

#[test]
fn a_helper_that_reads_them_wrong_is_not_routed_to() {
    // It reads sources in the pool right, and writes nothing for those elsewhere.
    let mut guest = Guest::new_reading();
    guest.event(Event::Attach);
    guest.name(&[ALL]);
    guest.start();
    for _ in 0..10_000 {
        guest.world.engine.pass();
        guest.world.helper().take();
        let first = tiles(&mut guest).first().copied();
        let helper = guest.world.helper();
        if let (Some(submission), Some(tile)) = (helper.peer.taken.pop_front(), first) {
            let completion = match is_in_place(&tile) {
                true => helper.peer.completion(&submission, Status::Ok),
                false => helper.compute(&submission),
            };
            helper.post(&completion);
        }
        match guest.world.state() {
            SessionState::Quarantined => return,
            state => assert_eq!(state, SessionState::Testing),
        }
    }
    panic!("not quarantined");
}

#[test]
fn sources_elsewhere_go_to_the_pool() {
    // Nothing of what requests have.
    let mut guest = Guest::reading(&[PageRun {
        address: 0,
        bytes: SOURCES,
    }]);
    let tfm = Transform::new("xts(twofish)", &bytes(64, 2));
    let before = in_place(&tfm);
    let tiles = tiles_of(&mut guest, &[cipher(&tfm, Op::Encrypt, 4096)]);
    assert!(tiles.iter().all(|tile| tile.flags == 0));
    assert_eq!(in_place(&tfm), before);
}

#[test]
fn scattered_sources_are_cut_where_their_pieces_end() {
    let mut guest = Guest::reading(&[ALL]);
    mock::set_source_pieces(4096);
    let shape = |op, unit, len| Shape {
        op,
        len,
        data_unit_size: unit,
        iv: [3; 16],
        iv_step: IvStep::Le64,
    };
    // Units end where pieces do, or are cut there, or are smaller.
    for (name, key, shape, in_place) in [
        ("xts(twofish)", 64, shape(Op::Encrypt, 4096, 16384), true),
        ("xts(twofish)", 64, shape(Op::Decrypt, 8192, 16384), true),
        ("cbc(aes)", 16, shape(Op::Decrypt, 16384, 16384), true),
        ("cbc(aes)", 16, shape(Op::Encrypt, 512, 8192), true),
        ("ctr(aes)", 16, shape(Op::Encrypt, 10_000, 10_000), true),
        // Such a unit is not split.
        ("cbc(aes)", 16, shape(Op::Encrypt, 8192, 16384), false),
    ] {
        let tfm = Transform::new(name, &bytes(key, 2));
        let len = usize::try_from(shape.len).unwrap();
        let request = Request::api(&tfm, shape, &bytes(len, 5));
        let tiles = tiles_of(&mut guest, &[request]);
        assert!(
            tiles.iter().all(|tile| is_in_place(tile) == in_place),
            "{name}, {shape:?}"
        );
    }
    // A piece that ends inside a block.
    mock::set_source_pieces(4100);
    let tfm = Transform::new("ctr(aes)", &bytes(16, 2));
    let request = Request::api(&tfm, shape(Op::Encrypt, 10_000, 10_000), &bytes(10_000, 5));
    let tiles = tiles_of(&mut guest, &[request]);
    assert!(tiles.iter().all(|tile| tile.flags == 0));
    mock::set_source_pieces(usize::MAX);
}

#[test]
fn sectors_are_merged_in_place() {
    let mut guest = Guest::reading(&[ALL]);
    guest.world.set(MERGE_KIB, "64");
    let tfm = Transform::new("xts(twofish)", &bytes(64, 2));
    let sectors: Vec<_> = (0..5u64)
        .map(|n| {
            let mut iv = [0; 16];
            iv[..8].copy_from_slice(&n.to_le_bytes());
            Request::cipher(&tfm, Op::Encrypt, &bytes(4096, n), iv).may_backlog()
        })
        .collect();
    let tiles = tiles_of(&mut guest, &sectors);
    assert_eq!(tiles.len(), 5);
    assert!(tiles.iter().all(is_in_place));
}

#[test]
fn a_source_is_intact_when_the_helper_is_late() {
    let mut guest = Guest::reading(&[ALL]);
    let tfm = Transform::new("cbc(twofish)", &bytes(32, 2));
    let request = cipher(&tfm, Op::Decrypt, 8192).in_place();
    request.submit();
    guest.world.passes();
    guest.world.helper().take();
    guest.world.wait(1001 * MS);
    request.assert_right();
    assert_eq!(request.fallbacks(), 1);
    assert_eq!(guest.world.fell_back(Reason::Deadline), 1);
    // What comes late lands in the pool, where nobody has it.
    guest.world.helper().serve();
    guest.world.passes();
    request.assert_right();
    guest.world.assert_balanced();
}

#[test]
fn a_helper_that_reads_no_sources_gets_them_in_the_pool() {
    let mut guest = Guest::reading(&[]);
    assert!(!session::IN_PLACE.load(std::sync::atomic::Ordering::Relaxed));
    let tfm = Transform::new("ctr(aes)", &bytes(16, 2));
    let tiles = tiles_of(&mut guest, &[cipher(&tfm, Op::Encrypt, 4096)]);
    assert!(tiles.iter().all(|tile| tile.flags == 0));
}

#[test]
fn areas_that_are_none_quarantine() {
    for bad in [
        SourceAreas {
            count: 9,
            ..SourceAreas::NONE
        },
        SourceAreas::of([PageRun {
            address: 1,
            bytes: 4096,
        }]),
        SourceAreas::of([PageRun {
            address: 0u64.wrapping_sub(4096),
            bytes: 8192,
        }]),
    ] {
        let mut guest = Guest::new_reading();
        guest.event(Event::Attach);
        let session = session::current().unwrap();
        assert!(bad.store(session.helper.words()));
        guest.start();
        guest.world.engine.pass();
        assert_eq!(session.state(), SessionState::Quarantined);
        drop(session);
    }
}

#[test]
fn areas_are_read_once() {
    let mut guest = Guest::reading(&[ALL]);
    let words = guest.world.helper().session.clone();
    words.helper.words().store(word::SOURCES, u64::MAX);
    let tfm = Transform::new("ctr(aes)", &bytes(16, 2));
    let tiles = tiles_of(&mut guest, &[cipher(&tfm, Op::Encrypt, 4096)]);
    assert!(tiles.iter().all(is_in_place));
}

#[test]
fn a_process_is_not_asked_for_it() {
    let mut world = super::World::new();
    world.open();
    let handshake = Attach::request(Features::all(), AttachFlags::empty(), 4096, "test");
    let answer = world.attach_with(&handshake).unwrap();
    assert_eq!(answer.features_in_force, Features::SERVICES.bits());
}
