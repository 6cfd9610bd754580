//! Sources in a guest's memory, read where they lie: by the CPU and by a device, beside sources in the pool, while the
//! guest writes them, when the device fails; and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kgpu_core::abi::guest::SourceAreas;
use kgpu_core::abi::{Op, Status};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::request::Shape;
use kgpu_userhelper::backend::CPU_CODE;
use kgpu_userhelper::backend::gpu::host::{CODE, Faults, HostOpener};
use kgpu_userhelper::backend::gpu::{GpuTuning, Path};
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::engine::Choice;
use kgpu_userhelper::loopback::{Key, Order};
use kgpu_userhelper::rig::Rig;
use shared::{
    AREAS, Guest, PATIENCE, TILE, direct, key, keys, named, noise, reap, reap_by, shapes, simple,
    sizes, tuning,
};

const NAME: &str = "ecb(twofish)";

/// A helper of a guest, on the CPU.
fn on_cpu(guest: &Guest, workers: usize) -> Rig {
    start(guest, workers, Choice::Cpu)
}

fn start(guest: &Guest, workers: usize, choice: Choice) -> Rig {
    let region = guest.region(sizes(), workers);
    Rig::start_in(region, choice, Catalogue::registry(), tuning(workers), TILE).unwrap()
}

/// A helper of a guest whose device is the host; what goes wrong is set before it opens.
fn on_device(guest: &Guest, path: Path, wrong: impl FnOnce(&Faults)) -> (Rig, Arc<Faults>) {
    let opener = HostOpener::default();
    let faults = Arc::clone(&opener.faults);
    wrong(&faults);
    let tuning = GpuTuning {
        queues: 2,
        path,
        everything: true,
        ..GpuTuning::default()
    };
    let opener = Arc::new(opener);
    (start(guest, 1, Choice::Device { opener, tuning }), faults)
}

fn end(rig: Rig) {
    rig.stop.drain();
    rig.join().unwrap();
}

/// A place in the guest for a request's source: at every distance from a multiple of 16, in every area, at its ends too.
fn place(user: u64, len: u32) -> u64 {
    let (start, bytes, _) = AREAS[usize::try_from(user % 3).unwrap()];
    let last = start + bytes - u64::from(len);
    match user % 5 {
        0 => start,
        1 => last,
        _ => start + ((user << 16) + user * 7) % (last - start),
    }
}

fn holds(rig: &mut Rig, at: u64, expected: &[u8]) -> bool {
    let len = u32::try_from(expected.len()).unwrap();
    let lane = rig.module.lane();
    lane.read(at, len, |got| got == expected).unwrap()
}

/// Every algorithm, operation, key length and shape: the bytes of one direct call.
fn all_algorithms(guest: &Guest, mut rig: Rig, backend: u16) {
    let mut id = 0;
    for algorithm in kgpu_algos::all().iter().copied() {
        for bytes in keys(algorithm) {
            id += 1;
            let mut key = algorithm.has_key().then(|| Key::new(id, &bytes));
            for (user, shape) in (0..).zip(shapes(algorithm)) {
                let input = noise(user + id, shape.len as usize);
                let order = Order {
                    algorithm,
                    shape,
                    src: place(user + id, shape.len),
                    dst: (user % 8) << 16,
                    user,
                };
                guest.write(order.src, &input);
                let sent = rig.module.submit_from(&order, key.as_mut(), Some(&input));
                assert!(sent.unwrap());
                rig.module.publish();
                let done = reap_by(&mut rig.module, 1);
                assert_eq!(done, [(user, Status::Ok, backend)], "{}", algorithm.name);
                let answer = direct(algorithm, &bytes, &shape, &input);
                let right = holds(&mut rig, order.dst, &answer);
                assert!(right, "{} {shape:?} at {:#x}", algorithm.name, order.src);
                assert!(guest.holds(order.src, &input), "{}", algorithm.name);
            }
        }
    }
    rig.stop.drain();
    let (_, tally, _) = rig.join().unwrap();
    assert_eq!(tally.faults, 0);
}

#[test]
fn the_cpu_reads_sources_where_they_lie() {
    for workers in [1, 3] {
        let guest = Guest::new();
        let rig = on_cpu(&guest, workers);
        all_algorithms(&guest, rig, CPU_CODE);
    }
}

#[test]
fn kernels_read_sources_where_they_lie() {
    // Though the user wants copies, of the pool.
    let guest = Guest::new();
    let (rig, _) = on_device(&guest, Path::Copy, |_| ());
    all_algorithms(&guest, rig, CODE);
}

#[test]
fn the_module_is_told_of_the_areas() {
    let guest = Guest::new();
    let mut rig = on_cpu(&guest, 1);
    serves(&mut rig, &guest);
    let told = SourceAreas::load(rig.module.region().helper());
    let areas: Vec<_> = guest.areas().iter().map(|area| area.run()).collect();
    assert_eq!(told.checked(), Ok(&areas[..]));
    assert_eq!(rig.module.region().sources(), areas);
    end(rig);
}

/// One honest request with a source in the guest, under a key that no other request has.
#[track_caller]
fn serves(rig: &mut Rig, guest: &Guest) {
    let sent = send(rig, guest, &mut key(named(NAME), 77), 77, [(0, true)]);
    assert_eq!(reap(&mut rig.module, 1), [(0, Status::Ok)]);
    assert!(sent.iter().all(|(at, answer)| holds(rig, *at, answer)));
}

/// Requests of 4 KiB by number, from the guest or in place in the pool, and their answers.
fn send(
    rig: &mut Rig,
    guest: &Guest,
    key: &mut Key,
    id: u64,
    users: impl IntoIterator<Item = (u64, bool)>,
) -> Vec<(u64, Vec<u8>)> {
    let mut expected = Vec::new();
    for (user, from_guest) in users {
        let mut order = simple(named(NAME), 4096, user << 16, user);
        let input = noise(user + id, 4096);
        if from_guest {
            order.src = place(user, 4096);
            guest.write(order.src, &input);
        } else {
            let write = |to: &mut [u8]| to.copy_from_slice(&input);
            rig.module.lane().write(order.src, 4096, write).unwrap();
        }
        let source = from_guest.then_some(&input[..]);
        let answer = direct(order.algorithm, &noise(id, 16), &order.shape, &input);
        expected.push((order.dst, answer));
        assert!(rig.module.submit_from(&order, Some(key), source).unwrap());
    }
    rig.module.publish();
    expected
}

/// Both kinds in one batch, with one that kernels do on copies only, which nothing of such a batch is.
#[test]
fn sources_of_both_kinds_share_a_batch() {
    let guest = Guest::new();
    let (mut rig, faults) = on_device(&guest, Path::Copy, |_| ());
    faults.held.store(true, Ordering::Release);
    let mut first = key(named(NAME), 1);
    let mut answers = send(&mut rig, &guest, &mut first, 1, [(0, true)]);
    let launched = |faults: &Faults| faults.launches.load(Ordering::Relaxed);
    let since = Instant::now();
    while launched(&faults) == 0 {
        assert!(since.elapsed() < PATIENCE);
    }
    // The other queue takes the next one; what comes then waits until the device goes on.
    answers.extend(send(&mut rig, &guest, &mut first, 1, [(1, false)]));
    while launched(&faults) == 1 {
        assert!(since.elapsed() < PATIENCE);
    }
    let more = (2..6).map(|user| (user, user % 2 == 0));
    answers.extend(send(&mut rig, &guest, &mut first, 1, more));
    let chained = named("cbc(twofish)");
    let shape = Shape {
        op: Op::Decrypt,
        ..simple(chained, 4096, 0, 0).shape
    };
    let input = noise(5, 4096);
    let order = Order {
        algorithm: chained,
        shape,
        src: 6 << 16,
        dst: 6 << 16,
        user: 6,
    };
    let lane = rig.module.lane();
    lane.write(order.src, 4096, |to| to.copy_from_slice(&input))
        .unwrap();
    answers.push((order.dst, direct(chained, &noise(2, 16), &shape, &input)));
    let mut second = key(chained, 2);
    assert!(rig.module.submit(&order, Some(&mut second)).unwrap());
    rig.module.publish();
    std::thread::sleep(Duration::from_millis(30));
    faults.held.store(false, Ordering::Release);
    let mut done = reap_by(&mut rig.module, 7);
    done.sort_unstable_by_key(|(user, ..)| *user);
    let by = |user| if user == 6 { CPU_CODE } else { CODE };
    let expected: Vec<_> = (0..7).map(|user| (user, Status::Ok, by(user))).collect();
    assert_eq!(done, expected);
    for (at, answer) in answers {
        assert!(holds(&mut rig, at, &answer), "{at:#x}");
    }
    end(rig);
}

/// A device that fails with such requests in flight: their sources are as they were, and the CPU computes them. Then
/// the device is back, and reads them again.
#[test]
fn a_failed_device_spoils_no_source_of_a_guest() {
    let strikes: [fn(&Faults); 2] = [
        |faults| faults.launch.store(1, Ordering::Relaxed),
        |faults| faults.stats.store(1, Ordering::Relaxed),
    ];
    for strike in strikes {
        let guest = Guest::new();
        let (mut rig, faults) = on_device(&guest, Path::Auto, |_| ());
        let mut one = key(named(NAME), 1);
        serves(&mut rig, &guest);
        strike(&faults);
        let answers = send(
            &mut rig,
            &guest,
            &mut one,
            1,
            (0..6).map(|user| (user, true)),
        );
        for (user, status, by) in reap_by(&mut rig.module, 6) {
            assert_eq!((status, by), (Status::Ok, CPU_CODE), "{user}");
        }
        for (at, answer) in answers {
            assert!(holds(&mut rig, at, &answer), "{at:#x}");
        }
        back(&mut rig, &guest, &mut one);
        end(rig);
    }
}

/// Sends requests with sources in the guest until the device computes one.
fn back(rig: &mut Rig, guest: &Guest, key: &mut Key) {
    let since = Instant::now();
    loop {
        let answers = send(rig, guest, key, 1, [(0, true)]);
        let done = reap_by(&mut rig.module, 1);
        assert!(holds(rig, answers[0].0, &answers[0].1));
        if done[0].2 == CODE {
            return;
        }
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where the device can't have the guest's memory, the module is told of no area, and what it sends all the same is
/// refused.
#[test]
fn areas_that_cannot_be_registered_are_not_named() {
    let guest = Guest::new();
    let (mut rig, _) = on_device(&guest, Path::Auto, |faults| {
        faults.sources.store(1, Ordering::Relaxed);
    });
    let mut one = key(named(NAME), 1);
    let answers = send(&mut rig, &guest, &mut one, 1, [(0, false)]);
    assert_eq!(reap_by(&mut rig.module, 1), [(0, Status::Ok, CODE)]);
    assert!(holds(&mut rig, answers[0].0, &answers[0].1));
    let told = SourceAreas::load(rig.module.region().helper());
    assert_eq!(told, SourceAreas::NONE);
    send(&mut rig, &guest, &mut one, 1, [(0, true)]);
    assert_eq!(reap(&mut rig.module, 1), [(0, Status::Malformed)]);
    end(rig);
}

/// What was named stands: if the device can't have it when it is opened again, the CPU reads it.
#[test]
fn areas_that_were_named_are_read_by_the_cpu_if_need_be() {
    let guest = Guest::new();
    let (mut rig, faults) = on_device(&guest, Path::Auto, |_| ());
    let mut one = key(named(NAME), 1);
    serves(&mut rig, &guest);
    faults.sources.store(1, Ordering::Relaxed);
    faults.launch.store(1, Ordering::Relaxed);
    send(&mut rig, &guest, &mut one, 1, [(0, true)]);
    assert_eq!(reap_by(&mut rig.module, 1), [(0, Status::Ok, CPU_CODE)]);
    let since = Instant::now();
    while faults.opened.load(Ordering::Relaxed) < 2 {
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    let pool = |rig: &mut Rig, key: &mut Key| {
        send(rig, &guest, key, 1, [(0, false)]);
        reap_by(&mut rig.module, 1)[0].2
    };
    while pool(&mut rig, &mut one) != CODE {
        assert!(since.elapsed() < PATIENCE);
    }
    let answers = send(&mut rig, &guest, &mut one, 1, [(0, true), (1, true)]);
    for (_, status, by) in reap_by(&mut rig.module, 2) {
        assert_eq!((status, by), (Status::Ok, CPU_CODE));
    }
    for (at, answer) in answers {
        assert!(holds(&mut rig, at, &answer), "{at:#x}");
    }
    end(rig);
}

/// A request with a source at an address, as the module would never send it.
fn send_at(rig: &mut Rig, key: &mut Key, address: u64, len: u32) -> Status {
    let order = Order {
        src: address,
        ..simple(named(NAME), len, 0, 3)
    };
    let source = noise(1, len as usize);
    assert!(
        rig.module
            .submit_from(&order, Some(key), Some(&source))
            .unwrap()
    );
    rig.module.publish();
    reap(&mut rig.module, 1)[0].1
}

#[test]
fn sources_that_are_in_no_area_are_refused_and_the_next_served() {
    for workers in [1, 2] {
        let guest = Guest::new();
        let mut rig = on_cpu(&guest, workers);
        let mut one = key(named(NAME), 1);
        let end_of = |area: usize| AREAS[area].0 + AREAS[area].1;
        for (address, len) in [
            (0, 16),
            (AREAS[0].0 - 16, 16),
            (AREAS[0].0 - 1, 16),
            (end_of(2), 16),
            (end_of(2) - 15, 16),
            // From one area to the next.
            (end_of(0) - 8, 16),
            (end_of(0) - 8200, 4096 * 4),
            (1 << 63, 16),
            (u64::MAX, 16),
            (u64::MAX - 15, 16),
            // Its last tiles.
            (AREAS[1].0 + 4096, 1 << 20),
        ] {
            let status = send_at(&mut rig, &mut one, address, len);
            assert_eq!(status, Status::Malformed, "{len} at {address:#x}");
            serves(&mut rig, &guest);
        }
        for (address, len) in [(end_of(0) - 16, 16), (end_of(0), 16), (end_of(1) - 31, 16)] {
            let status = send_at(&mut rig, &mut one, address, len);
            assert_eq!(status, Status::Ok, "{len} at {address:#x}");
        }
        end(rig);
    }
}

/// Without the feature the flag is refused, wherever the source is.
#[test]
fn a_session_without_the_feature_has_no_such_sources() {
    let mut rig = shared::rig(1);
    let mut one = key(named(NAME), 1);
    for address in [0, 4096, AREAS[0].0] {
        let status = send_at(&mut rig, &mut one, address, 4096);
        assert_eq!(status, Status::Malformed);
        assert_eq!(
            SourceAreas::load(rig.module.region().helper()),
            SourceAreas::NONE
        );
    }
    let order = simple(named(NAME), 4096, 0, 3);
    assert!(rig.module.submit(&order, Some(&mut one)).unwrap());
    rig.module.publish();
    assert_eq!(reap(&mut rig.module, 1), [(3, Status::Ok)]);
    end(rig);
}

/// A guest that writes a source while it is read has what it made of it, and everybody else is served.
#[test]
fn sources_may_change_while_they_are_read() {
    let algorithm: &Algorithm = named("xts(aes)");
    let guest = Guest::new();
    let mut rig = on_cpu(&guest, 2);
    let (over, mut one) = (AtomicBool::new(false), key(algorithm, 1));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                guest.write(AREAS[2].0, &noise(round, 8192));
                if over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        for _ in 0..200 {
            for user in 0..4 {
                let order = Order {
                    src: AREAS[2].0 + 8 * user,
                    ..simple(algorithm, 4096, user << 16, user)
                };
                let source = vec![0; 4096];
                let sent = rig
                    .module
                    .submit_from(&order, Some(&mut one), Some(&source));
                assert!(sent.unwrap());
            }
            rig.module.publish();
            for (_, status) in reap(&mut rig.module, 4) {
                assert_eq!(status, Status::Ok);
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    serves(&mut rig, &guest);
    end(rig);
}
