//! What the helper refuses, and that it goes on serving afterwards: malformed submissions and
//! tiles, stale keys, algorithms that fail or panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod shared;

use kgpu_core::abi::{AlgorithmId, Op, Status, Submission, Tile};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::loopback::Key;
use kgpu_userhelper::rig::Rig;
use shared::{completion, key, named, reap, rig, rig_of, simple};

/// A good submission of two tiles of `ctr(aes)` under a key in slot 1, generation 7.
fn good() -> (Submission, [Tile; 2]) {
    let tile = |at: u64| Tile {
        src: at,
        dst: at,
        len: 4096,
        dst_len: 4096,
        key_slot: 1,
        key_generation: 7,
        data_unit_size: 8192,
        first_block: 0,
        iv: [0; 16],
        algorithm: 3,
        op: Op::Encrypt.code(),
        iv_step: 0,
        flags: 0,
    };
    let submission = Submission {
        request: 5,
        session: 1,
        tile_first: 10,
        tile_count: 2,
        bytes: 8192,
        written_len: 8192,
        algorithm: 3,
        op: Op::Encrypt.code(),
        flags: 0,
    };
    (submission, [tile(0), tile(4096)])
}

/// Sends what `spoil` makes of a good submission, and gives the status.
fn answer(rig: &mut Rig, spoil: impl FnOnce(&mut Submission, &mut [Tile; 2])) -> Status {
    let (mut submission, mut tiles) = good();
    spoil(&mut submission, &mut tiles);
    rig.module.store_tile(10, &tiles[0]);
    rig.module.store_tile(11, &tiles[1]);
    assert!(rig.module.push(&submission).unwrap());
    rig.module.publish();
    let completion = completion(&mut rig.module);
    assert_eq!(completion.request, submission.request);
    assert_eq!(completion.reserved, 0);
    let status = Status::try_from(completion.status).unwrap();
    let expected = if status == Status::Ok {
        submission.written_len
    } else {
        assert!(completion.detail > 0);
        0
    };
    assert_eq!(completion.written_len, expected);
    status
}

type Spoil = fn(&mut Submission, &mut [Tile; 2]);

#[test]
fn malformed_requests_are_refused_and_the_next_is_served() {
    let cases: &[(&str, Status, Spoil)] = &[
        ("no tiles", Status::Malformed, |s, _| s.tile_count = 0),
        ("tiles beyond the table", Status::Malformed, |s, _| {
            s.tile_count = 503;
        }),
        ("tiles that wrap", Status::Malformed, |s, _| {
            s.tile_first = u32::MAX;
        }),
        ("another session", Status::Malformed, |s, _| s.session = 2),
        ("submission flags", Status::Malformed, |s, _| s.flags = 0x80),
        ("no operation", Status::Unsupported, |s, _| s.op = 9),
        ("an operation not offered", Status::Unsupported, |s, t| {
            s.op = Op::Compute.code();
            t[0].op = s.op;
        }),
        ("an unknown algorithm", Status::Unsupported, |s, t| {
            s.algorithm = 60_000;
            t[0].algorithm = s.algorithm;
        }),
        ("bytes that don't add up", Status::Malformed, |s, _| {
            s.bytes = 8191;
        }),
        ("output that doesn't add up", Status::Malformed, |s, _| {
            s.written_len = 4096;
        }),
        ("a foreign tile", Status::Malformed, |_, t| {
            t[1].algorithm = 1;
        }),
        ("a tile of another operation", Status::Malformed, |_, t| {
            t[1].op = Op::Decrypt.code();
        }),
        ("an empty tile", Status::Malformed, |_, t| {
            t[0].len = 0;
            t[0].dst_len = 0;
        }),
        ("no data unit", Status::Malformed, |_, t| {
            t[0].data_unit_size = 0;
        }),
        ("an unknown IV step", Status::Malformed, |_, t| {
            t[0].iv_step = 77;
        }),
        ("tile flags", Status::Malformed, |_, t| t[0].flags = 1),
        ("a source outside the pool", Status::Malformed, |_, t| {
            t[0].src = (4 << 20) - 4095;
        }),
        (
            "a destination outside the pool",
            Status::Malformed,
            |_, t| {
                t[1].dst = u64::MAX - 100;
            },
        ),
        ("overlap", Status::Malformed, |_, t| t[0].dst = 1),
        ("another output length", Status::Malformed, |_, t| {
            t[0].dst_len = 4095;
        }),
        ("a first block without XTS", Status::Malformed, |_, t| {
            t[1].first_block = 256;
        }),
        ("no such key slot", Status::Malformed, |_, t| {
            t[0].key_slot = 4;
        }),
        ("a stale key", Status::StaleKey, |_, t| {
            t[1].key_generation = 5;
        }),
        ("an empty key slot", Status::StaleKey, |_, t| {
            t[0].key_generation = 6;
        }),
    ];
    for workers in [1, 2] {
        let mut rig = rig(workers);
        rig.module.store_key(1, 7, 3, &[1; 16]);
        assert_eq!(answer(&mut rig, |_, _| ()), Status::Ok);
        for (what, expected, spoil) in cases {
            assert_eq!(answer(&mut rig, spoil), *expected, "{what}");
            assert_eq!(answer(&mut rig, |_, _| ()), Status::Ok, "after {what}");
        }
        rig.stop.drain();
        let (_, tally, _) = rig.join().unwrap();
        assert_eq!(tally.faults, cases.len() as u64);
    }
}

#[test]
fn keys_are_refused_for_what_they_are() {
    let mut rig = rig(1);
    // A key for another algorithm, one of a length the algorithm does not have, and one that no
    // entry has room for.
    for (algorithm, len, status) in [
        (1, 16, Status::Malformed),
        (3, 17, Status::Malformed),
        (3, 200, Status::StaleKey),
    ] {
        rig.module.store_key(1, 7, algorithm, &vec![1; len]);
        assert_eq!(answer(&mut rig, |_, _| ()), status);
    }
    rig.module.store_key(1, 7, 3, &[1; 16]);
    assert_eq!(answer(&mut rig, |_, _| ()), Status::Ok);
    // The slot is refilled: the old generation is refused, the new one served.
    rig.module.store_key(1, 9, 3, &[2; 16]);
    let newer: Spoil = |_, t| t.iter_mut().for_each(|t| t.key_generation = 9);
    assert_eq!(answer(&mut rig, newer), Status::Ok);
    assert_eq!(answer(&mut rig, |_, _| ()), Status::StaleKey);
    assert_eq!(answer(&mut rig, newer), Status::Ok);
    rig.stop.drain();
    rig.join().unwrap();
}

#[derive(Debug)]
struct Failing;

impl CpuKey for Failing {
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError> {
        // The first byte of the IV says how to fail.
        match work.iv[0] {
            1 => panic!("on purpose"),
            2 => Err(WorkError::Op(work.op)),
            _ => {
                if let Data::InPlace(data) = data {
                    data.fill(0x5a);
                }
                Ok(())
            }
        }
    }
}

fn expand(_: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Ok(Box::new(Failing))
}

/// A panic or an error of an algorithm is the request's failure, nobody else's.
#[test]
fn a_failing_algorithm_fails_its_requests_only() {
    let failing: &'static Algorithm = Box::leak(Box::new(Algorithm {
        id: AlgorithmId(4000),
        name: "failing",
        driver: "failing-kgpu",
        cpu: expand,
        device: None,
        ..*named("cbc(aes)")
    }));
    std::panic::set_hook(Box::new(|_| ()));
    for workers in [1, 3] {
        let all = Catalogue::registry();
        let all = all.all().iter().copied().chain([failing]);
        let mut rig = rig_of(workers, Catalogue::new(all));
        let mut failing_key = Key::new(1, &[0; 16]);
        let good = named("ctr(aes)");
        let mut good_key = key(good, 2);
        for round in 0..20 {
            let mut expected = Vec::new();
            for user in 0..12u64 {
                let how = (user % 4).to_le_bytes()[0];
                let mut order = simple(failing, 4096 * 4, user << 16, user);
                order.shape.data_unit_size = 4096;
                order.shape.iv[0] = how;
                let status = match how {
                    1 | 2 => Status::BackendFailed,
                    _ => Status::Ok,
                };
                let sent = if how == 3 {
                    let order = simple(good, 10_000, user << 16, user);
                    rig.module.submit(&order, Some(&mut good_key)).unwrap()
                } else {
                    rig.module.submit(&order, Some(&mut failing_key)).unwrap()
                };
                assert!(sent, "{round}");
                expected.push((user, status));
            }
            rig.module.publish();
            let mut done = reap(&mut rig.module, expected.len());
            done.sort_unstable_by_key(|(user, _)| *user);
            assert_eq!(done, expected);
        }
        rig.stop.drain();
        rig.join().unwrap();
    }
}

/// Two requests that write the same bytes at the same time: refused or done one after the other,
/// never both at once. (The module does not do this; a mistake there must not be undefined here.)
#[test]
fn racing_requests_are_answered() {
    let mut rig = rig(3);
    let algorithm = named("xts(aes)");
    let mut key = key(algorithm, 1);
    for _ in 0..100 {
        for user in 0..8 {
            let order = simple(algorithm, 16 << 10, (user % 2) * 512, user);
            assert!(rig.module.submit(&order, Some(&mut key)).unwrap());
        }
        rig.module.publish();
        for (_, status) in reap(&mut rig.module, 8) {
            assert!(matches!(status, Status::Ok | Status::Malformed));
        }
    }
    rig.stop.drain();
    rig.join().unwrap();
}
