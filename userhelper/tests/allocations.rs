//! While requests come, the helper takes no memory and gives none back: under memory pressure it would wait for a
//! disk that it serves. A slot fill takes what `docs/helper.md` says. A program of its own, with an allocator that
//! counts, and one test, so that nothing else is counted.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used)]

mod shared;

use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kgpu_core::abi::{IvStep, Layout, RingSizes, Status};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::request::Shape;
use kgpu_userhelper::backend::gpu::GpuTuning;
use kgpu_userhelper::backend::gpu::host::{Faults, HostOpener};
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::engine::{Choice, LOOK, Tuning};
use kgpu_userhelper::heartbeat::Heartbeat;
use kgpu_userhelper::loopback::{Key, Order};
use kgpu_userhelper::rig::Rig;
use shared::{AREAS, Guest, PATIENCE, TILE, key, named};

/// The system's allocator, counting.
struct Counting;

static TAKEN: AtomicU64 = AtomicU64::new(0);
static GIVEN: AtomicU64 = AtomicU64::new(0);

/// Counts, but not for the test harness's own thread, which says when a test takes long.
fn count(what: &AtomicU64) {
    if rustix::thread::gettid() != rustix::process::getpid() {
        what.fetch_add(1, Ordering::SeqCst);
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Block) -> *mut u8 {
        count(&TAKEN);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, at: *mut u8, block: Block) {
        count(&GIVEN);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, block) };
    }

    unsafe fn realloc(&self, at: *mut u8, block: Block, bytes: usize) -> *mut u8 {
        count(&TAKEN);
        count(&GIVEN);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, block, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Blocks of memory taken and given back while `work` runs, by every thread of the process.
fn counted(work: impl FnOnce()) -> (u64, u64) {
    let before = (TAKEN.load(Ordering::SeqCst), GIVEN.load(Ordering::SeqCst));
    work();
    let after = (TAKEN.load(Ordering::SeqCst), GIVEN.load(Ordering::SeqCst));
    (after.0 - before.0, after.1 - before.1)
}

/// Room for one key of every algorithm, or for 4.
fn start(choice: Choice, workers: usize, keys: u32, guest: Option<&Guest>) -> Rig {
    let sizes = RingSizes {
        keys,
        ..shared::sizes()
    };
    let tuning = Tuning {
        workers,
        poll: Duration::from_micros(50),
        look: LOOK,
    };
    let layout = Layout::new(sizes).unwrap();
    let catalogue = Catalogue::registry();
    match guest {
        None => Rig::start_on(choice, layout, catalogue, tuning, TILE).unwrap(),
        Some(guest) => {
            let region = guest.region(sizes, workers);
            Rig::start_in(region, choice, catalogue, tuning, TILE).unwrap()
        }
    }
}

fn device() -> (Choice, Arc<Faults>) {
    let opener = HostOpener::default();
    let faults = Arc::clone(&opener.faults);
    let tuning = GpuTuning {
        queues: 2,
        everything: true,
        ..GpuTuning::default()
    };
    let opener = Arc::new(opener);
    (Choice::Device { opener, tuning }, faults)
}

/// What is asked of an algorithm: each operation, one small request and one of several tiles.
fn orders(algorithm: &'static Algorithm) -> Vec<Order> {
    let mut orders = Vec::new();
    for &op in algorithm.ops() {
        for (len, data_unit_size) in [(512, 512), (12 << 10, 4096)] {
            let shape = Shape {
                op,
                len,
                data_unit_size,
                iv: [0; 16],
                iv_step: IvStep::None,
            };
            if shape.check(algorithm).is_err() {
                continue;
            }
            let user = u64::try_from(orders.len()).unwrap();
            let src = user << 16;
            let apart = shape.output_len(algorithm) != Ok(len);
            let dst = if apart { src + (2 << 20) } else { src };
            orders.push(Order {
                algorithm,
                shape,
                src,
                dst,
                user,
            });
        }
    }
    assert!(!orders.is_empty(), "{}", algorithm.name);
    orders
}

/// Hands over all orders at once and takes their completions. This takes no memory either.
fn round(rig: &mut Rig, orders: &[Order], mut key: Option<&mut Key>) {
    /// What the guest's memory has.
    static ZEROES: [u8; 12 << 10] = [0; 12 << 10];
    let guest = !rig.module.region().sources().is_empty();
    for (number, order) in (0u64..).zip(orders) {
        let key = key.as_deref_mut();
        // Every second one, where there is a guest: sources of both kinds.
        let sent = if guest && number % 2 == 0 {
            let (start, ..) = AREAS[orders.len() % AREAS.len()];
            let src = start + (number << 14) + number % 3;
            rig.module
                .submit_from(&Order { src, ..*order }, key, Some(&ZEROES))
        } else {
            rig.module.submit(order, key)
        };
        assert!(sent.unwrap());
    }
    rig.module.publish();
    let (mut done, since) = (0, Instant::now());
    while done < orders.len() {
        done += rig
            .module
            .reap(|d| assert_eq!(d.status, Status::Ok))
            .unwrap();
        assert!(since.elapsed() < PATIENCE);
        if done < orders.len() {
            rig.module.wait(Duration::from_millis(20)).unwrap();
        }
    }
}

/// Rounds of every algorithm, `pause` between them, until `least` requests were computed.
fn requests(
    rig: &mut Rig,
    work: &mut [(Vec<Order>, Option<Key>)],
    least: usize,
    pause: impl Fn(bool),
) -> usize {
    let mut sent = 0;
    while sent < least {
        for (orders, key) in &mut *work {
            pause(true);
            round(rig, orders, key.as_mut());
            pause(false);
            sent += orders.len();
        }
    }
    sent
}

/// Nothing at all, for requests of every algorithm.
fn none_for_requests(
    name: &str,
    choice: Choice,
    workers: usize,
    least: usize,
    pause: impl Fn(bool),
) {
    none_for(start(choice, workers, 64, None), name, least, pause);
}

/// The same on a rig that was started.
fn none_for(mut rig: Rig, name: &str, least: usize, pause: impl Fn(bool)) {
    let heart = Heartbeat::start(Arc::clone(rig.module.region())).unwrap();
    let mut work: Vec<_> = (1..)
        .zip(kgpu_algos::all())
        .map(|(id, algorithm)| {
            let key = algorithm.has_key().then(|| self::key(algorithm, id));
            (orders(algorithm), key)
        })
        .collect();
    // Keys are filled, threads have slept and woken.
    let warm = least / 4;
    requests(&mut rig, &mut work, warm, &pause);
    let mut sent = 0;
    let found = counted(|| sent = requests(&mut rig, &mut work, least, &pause));
    assert!(sent >= least);
    assert_eq!(found, (0, 0), "{name}: of {sent} requests");
    drop(heart);
    rig.stop.drain();
    rig.join().unwrap();
}

/// What a slot fill takes, and gives back when the slot moves on: `blocks`.
fn blocks_for_slot_fills(name: &str, choice: Choice, workers: usize, blocks: u64) {
    let mut rig = start(choice, workers, 4, None);
    for algorithm in ["xts(twofish)", "cbc(aes)", "ctr(serpent)"].map(named) {
        let orders = orders(algorithm);
        // More keys than slots, one after the other: each round is a slot fill, and an eviction.
        let mut keys: Vec<Key> = (1..=11).map(|id| key(algorithm, id)).collect();
        let mut fill = |rounds: usize| {
            for n in 0..rounds {
                round(&mut rig, &orders, keys.get_mut(n % 11));
            }
        };
        fill(11);
        let found = counted(|| fill(44));
        let expected = (44 * blocks, 44 * blocks);
        assert_eq!(found, expected, "{name}: {}", algorithm.name);
        for key in &keys {
            rig.module.retire(key);
        }
    }
    rig.stop.drain();
    rig.join().unwrap();
}

#[test]
fn memory_is_taken_at_the_start_and_at_slot_fills_only() {
    // The allocator counts: or zeroes would mean nothing.
    assert_eq!(counted(|| drop(std::hint::black_box(Box::new(1)))), (1, 1));

    none_for_requests("inline", Choice::Cpu, 1, 3000, |_| {});
    none_for_requests("threads", Choice::Cpu, 3, 3000, |_| {});
    // A pause: dispatcher, workers and the module's side fall asleep and are woken.
    let nap = |begin: bool| {
        if begin {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    none_for_requests("threads, asleep", Choice::Cpu, 3, 1000, nap);
    let (choice, _) = device();
    none_for_requests("device", choice, 1, 600, |_| {});
    // Sources in a guest's memory beside those in the pool.
    let guest = Guest::new();
    for (name, choice, workers, least) in [
        ("guest, inline", Choice::Cpu, 1, 3000),
        ("guest, threads", Choice::Cpu, 3, 3000),
        ("guest, device", device().0, 1, 600),
    ] {
        none_for(
            start(choice, workers, 64, Some(&guest)),
            name,
            least,
            |_| {},
        );
    }
    // The device holds its batches back, so that the dispatcher sleeps and the waiter waits in its place.
    let (choice, faults) = device();
    let ends = Arc::new(AtomicBool::new(false));
    let (ended, held) = (Arc::clone(&ends), Arc::clone(&faults));
    let blinker = std::thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            held.held.fetch_xor(true, Ordering::Release);
            std::thread::sleep(Duration::from_micros(700));
        }
        held.held.store(false, Ordering::Release);
    });
    none_for_requests("device, waited for", choice, 2, 200, |_| {});
    ends.store(true, Ordering::Relaxed);
    blinker.join().unwrap();

    // The prepared key and the expanded one; for a device the schedule.
    blocks_for_slot_fills("inline", Choice::Cpu, 1, 2);
    blocks_for_slot_fills("threads", Choice::Cpu, 3, 2);
    blocks_for_slot_fills("device", device().0, 1, 3);
}
