//! What a helper that behaves is given, and what comes of it.

use kgpu_core::abi::{IvStep, Op, SessionState};
use kgpu_core::algorithm::Output;
use kgpu_core::keytable;
use kgpu_core::request::Shape;

use super::{MS, World, bytes};
use crate::counters::{self, Reason};
use crate::errno::Errno;
use crate::ffi::mock::{Request, Transform};

const IV: [u8; 16] = [0xfb; 16];

#[test]
fn a_helper_is_live_after_all_known_answers_and_not_before() {
    let mut world = World::new();
    world.attach();
    world.passes();
    assert_eq!(world.state(), SessionState::Attached);
    assert_eq!(world.helper().take(), 0, "nothing before START");
    let tfm = Transform::new("ctr(aes)", &[1; 16]);
    let early = Request::cipher(&tfm, Op::Encrypt, &[5; 64], IV);
    assert_eq!(early.submit(), 0, "the fallback, at once");
    early.assert_right();
    let known = || {
        (0..crate::ALGORITHMS)
            .map(|i| counters::of(i).known_answers.get())
            .sum::<u64>()
    };
    let before = known();
    world.start();
    let expected: usize = kgpu_algos::all()
        .iter()
        .map(|a| a.known_answers.len() * a.ops().len())
        .sum();
    assert_eq!(known() - before, expected as u64);
    assert_eq!(world.fell_back(Reason::NoHelper), 1);
    world.assert_balanced();
    let mut guard = crate::ffi::lock();
    let session = world.helper.as_ref().unwrap().session.clone();
    assert_eq!(
        session.books.get(&mut guard).slots.filled(),
        0,
        "their keys are cleared"
    );
    drop(guard);
}

/// Every cipher, direction and placement: right bytes, right IV, one answer, the helper's.
#[test]
fn every_cipher_gives_its_bytes_and_its_output_iv() {
    let mut world = World::live();
    for algorithm in kgpu_algos::all() {
        if !matches!(algorithm.output, Output::SameAsInput) {
            continue;
        }
        let key = bytes(usize::from(algorithm.key_sizes.max), 3);
        let tfm = Transform::new(algorithm.name, &key);
        // One block, one tile, several tiles.
        for len in [16, 4096, 4096 * 3 + 512] {
            for op in [Op::Encrypt, Op::Decrypt] {
                let src = bytes(len, len as u64);
                let apart = Request::cipher(&tfm, op, &src, IV);
                let over = Request::cipher(&tfm, op, &src, IV).in_place();
                for request in [apart, over] {
                    assert_eq!(request.submit(), -Errno::INPROGRESS.0);
                    assert_eq!(request.answers(), 0);
                    world.settle();
                    request.finish();
                    assert_eq!(request.fallbacks(), 0, "{}", algorithm.name);
                }
            }
        }
    }
    world.assert_balanced();
}

#[test]
fn a_stream_request_may_end_inside_a_block() {
    let mut world = World::live();
    let tfm = Transform::new("ctr(aes)", &[7; 32]);
    let request = Request::cipher(&tfm, Op::Encrypt, &bytes(4097, 1), [0xff; 16]);
    request.submit();
    world.settle();
    request.assert_right();
    assert_eq!(request.fallbacks(), 0);
}

#[test]
fn requests_of_many_units_and_services_come_through_kgpu_h() {
    let mut world = World::live();
    let tfm = Transform::new("xts(aes)", &bytes(64, 9));
    let sectors = Shape {
        op: Op::Encrypt,
        len: 40 * 512,
        data_unit_size: 512,
        iv: IV,
        iv_step: IvStep::Le64,
    };
    let crc = Transform::new("crc32c", &[]);
    let units = Shape {
        op: Op::Compute,
        len: 10_000,
        data_unit_size: 512,
        iv: [0; 16],
        iv_step: IvStep::None,
    };
    let requests = [
        Request::api(&tfm, sectors, &bytes(40 * 512, 1)),
        Request::api(&crc, units, &bytes(10_000, 2)),
    ];
    for request in &requests {
        assert_eq!(request.submit(), -Errno::INPROGRESS.0);
    }
    world.settle();
    for request in requests {
        request.finish();
        assert_eq!(request.fallbacks(), 0);
    }
    let bad = Request::api(
        &tfm,
        Shape {
            len: 100,
            ..sectors
        },
        &[0; 100],
    );
    assert_eq!(bad.submit(), -Errno::INVAL.0);
    world.assert_balanced();
}

#[test]
fn lengths_that_are_not_tiled_get_the_stock_answer_at_once() {
    let world = World::live();
    let tfm = Transform::new("cbc(aes)", &[7; 16]);
    let empty = Request::cipher(&tfm, Op::Encrypt, &[], IV);
    assert_eq!(empty.submit(), 0);
    empty.assert_right();
    let odd = Request::cipher(&tfm, Op::Encrypt, &[1; 17], IV);
    assert_eq!(odd.submit(), -Errno::INVAL.0);
    odd.assert_right();
    assert_eq!(world.fell_back(Reason::Shape), 2);
}

#[test]
fn death_with_requests_in_flight_leaves_each_to_the_fallback_once() {
    let mut world = World::live();
    let tfm = Transform::new("cbc(aes)", &[7; 16]);
    let requests: Vec<_> = (0..30)
        .map(|i| {
            let op = if i % 2 == 0 { Op::Encrypt } else { Op::Decrypt };
            Request::cipher(&tfm, op, &bytes(1024, i), IV)
        })
        .collect();
    for request in &requests {
        request.submit();
    }
    world.passes();
    // 16 in the ring, 14 waiting for room; three answered, their completions not yet looked at.
    world.helper().take();
    for _ in 0..3 {
        world.helper().answer();
    }
    world.kill();
    world.passes();
    for request in &requests {
        request.finish();
    }
    assert!(requests.iter().all(|r| r.fallbacks() == 1));
    assert_eq!(world.fell_back(Reason::Death), 16);
    assert_eq!(world.fell_back(Reason::NoHelper), 14);
    assert_eq!(
        tfm.core()
            .in_flight
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );
    // The next one starts afresh.
    world.attach();
    world.start();
    let next = Request::cipher(&tfm, Op::Encrypt, &bytes(1024, 99), IV);
    next.submit();
    world.settle();
    next.assert_right();
    assert_eq!(next.fallbacks(), 0);
    world.assert_balanced();
}

#[test]
fn what_a_helper_says_it_could_not_do_falls_back() {
    let mut world = World::live();
    let tfm = Transform::new("ecb(aes)", &[7; 16]);
    let request = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 1), [0; 16]);
    request.submit();
    world.passes();
    world.helper().take();
    let submission = world.helper().peer.taken.pop_front().unwrap();
    let mut completion = world.helper().compute(&submission);
    completion.status = kgpu_core::abi::Status::BackendFailed.code();
    completion.written_len = 0;
    world.helper().post(&completion);
    world.passes();
    request.assert_right();
    assert_eq!(request.fallbacks(), 1);
    assert_eq!(world.fell_back(Reason::Failed), 1);
    assert_eq!(world.state(), SessionState::Live);
    world.assert_balanced();
}

#[test]
fn a_helper_that_detaches_finishes_and_gets_no_more() {
    let mut world = World::live();
    let tfm = Transform::new("ecb(aes)", &[7; 16]);
    let before = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 1), [0; 16]);
    before.submit();
    world.passes();
    world.ioctl(kgpu_core::abi::IOC_DETACH).unwrap();
    world.passes();
    assert_eq!(world.state(), SessionState::Retired);
    assert!(world.device().poll().over);
    let after = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 2), [0; 16]);
    assert_eq!(after.submit(), 0);
    after.assert_right();
    world.settle();
    before.assert_right();
    assert_eq!(before.fallbacks(), 0);
    world.assert_balanced();
}

#[test]
fn a_key_leaves_the_region_when_it_is_changed_or_freed() {
    let mut world = World::live();
    let session = world.helper().session.clone();
    let key_bytes = |needle: &[u8]| {
        (0..session.layout.sizes.keys).any(|slot| {
            let at = keytable::entry_at(&session.layout, slot).unwrap();
            let entry: kgpu_core::abi::KeyEntry = session.control.words().load_entry(at).unwrap();
            entry.key.windows(needle.len()).any(|w| w == needle)
        })
    };
    let tfm = Transform::new("ecb(aes)", &[0xa1; 16]);
    let request = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 1), [0; 16]);
    request.submit();
    world.passes();
    assert!(key_bytes(&[0xa1; 16]));
    // In flight: the helper may still need it; it goes with the answer.
    world.settle();
    request.finish();
    assert_eq!(tfm.set_key(&[0xb2; 16]), 0);
    assert!(!key_bytes(&[0xa1; 16]));
    let request = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 1), [0; 16]);
    request.submit();
    world.settle();
    request.finish();
    assert!(key_bytes(&[0xb2; 16]));
    drop(tfm);
    assert!(!key_bytes(&[0xb2; 16]));
    let tfm = Transform::new("ecb(aes)", &[0xc3; 16]);
    let request = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 1), [0; 16]);
    request.submit();
    world.passes();
    assert!(key_bytes(&[0xc3; 16]));
    world.kill();
    assert!(!key_bytes(&[0xc3; 16]), "with the helper, at the latest");
    request.finish();
}

/// The crypto API's self-tests set one; and a refused key is no key, which an empty one would be.
#[test]
fn an_empty_key_is_a_key_where_the_cipher_has_it() {
    let mut world = World::live();
    let mut empty = 0;
    for algorithm in kgpu_algos::all().iter().filter(|a| a.has_key()) {
        let (name, has) = (algorithm.name, algorithm.key_sizes.contains(0));
        let tfm = Transform::new(name, &[]);
        assert_eq!(tfm.core().key_id(), 0, "{name}: no key yet");
        assert_eq!(tfm.set_key(&[]) == 0, has, "{name}");
        assert_eq!(tfm.core().key_id() != 0, has, "{name}");
        if has {
            let request = Request::cipher(&tfm, Op::Encrypt, &bytes(4096, 1), IV);
            request.submit();
            world.settle();
            request.finish();
            request.assert_right();
            empty += 1;
        }
        let longest = bytes(usize::from(algorithm.key_sizes.max), 2);
        assert_eq!(tfm.set_key(&longest), 0, "{name}");
        assert_ne!(tfm.core().key_id(), 0, "{name}");
        tfm.clear_key();
        assert_eq!(tfm.core().key_id(), 0, "{name}: none at all");
    }
    assert!(empty > 0, "no cipher has an empty key");
}

#[test]
fn the_engine_rests_and_asks_for_a_kick() {
    let mut world = World::live();
    // It looks once more when the known answers' deadline would have been.
    world.wait(1001 * MS);
    assert_eq!(world.engine.pass(), u64::MAX, "nothing to do");
    let kick = |world: &mut World| {
        let session = world.helper().session.clone();
        session
            .control
            .words()
            .load(kgpu_core::abi::word::KICK_NEEDED)
    };
    assert_eq!(kick(&mut world), 1);
    let tfm = Transform::new("ecb(aes)", &[7; 16]);
    let request = Request::cipher(&tfm, Op::Encrypt, &bytes(512, 1), [0; 16]);
    request.submit();
    assert_eq!(world.engine.pass(), 0, "it polls at first");
    assert_eq!(kick(&mut world), 0);
    world.passes();
    assert_eq!(kick(&mut world), 1);
    let ns = world.engine.pass();
    assert!(ns > 900 * MS && ns <= 1000 * MS, "until the deadline: {ns}");
    assert!(world.device().poll().submissions);
    world.helper().serve();
    world.ioctl(kgpu_core::abi::IOC_KICK).unwrap();
    world.passes();
    request.assert_right();
}
