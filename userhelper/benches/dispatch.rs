//! What ring and dispatcher cost per request when nothing is computed:
//! `cargo bench -p kgpu-userhelper --bench dispatch [-- SECONDS]`.
//!
//! A backend that answers at once takes the place of a real one, so that a request costs what the
//! module's side, the ring, the checks, the key cache, the seats and the completions cost: the bound
//! on requests per second of any backend.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use kgpu_core::abi::{IvStep, Op};
use kgpu_userhelper::backend::{Backend, CPU_CODE, CPU_NAME};
use kgpu_userhelper::bench::Subject;
use kgpu_userhelper::bench::numbers::{Histogram, float};
use kgpu_userhelper::bench::through::{KeyPlace, Material, Places, Player, Ran, Requests, sizes};
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::dispatcher::{Dispatcher, Parts};
use kgpu_userhelper::job::{Job, Outcome};
use kgpu_userhelper::rig::Rig;

/// Bytes of a request: a sector, one tile.
const SIZE: u32 = 4096;
const TILE: u32 = 64 << 10;

/// Computes nothing.
#[derive(Debug, Default)]
struct Null {
    done: Vec<Outcome>,
}

impl Backend for Null {
    fn name(&self) -> &'static str {
        CPU_NAME
    }
    fn code(&self) -> u16 {
        CPU_CODE
    }
    fn submit(&mut self, jobs: &mut Vec<Job>) {
        let outcomes = jobs.drain(..).map(|job| job.outcome(Ok(()), CPU_CODE));
        self.done.extend(outcomes);
    }
    fn hungry(&self) -> bool {
        true
    }
    fn collect(&mut self, done: &mut Vec<Outcome>) {
        done.append(&mut self.done);
    }
    fn pending(&self) -> usize {
        0
    }
    fn ready(&self) -> bool {
        !self.done.is_empty()
    }
}

fn run(subject: &Subject, depth: u32, seconds: f64) -> Ran {
    let mut needed = sizes(subject, SIZE, depth, TILE, false);
    needed.pool_bytes = needed.pool_bytes.next_multiple_of(4096);
    let layout = kgpu_core::abi::Layout::new(needed).unwrap();
    let mut rig = Rig::serve(layout, 2, TILE, |ends| {
        let parts = Parts {
            region: ends.region,
            catalogue: Catalogue::registry(),
            backend: Null::default(),
            link: ends.link,
            waker: ends.waker,
            stop: ends.stop,
            poll: Duration::from_millis(1),
        };
        Ok(Dispatcher::new(parts).run()?)
    })
    .unwrap();
    let key = KeyPlace {
        slot: 0,
        generation: 1,
    };
    rig.module.store_key(
        key.slot,
        key.generation,
        subject.algorithm.id.0,
        &subject.key(0),
    );
    let material = Material::new(subject, SIZE, depth).unwrap();
    let places = Places::new(subject, SIZE, depth, false);
    let session = rig.module.region().session();
    let requests = Requests::new(subject, &material, places, depth, key, TILE, session).unwrap();
    let mut player = Player::new(&mut rig, &requests, Duration::from_millis(1));
    let mut latencies = Histogram::default();
    let duration = Duration::from_secs_f64(seconds);
    player.run(duration / 4, &mut latencies).unwrap();
    let runs = (0..5).map(|_| player.run(duration, &mut latencies).unwrap());
    let best = runs.max_by(|a, b| rate(a).total_cmp(&rate(b))).unwrap();
    rig.stop.drain();
    rig.join().unwrap();
    best
}

fn rate(ran: &Ran) -> f64 {
    float(ran.requests) / ran.elapsed.as_secs_f64()
}

fn main() {
    let seconds = std::env::args().filter_map(|word| word.parse().ok()).next();
    let algorithm = kgpu_algos::all()
        .iter()
        .find(|a| a.has_key() && a.steps(IvStep::Le64))
        .expect("an algorithm with a key and an IV");
    let subject = Subject {
        algorithm,
        key_len: kgpu_userhelper::bench::usual_key(algorithm),
        op: Op::Decrypt,
    };
    println!("depth  requests/s  ns/request  dispatcher cpu ns  submitter cpu ns  (best of 5)");
    for depth in [1, 8, 64, 256, 1024] {
        let ran = run(&subject, depth, seconds.unwrap_or(0.2));
        let per = |time: Duration| time.as_secs_f64() * 1e9 / float(ran.requests);
        println!(
            "{depth:5}  {:10.0}  {:10.1}  {:17.1}  {:16.1}",
            rate(&ran),
            per(ran.elapsed),
            per(ran.spent.others),
            per(ran.spent.own)
        );
    }
}
