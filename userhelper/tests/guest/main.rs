//! `kgpu serve --vhost-user` from outside: a guest's machine and a guest's module, played over the real socket and real
//! shared memory, against the real program with its rights dropped and its system calls filtered.
//!
//! On a host with a GPU the bundle runs the same against `KGPU_PROGRAM`, with `KGPU_BACKEND` in place of `cpu` and the words of
//! `KGPU_OPTIONS` behind it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod helper;
mod hostile;
mod life;
mod machine;
mod module;
#[path = "../shared/mod.rs"]
mod shared;
mod sources;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use kgpu_core::abi::guest::Event;
use kgpu_core::abi::{Features, word};
use kgpu_core::peer::Request;
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::loopback::Loopback;
use kgpu_userhelper::waker::Waker;

use helper::{Helper, PATIENCE, backend};
use machine::Machine;
use module::{landed, served, works};
use shared::{key, keys, named, noise, shapes, simple};

#[test]
fn the_configuration_space_is_the_helpers_half_of_the_handshake() {
    let helper = Helper::start(&["--tile-kib", "128"]);
    let machine = Machine::start(&helper);
    let (_, features) = machine.offer.check().unwrap();
    assert_eq!(features, Features::SERVICES | Features::GUEST_SOURCES);
    assert_eq!(machine.offer.tile_bytes, 128 << 10);
    let backend = [backend().as_bytes(), b"\0"].concat();
    assert!(machine.offer.backend.starts_with(&backend));
    helper.stop();
}

/// Every algorithm, operation, key length and shape, in guest memory that is scattered over two areas.
#[test]
fn requests_of_every_algorithm_are_computed() {
    for workers in ["1", "3"] {
        let helper = Helper::start(&["--workers", workers]);
        let mut machine = Machine::start(&helper);
        let module = served(&mut machine, 1);
        helper.says(&format!("READY backend={}", backend()));
        let mut kernel = module.kernel();
        let (mut key_id, mut sent) = (0, 0);
        for algorithm in Catalogue::registry().all().iter().copied() {
            for key in keys(algorithm) {
                key_id += 1;
                for (seed, shape) in (0..).zip(shapes(algorithm)) {
                    let src = noise(seed, usize::try_from(shape.len).unwrap());
                    let request = Request {
                        algorithm,
                        shape,
                        key: &key,
                        key_id,
                        src: &src,
                    };
                    while kernel.hand_over(module.view(), &request).unwrap().is_none() {
                        let landed = landed(&mut kernel, module.view());
                        assert!(landed.right, "{landed:?} {}", algorithm.name);
                    }
                    module.submitted(&machine);
                    sent += 1;
                }
            }
        }
        while kernel.in_flight() > 0 {
            let landed = landed(&mut kernel, module.view());
            assert!(landed.right, "{landed:?}");
        }
        let log = helper.stop();
        assert!(log.contains(&format!("requests={sent}")), "{sent}: {log}");
        assert!(log.contains("faults=0"), "{log}");
    }
}

/// Ends a thread beside a test, of one that failed too.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Both sides sleep after each request, and ring each other only when the other says that it sleeps: rings
/// are not lost, over thousands of requests.
#[test]
fn no_ring_is_lost() {
    const REQUESTS: u64 = 4000;
    for workers in ["1", "2"] {
        // Nobody looks unless rung: what is lost is lost for good, however late this machine's threads run.
        let options = ["--poll-us", "0", "--look-ms", "3600000"];
        let helper = Helper::start(&[&options[..], &["--workers", workers]].concat());
        let mut machine = Machine::start(&helper);
        let module = served(&mut machine, 1);
        let Machine {
            mut events, setup, ..
        } = machine;
        let own = Arc::new(Waker::new().unwrap());
        let unheard = Arc::new(Waker::new().unwrap());
        let region = Arc::clone(&module.region);
        let mut side = Loopback::new(region, unheard, Arc::clone(&own), shared::TILE).unwrap();
        let (over, kicks) = (AtomicBool::new(false), AtomicU32::new(0));
        let mut rung = 0;
        std::thread::scope(|scope| {
            let _end = SetWhenDropped(&over);
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    if events.wait(Duration::from_millis(50)).is_some() {
                        kicks.fetch_add(1, Ordering::Relaxed);
                        own.wake();
                        // One buffer is left in the end, and that sometimes comes late: then the device has none
                        // when it wants to ring.
                        if kicks.load(Ordering::Relaxed) < machine::EVENTS {
                            continue;
                        }
                        if kicks.load(Ordering::Relaxed) % 3 == 0 {
                            std::thread::sleep(Duration::from_micros(300));
                        }
                        let head = events.next_head();
                        events.add(&[(machine::event_buffer(head), 8, true)]);
                        events.ring();
                    }
                }
            });
            let algorithm = named("ctr(aes)");
            let mut key = key(algorithm, 1);
            for user in 0..REQUESTS {
                if user % 8 == 0 {
                    std::thread::sleep(Duration::from_micros(user % 50 * 7));
                }
                let order = simple(algorithm, 64, 0, user);
                assert!(side.submit(&order, Some(&mut key)).unwrap());
                side.publish();
                kgpu_core::cell::Words::fence();
                if module.region.helper().load(word::ASLEEP) != 0 {
                    setup.ring();
                    rung += 1;
                }
                let since = std::time::Instant::now();
                while side.reap(|_| ()).unwrap() == 0 {
                    // A lost ring would take all of this, on either side.
                    if user % 2 == 0 {
                        side.wait(PATIENCE).unwrap();
                    }
                    assert!(since.elapsed() < PATIENCE, "{user}");
                }
                // The next one comes at every moment of the helper's falling asleep.
                for _ in 0..user % 512 * 8 {
                    std::hint::spin_loop();
                }
            }
        });
        // Both sides slept: on a busy machine the answer is often there before this side does.
        let kicks = kicks.load(Ordering::Relaxed);
        assert!(rung > 10 && kicks > 10, "{rung} doorbells, {kicks} kicks");
        let log = helper.stop();
        assert!(log.contains("overslept=0"), "{log}");
    }
}

/// What a guest's helper has when it serves: no right, no way to get one, a filter, and nothing of /dev/kgpu.
#[test]
fn nothing_is_left_to_take_over() {
    let helper = Helper::start(&["--workers", "2"]);
    let mut machine = Machine::start(&helper);
    let module = served(&mut machine, 1);
    let mut kernel = module.kernel();
    works(&machine, &module, &mut kernel);
    let tasks = format!("/proc/{}/task", helper.pid());
    let mut names = Vec::new();
    for task in std::fs::read_dir(tasks).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        for right in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
            assert_eq!(field(right), "0000000000000000", "{right} {status}");
        }
        assert_eq!(field("NoNewPrivs:"), "1", "{status}");
        assert_eq!(field("Seccomp:"), "2", "{status}");
        names.push(field("Name:"));
    }
    for thread in [
        "kgpu",
        "kgpu-guest",
        "kgpu-dispatch",
        "kgpu-heartbeat",
        "kgpu-worker-0",
    ] {
        assert!(names.iter().any(|name| name == thread), "{names:?}");
    }
    let socket = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&helper.socket).unwrap().permissions(),
    );
    assert_eq!(socket & 0o777, 0o600);
    helper.stop();
}

/// The guest's machine may go as it likes; the next one is served, by the same process.
#[test]
fn guests_come_and_go() {
    let helper = Helper::start(&["--workers", "2"]);
    for session in 1..6 {
        let mut machine = Machine::start(&helper);
        let module = served(&mut machine, session);
        let mut kernel = module.kernel();
        works(&machine, &module, &mut kernel);
        assert_eq!(
            helper.says("READY").split('=').next_back().unwrap(),
            session.to_string()
        );
        if session % 2 == 0 {
            // In the middle of things.
            let algorithm = named("ecb(serpent)");
            let src = noise(1, 64 << 10);
            let request = Request {
                algorithm,
                shape: kgpu_core::request::Shape::single(algorithm.ops()[0], 64 << 10, [0; 16]),
                key: &noise(2, 32),
                key_id: 5,
                src: &src,
            };
            while kernel.hand_over(module.view(), &request).unwrap().is_some() {}
            assert!(kernel.in_flight() > 2);
            module.submitted(&machine);
        }
        // Both ends of the socket are this value's.
        let _ = machine.memory.0.as_fd();
        drop(machine);
    }
    helper.stop();
    let once = Helper::start(&["--once"]);
    let mut machine = Machine::start(&once);
    machine.expect(Event::Attach);
    drop(machine);
    let end = once.end();
    assert_eq!((end.code, end.signal), (Some(0), None), "{}", end.log);
}
