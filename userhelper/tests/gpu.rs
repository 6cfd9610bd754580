//! The GPU backend over the kernels' host side: right answers through every path, batches that wait and batches
//! that don't, keys that come and go, and an answer to every request when the device fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kgpu_core::abi::{Layout, Status, word};
use kgpu_core::algorithm::Algorithm;
use kgpu_userhelper::backend::CPU_CODE;
use kgpu_userhelper::backend::gpu::host::{CODE, Faults, HostOpener};
use kgpu_userhelper::backend::gpu::{GpuTuning, Path};
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::engine::{Choice, LOOK, Tuning};
use kgpu_userhelper::loopback::{Key, Order};
use kgpu_userhelper::rig::Rig;
use shared::{
    PATIENCE, TILE, all_algorithms, direct, key, named, noise, reap, reap_by, simple, sizes,
};

/// Twofish has kernels, and is the fastest of those on the host.
const NAME: &str = "ecb(twofish)";

fn tuning(path: Path) -> GpuTuning {
    GpuTuning {
        queues: 2,
        path,
        everything: true,
        ..GpuTuning::default()
    }
}

/// A helper whose device is the host.
fn rig(workers: usize, poll: Duration, gpu: GpuTuning) -> (Rig, Arc<Faults>) {
    let opener = HostOpener::default();
    let faults = Arc::clone(&opener.faults);
    let rig = start(workers, poll, gpu, opener);
    (rig, faults)
}

fn start(workers: usize, poll: Duration, tuning: GpuTuning, opener: HostOpener) -> Rig {
    start_with(Catalogue::registry(), workers, poll, tuning, opener)
}

fn start_with(
    catalogue: Catalogue,
    workers: usize,
    poll: Duration,
    tuning: GpuTuning,
    opener: HostOpener,
) -> Rig {
    let choice = Choice::Device {
        opener: Arc::new(opener),
        tuning,
    };
    Rig::start_on(
        choice,
        Layout::new(sizes()).unwrap(),
        catalogue,
        Tuning {
            workers,
            poll,
            look: LOOK,
        },
        TILE,
    )
    .unwrap()
}

const POLL: Duration = Duration::from_micros(50);

fn with_kernels() -> Vec<&'static Algorithm> {
    let all = kgpu_algos::all().iter().copied();
    let found: Vec<_> = all.filter(|a| a.device.is_some()).collect();
    assert!(found.len() >= 4);
    found
}

#[test]
fn kernels_equal_direct_calls_through_copies() {
    // In place, CBC decryption can't be done directly: copies are the one way that takes everything.
    let (rig, _) = rig(1, POLL, tuning(Path::Copy));
    all_algorithms(rig, &with_kernels(), CODE);
}

#[test]
fn kernels_equal_direct_calls_in_the_pool_itself() {
    let (rig, _) = rig(1, POLL, tuning(Path::Direct));
    all_algorithms(rig, &with_kernels(), CODE);
}

/// What has no kernels is computed by the workers, and says so.
#[test]
fn the_cpu_computes_the_rest() {
    // Every algorithm of the registry has kernels: one that has lost them.
    let bare: &Algorithm = Box::leak(Box::new(Algorithm {
        device: None,
        ..*named("ctr(serpent)")
    }));
    for workers in [1, 2] {
        let catalogue = Catalogue::new([bare]);
        let gpu = tuning(Path::Auto);
        let rig = start_with(catalogue, workers, POLL, gpu, HostOpener::default());
        all_algorithms(rig, &[bare], CPU_CODE);
    }
}

/// A long unit that nothing runs beside is none for a device, unless the user says so.
#[test]
fn one_long_serial_unit_goes_to_the_cpu() {
    for (everything, backend) in [(false, CPU_CODE), (true, CODE)] {
        let gpu = GpuTuning {
            everything,
            ..tuning(Path::Auto)
        };
        let (mut rig, _) = rig(1, POLL, gpu);
        let algorithm = named("cbc(twofish)");
        let mut key = key(algorithm, 1);
        let order = simple(algorithm, 32 << 10, 0, 5);
        assert!(rig.module.submit(&order, Some(&mut key)).unwrap());
        rig.module.publish();
        assert_eq!(reap_by(&mut rig.module, 1), [(5, Status::Ok, backend)]);
        end(rig);
    }
}

fn end(rig: Rig) {
    rig.stop.drain();
    rig.join().unwrap();
}

/// Fills a buffer with noise, and gives what encryption makes of it.
fn prepare(rig: &mut Rig, order: &Order, id: u64) -> Vec<u8> {
    let input = noise(order.user, order.shape.len as usize);
    let lane = rig.module.lane();
    lane.write(order.src, order.shape.len, |to| to.copy_from_slice(&input))
        .unwrap();
    direct(order.algorithm, &noise(id, 16), &order.shape, &input)
}

fn holds(rig: &mut Rig, at: u64, expected: &[u8]) -> bool {
    let len = u32::try_from(expected.len()).unwrap();
    let lane = rig.module.lane();
    lane.read(at, len, |got| got == expected).unwrap()
}

/// Requests 0, 1, 2, ... of `len` bytes, every second one apart from its source, and their answers.
fn send(rig: &mut Rig, key: &mut Key, id: u64, users: std::ops::Range<u64>) -> Vec<(u64, Vec<u8>)> {
    let mut expected = Vec::new();
    for user in users {
        let mut order = simple(named(NAME), 4096, user << 16, user);
        if user % 2 == 1 {
            order.dst += 32 << 10;
        }
        expected.push((order.dst, prepare(rig, &order, id)));
        assert!(rig.module.submit(&order, Some(key)).unwrap());
    }
    rig.module.publish();
    expected
}

/// What became of requests after a fault, and that the device is back for the next one.
fn after(strike: impl FnOnce(&Faults), path: Path, mut check: impl FnMut(u64, Status, u16)) {
    let (mut rig, faults) = rig(1, POLL, tuning(path));
    let mut key = key(named(NAME), 1);
    let answers = send(&mut rig, &mut key, 1, 0..1);
    assert_eq!(reap_by(&mut rig.module, 1), [(0, Status::Ok, CODE)]);
    assert!(holds(&mut rig, answers[0].0, &answers[0].1));
    strike(&faults);
    let answers = send(&mut rig, &mut key, 1, 0..6);
    for (user, status, backend) in reap_by(&mut rig.module, 6) {
        check(user, status, backend);
        let (at, answer) = &answers[usize::try_from(user).unwrap()];
        if status == Status::Ok {
            assert!(holds(&mut rig, *at, answer), "{user}");
        }
    }
    // The device comes back after a second.
    let since = Instant::now();
    loop {
        let answers = send(&mut rig, &mut key, 1, 7..8);
        let done = reap_by(&mut rig.module, 1);
        assert_eq!(done[0].1, Status::Ok);
        assert!(holds(&mut rig, answers[0].0, &answers[0].1));
        if done[0].2 == CODE {
            break;
        }
        assert_eq!(done[0].2, CPU_CODE);
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(faults.opened.load(Ordering::Relaxed), 2);
    end(rig);
}

fn set(count: &AtomicU64, n: u64) {
    count.store(n, Ordering::Relaxed);
}

/// Nothing was written yet: the CPU computes what the device could not, and nobody sees an error.
#[test]
fn a_failed_launch_or_copy_in_is_made_good_by_the_cpu() {
    let good = |_, status, _| assert_eq!(status, Status::Ok);
    after(|f| set(&f.launch, 1), Path::Copy, good);
    after(|f| set(&f.copy_in, 1), Path::Copy, good);
    after(|f| set(&f.copy_in, 2), Path::Copy, good);
}

/// Results may lie on their sources: those requests fail, so that the module computes them, and the others don't.
#[test]
fn what_may_be_overwritten_is_not_computed_again() {
    let mut failed = 0;
    let mut seen = |user, status, backend| match status {
        Status::Ok => {}
        Status::BackendFailed => {
            assert_eq!((user % 2, backend), (0, CODE));
            failed += 1;
        }
        other => panic!("{other:?}"),
    };
    after(|f| set(&f.copy_out, 1), Path::Copy, &mut seen);
    after(|f| set(&f.stats, 1), Path::Copy, &mut seen);
    after(|f| set(&f.launch, 1), Path::Direct, &mut seen);
    after(|f| set(&f.stats, 1), Path::Direct, &mut seen);
    // The batch that failed had at least its first request in place.
    assert!(failed >= 4, "{failed}");
}

/// A device that can't be opened at all is tried again, and meanwhile there is the CPU.
#[test]
fn without_a_device_the_cpu_computes_until_it_comes() {
    let opener = HostOpener::default();
    let faults = Arc::clone(&opener.faults);
    set(&faults.open, 1);
    let mut rig = start(1, POLL, tuning(Path::Auto), opener);
    let mut key = key(named(NAME), 1);
    let since = Instant::now();
    let mut by = Vec::new();
    while by.last() != Some(&CODE) {
        send(&mut rig, &mut key, 1, 0..1);
        by.extend(reap_by(&mut rig.module, 1).iter().map(|done| done.2));
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(by[0], CPU_CODE);
    end(rig);
}

/// Waits until the helper has taken so many submissions.
fn taken(rig: &Rig, count: u64) {
    let since = Instant::now();
    while rig.module.region().helper().load(word::SQ_HEAD) < count {
        assert!(since.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

/// An idle device gets the first request at once; what comes while it is at work waits and becomes one batch, and
/// with a deadline of nothing it does not wait.
#[test]
fn requests_gather_while_the_device_is_at_work() {
    for (flush, launches) in [(Duration::from_secs(3600), 2), (Duration::ZERO, 3)] {
        let gpu = GpuTuning {
            flush,
            queues: 3,
            ..tuning(Path::Auto)
        };
        let (mut rig, faults) = rig(1, POLL, gpu);
        let mut key = key(named(NAME), 1);
        faults.held.store(true, Ordering::Release);
        let before = faults.launches.load(Ordering::Relaxed);
        let mut answers = Vec::new();
        for user in 0..3 {
            answers.extend(send(&mut rig, &mut key, 1, user..user + 1));
            taken(&rig, user + 1);
        }
        // A round of the dispatcher after the last was taken.
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(rig.module.reap(|_| ()).unwrap(), 0);
        faults.held.store(false, Ordering::Release);
        assert_eq!(reap(&mut rig.module, 3).len(), 3);
        for (at, answer) in answers {
            assert!(holds(&mut rig, at, &answer));
        }
        let launched = faults.launches.load(Ordering::Relaxed) - before;
        assert_eq!(launched, launches, "{flush:?}");
        end(rig);
    }
}

/// A full batch does not wait for its deadline either.
#[test]
fn a_full_batch_is_started() {
    let gpu = GpuTuning {
        flush: Duration::from_secs(3600),
        batch_bytes: 8192,
        queues: 3,
        ..tuning(Path::Auto)
    };
    let (mut rig, faults) = rig(1, POLL, gpu);
    let mut key = key(named(NAME), 1);
    faults.held.store(true, Ordering::Release);
    for user in 0..3 {
        send(&mut rig, &mut key, 1, user..user + 1);
        taken(&rig, user + 1);
    }
    let since = Instant::now();
    while faults.launches.load(Ordering::Relaxed) < 2 {
        assert!(since.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    faults.held.store(false, Ordering::Release);
    reap(&mut rig.module, 3);
    end(rig);
}

/// The dispatcher sleeps while the device works, and is woken when it is done.
#[test]
fn a_sleeping_dispatcher_is_woken_by_the_device() {
    let (mut rig, faults) = rig(1, Duration::ZERO, tuning(Path::Auto));
    let mut key = key(named(NAME), 1);
    let since = Instant::now();
    for user in 0..30 {
        faults.held.store(true, Ordering::Release);
        send(&mut rig, &mut key, 1, user % 4..user % 4 + 1);
        std::thread::sleep(Duration::from_millis(2));
        faults.held.store(false, Ordering::Release);
        reap(&mut rig.module, 1);
    }
    // It looks up by itself once a second: 30 lost wake-ups would take 30.
    assert!(since.elapsed() < Duration::from_secs(15));
    end(rig);
}

/// Keys come and go while requests are in flight: each request is computed under its own.
#[test]
fn keys_rotate_under_load() {
    let (mut rig, _) = rig(1, POLL, tuning(Path::Auto));
    let algorithm = named("ctr(twofish)");
    let mut keys: Vec<Key> = (0..200).map(|id| key(algorithm, id + 1)).collect();
    let mut expected = std::collections::HashMap::new();
    let (mut sent, mut done) = (0u64, 0);
    while done < 200 {
        while sent < 200 && rig.module.in_flight() < 4 {
            let order = simple(algorithm, 64, (sent % 8) << 12, sent);
            let answer = prepare(&mut rig, &order, sent + 1);
            let key = &mut keys[usize::try_from(sent).unwrap()];
            assert!(rig.module.submit(&order, Some(key)).unwrap());
            expected.insert(sent, (order.dst, answer));
            sent += 1;
        }
        rig.module.publish();
        for (user, status) in reap(&mut rig.module, 1) {
            assert_eq!(status, Status::Ok);
            let (at, answer) = expected.remove(&user).unwrap();
            assert!(holds(&mut rig, at, &answer), "{user}");
            rig.module.retire(&keys[usize::try_from(user).unwrap()]);
            done += 1;
        }
    }
    rig.stop.drain();
    let (_, tally, _) = rig.join().unwrap();
    assert_eq!((tally.requests, tally.faults), (200, 0));
}

/// Told to end while the device is at work: everything is answered.
#[test]
fn the_device_is_drained_at_the_end() {
    let (mut rig, faults) = rig(1, POLL, tuning(Path::Auto));
    let mut key = key(named(NAME), 1);
    faults.held.store(true, Ordering::Release);
    let sent = send(&mut rig, &mut key, 1, 0..6).len();
    taken(&rig, 6);
    rig.stop.drain();
    std::thread::sleep(Duration::from_millis(5));
    assert!(!rig.is_finished());
    faults.held.store(false, Ordering::Release);
    let (_, _, mut module) = rig.join().unwrap();
    assert_eq!(reap(&mut module, sent).len(), sent);
}

/// A schedule is on the device while its key is in use; soon after a rekey neither its slot nor what it was uploaded
/// through has it any more.
#[test]
fn schedules_leave_the_device_with_their_keys() {
    let (mut rig, faults) = rig(1, POLL, tuning(Path::Copy));
    let algorithm = named(NAME);
    let code = algorithm.device.unwrap();
    let mut words = vec![0; code.schedule_words - kgpu_core::device::HEADER_WORDS];
    (code.schedule)(&noise(1, 16), &mut words).unwrap();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    *faults.wanted.lock().unwrap() = bytes[..16].to_vec();
    let (mut first, mut second) = (key(algorithm, 1), key(algorithm, 2));
    let once = |rig: &mut Rig, key: &mut Key, id| {
        let answers = send(rig, key, id, 0..1);
        assert_eq!(reap_by(&mut rig.module, 1), [(0, Status::Ok, CODE)]);
        assert!(holds(rig, answers[0].0, &answers[0].1));
        faults.found.load(Ordering::Acquire)
    };
    assert!(once(&mut rig, &mut first, 1) >= 1);
    let since = Instant::now();
    // Its upload is known to be done at the next look at the device: then the slot alone has it.
    while once(&mut rig, &mut first, 1) != 1 {
        assert!(since.elapsed() < PATIENCE);
    }
    rig.module.retire(&first);
    while once(&mut rig, &mut second, 2) != 0 {
        assert!(since.elapsed() < PATIENCE);
    }
    end(rig);
}
