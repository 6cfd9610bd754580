//! The life of requests across death, takeover and unload: a submitter, the module's engine, the
//! fallback's worker and two helpers as threads of their own, under random schedules.
//!
//! Run by `RUSTFLAGS="--cfg shuttle" cargo test -p kgpu-core --release --test shuttle`. Rings, table
//! of requests in flight and pool books are the module's own; the engine around them is said here
//! in its shortest form. Where loom (`loom.rs`) tries every interleaving and memory order of two
//! threads over a few words, this tries some thousand schedules of five threads over a whole life;
//! memory is sequentially consistent in it.
//!
//! Each accepted request completes once, with bytes that the fallback computed or a helper of the
//! session that the request was handed to, for that request. Helpers die at any point, complete
//! after they were given up, write to the pool after their device was closed, and post what was
//! left over from an earlier session. Two tests at the end break one rule each and must fail. With
//! the generation left out of `InFlight::complete` itself, or the session, the first tests fail
//! too ("wrong bytes").
//!
//! `KGPU_SHUTTLE_RUNS` sets the number of schedules, `KGPU_SHUTTLE_SEED` where they start; a failure
//! prints the seed and the schedule that `shuttle::replay` takes.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests, too, may panic.

#[path = "shuttle/helper.rs"]
mod helper;
#[path = "shuttle/module.rs"]
mod module;

use std::sync::atomic::{AtomicU64, Ordering};

use module::{Engine, Module, Rules};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Arc;
use shuttle::{Config, Runner, thread};

/// Requests of a run.
const REQUESTS: usize = 8;

/// A choice of the schedule.
fn roll(sides: u32) -> u32 {
    thread_rng().gen_range(0..sides)
}

/// Lets the others go on for a while.
fn wait(most: u32) {
    for _ in 0..roll(most) {
        thread::yield_now();
    }
}

/// What happened over all runs of a test: a model that never saw a late completion shows nothing.
#[derive(Debug, Default)]
struct Seen {
    by_helper: AtomicU64,
    by_fallback: AtomicU64,
    taken_back: AtomicU64,
    late: AtomicU64,
    foreign: AtomicU64,
    takeovers: AtomicU64,
}

impl Seen {
    fn all(&self) -> [u64; 6] {
        [
            &self.by_helper,
            &self.by_fallback,
            &self.taken_back,
            &self.late,
            &self.foreign,
            &self.takeovers,
        ]
        .map(|count| count.load(Ordering::Relaxed))
    }
}

/// One life, from load to unload.
fn life(rules: Rules, seen: &std::sync::Arc<Seen>) {
    let module = Arc::new(Module::new(REQUESTS, std::sync::Arc::clone(seen)));
    let engine = {
        let module = Arc::clone(&module);
        thread::spawn(move || Engine::new(module, rules).run())
    };
    let worker = {
        let module = Arc::clone(&module);
        thread::spawn(move || module.fall_back_until_unloaded())
    };
    let helpers = [1, 2].map(|session| {
        let module = Arc::clone(&module);
        thread::spawn(move || helper::live(&module, session))
    });
    for number in 0..REQUESTS {
        wait(16);
        module.submit(number);
    }
    // At any point of the requests' lives: they are all owed an answer all the same.
    wait(48);
    module.unload();
    engine.join().unwrap();
    worker.join().unwrap();
    for helper in helpers {
        helper.join().unwrap();
    }
    module.assert_each_answered_once();
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn random(rules: Rules, runs: u64) -> [u64; 6] {
    let (runs, seed) = (
        number("KGPU_SHUTTLE_RUNS", runs),
        number("KGPU_SHUTTLE_SEED", 1),
    );
    eprintln!("seed {seed}, {runs} random schedules");
    let scheduler = RandomScheduler::new_from_seed(seed, usize::try_from(runs).unwrap());
    let seen = std::sync::Arc::new(Seen::default());
    let in_runs = std::sync::Arc::clone(&seen);
    Runner::new(scheduler, Config::default()).run(move || life(rules, &in_runs));
    seen.all()
}

/// 3000 random schedules.
#[test]
fn each_request_completes_once_under_random_schedules() {
    let seen = random(Rules::ALL, 3000);
    eprintln!("by helper, by fallback, taken back, late, foreign, takeovers: {seen:?}");
    // Each of it in more than every hundredth run.
    let runs = number("KGPU_SHUTTLE_RUNS", 3000);
    assert!(seen.iter().all(|count| count * 100 > runs), "{seen:?}");
}

/// 1000 schedules with at most three changes of priority each: what few, ill-placed switches show.
#[test]
fn each_request_completes_once_under_few_switches() {
    let (runs, seed) = (
        number("KGPU_SHUTTLE_RUNS", 1000),
        number("KGPU_SHUTTLE_SEED", 1),
    );
    eprintln!("seed {seed}, {runs} schedules of three switches");
    let scheduler = PctScheduler::new_from_seed(seed, 3, usize::try_from(runs).unwrap());
    let seen = std::sync::Arc::new(Seen::default());
    let in_runs = std::sync::Arc::clone(&seen);
    Runner::new(scheduler, Config::default()).run(move || life(Rules::ALL, &in_runs));
    let seen = seen.all();
    eprintln!("by helper, by fallback, taken back, late, foreign, takeovers: {seen:?}");
    assert!(seen[..2].iter().all(|count| count * 100 > runs), "{seen:?}");
}

/// The proof that the model can fail: pool bytes of a request that was taken back are used again.
#[test]
#[should_panic(expected = "wrong bytes")]
fn without_quarantine_a_late_write_is_found() {
    let rules = Rules {
        quarantine: false,
        ..Rules::ALL
    };
    random(rules, 20_000);
}

/// And: a completion is believed for whatever its seat holds now.
#[test]
#[should_panic(expected = "wrong bytes")]
fn without_generations_a_late_completion_is_found() {
    let rules = Rules {
        generations: false,
        ..Rules::ALL
    };
    random(rules, 20_000);
}
