//! What the helper refuses, and that it goes on serving afterwards: malformed submissions and
//! tiles, stale keys, algorithms that fail or panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod shared;

use kgpu_core::abi::{AlgorithmId, RequestId, Status};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};
use kgpu_core::keytable;
use kgpu_core::peer::hostile::KEY_SLOT;
use kgpu_core::peer::{Case, Ground, HOSTILE};
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::loopback::Key;
use kgpu_userhelper::rig::Rig;
use shared::{completion, key, named, reap, rig, rig_of, simple};

/// What is sent to the helper of a rig, one case after the other.
struct Sender {
    rig: Rig,
    ground: Ground,
    id: RequestId,
}

impl Sender {
    fn new(workers: usize) -> Self {
        let rig = rig(workers);
        let region = rig.module.region();
        let (layout, session) = (*region.layout(), region.session());
        Self {
            ground: Ground::new(layout, session, kgpu_algos::by_id).unwrap(),
            rig,
            id: RequestId {
                slot: 5,
                generation: 1,
            },
        }
    }

    /// The next good case, under a key that no earlier one had.
    fn good(&mut self) -> Case {
        self.id.generation += 4;
        Case::good(&self.ground, self.id, self.id.generation)
    }

    /// Sends a case as it is; the answer must have this status and be right in all else.
    #[track_caller]
    fn send(&mut self, case: &Case, status: Status) {
        let module = &mut self.rig.module;
        let control = module.region().control();
        keytable::write(control, &self.ground.layout, KEY_SLOT, &case.key);
        for (at, tile) in (case.first..).zip(&case.tiles) {
            module.store_tile(at, tile);
        }
        assert!(module.push(&case.submission).unwrap());
        module.publish();
        let answer = completion(module);
        assert!(case.is_answered(&answer, status), "{status}: {answer:?}");
    }
}

#[test]
fn hostile_submissions_are_refused_and_the_next_is_served() {
    for workers in [1, 2] {
        let mut sender = Sender::new(workers);
        let good = sender.good();
        sender.send(&good, Status::Ok);
        for hostile in HOSTILE {
            sender.id.generation += 4;
            let case = hostile.case(&sender.ground, sender.id, sender.id.generation);
            eprintln!("{hostile:?}");
            sender.send(&case, hostile.status);
            let good = sender.good();
            sender.send(&good, Status::Ok);
        }
        sender.rig.stop.drain();
        let (_, tally, _) = sender.rig.join().unwrap();
        assert_eq!(tally.faults, HOSTILE.len() as u64);
    }
}

/// The slot is refilled: the old generation is refused, the new one served.
#[test]
fn keys_of_an_earlier_generation_are_refused() {
    let mut sender = Sender::new(1);
    let old = sender.good();
    sender.send(&old, Status::Ok);
    let newer = sender.good();
    sender.send(&newer, Status::Ok);
    // The old tiles beside the new key.
    let stale = Case {
        key: newer.key,
        ..old
    };
    sender.send(&stale, Status::StaleKey);
    sender.send(&newer, Status::Ok);
    sender.rig.stop.drain();
    sender.rig.join().unwrap();
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
