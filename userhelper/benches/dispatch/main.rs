//! What ring and dispatcher cost per request when nothing is computed:
//! `cargo bench -p kgpu-userhelper --bench dispatch [-- SECONDS]`.
//!
//! First a backend that answers at once takes the place of a real one, so that a request costs what the
//! module's side, the ring, the checks, the key cache, the seats and the completions cost: the bound
//! on requests per second of any backend. Then the GPU backend over a model of a device (`model`): what the
//! host does there is real, the rest is a guess that shows where the host is what limits.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod model;

use std::sync::Arc;
use std::time::Duration;

use kgpu_core::abi::{IvStep, Layout, Op};
use kgpu_userhelper::backend::gpu::GpuTuning;
use kgpu_userhelper::backend::{Backend, CPU_CODE, CPU_NAME};
use kgpu_userhelper::bench::Subject;
use kgpu_userhelper::bench::numbers::{Histogram, float};
use kgpu_userhelper::bench::through::{KeyPlace, Material, Places, Player, Ran, Requests, sizes};
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::dispatcher::{Dispatcher, Parts};
use kgpu_userhelper::engine::{Choice, LOOK, Tuning};
use kgpu_userhelper::job::{Job, Outcome};
use kgpu_userhelper::rig::Rig;
use model::{ModelOpener, Speeds};

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

/// Starts a rig on a backend that computes nothing.
fn null(layout: Layout) -> Rig {
    Rig::serve(layout, 2, TILE, |ends| {
        let parts = Parts {
            region: ends.region,
            catalogue: Catalogue::registry(),
            backend: Null::default(),
            link: ends.link,
            waker: ends.waker,
            stop: ends.stop,
            poll: Duration::from_millis(1),
            look: LOOK,
        };
        Ok(Dispatcher::new(parts).run()?)
    })
    .unwrap()
}

/// Starts a rig on the GPU backend over a model.
fn modelled(layout: Layout, speeds: Speeds) -> Rig {
    let choice = Choice::Device {
        opener: Arc::new(ModelOpener(speeds)),
        tuning: GpuTuning::default(),
    };
    let tuning = Tuning {
        workers: 1,
        poll: Duration::from_millis(1),
        look: LOOK,
    };
    Rig::start_on(choice, layout, Catalogue::registry(), tuning, TILE).unwrap()
}

fn run(
    subject: &Subject,
    depth: u32,
    seconds: f64,
    rig: impl FnOnce(Layout) -> Rig,
) -> (Ran, Histogram) {
    let mut needed = sizes(subject, SIZE, depth, TILE, false);
    needed.pool_bytes = needed.pool_bytes.next_multiple_of(4096);
    let mut rig = rig(Layout::new(needed).unwrap());
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
    let duration = Duration::from_secs_f64(seconds);
    player.run(duration / 4, &mut Histogram::default()).unwrap();
    let mut latencies = Histogram::default();
    let runs = (0..5).map(|_| player.run(duration, &mut latencies).unwrap());
    let best = runs.max_by(|a, b| rate(a).total_cmp(&rate(b))).unwrap();
    rig.stop.drain();
    rig.join().unwrap();
    (best, latencies)
}

fn rate(ran: &Ran) -> f64 {
    float(ran.requests) / ran.elapsed.as_secs_f64()
}

fn main() {
    let seconds = std::env::args().filter_map(|word| word.parse().ok()).next();
    let algorithm = kgpu_algos::all()
        .iter()
        .find(|a| a.device.is_some() && a.has_key() && a.steps(IvStep::Le64))
        .expect("an algorithm with kernels, a key and an IV");
    let subject = Subject {
        algorithm,
        key_len: kgpu_userhelper::bench::usual_key(algorithm),
        op: Op::Decrypt,
    };
    let seconds = seconds.unwrap_or(0.2);
    println!("nothing is computed:");
    table(|depth| run(&subject, depth, seconds, null));
    // An H200 as it was measured (docs/benchmarks.md), once with calls that cost nothing.
    let h200 = Speeds {
        copy: 50.0,
        direct: 41.9,
        kernel: 600.0,
        latency: Duration::from_micros(8),
        call: Duration::from_nanos(1500),
        ask: Duration::from_nanos(400),
    };
    println!("\nGPU backend over a model of a device:");
    table(|depth| run(&subject, depth, seconds, |layout| modelled(layout, h200)));
    let ideal = Speeds {
        copy: 1e6,
        direct: 1e6,
        kernel: 1e6,
        latency: Duration::ZERO,
        call: Duration::ZERO,
        ask: Duration::ZERO,
    };
    println!("\nGPU backend over a device that takes no time:");
    table(|depth| run(&subject, depth, seconds, |layout| modelled(layout, ideal)));
}

fn table(run: impl Fn(u32) -> (Ran, Histogram)) {
    println!("depth  requests/s    GB/s  ns/request  helper cpu ns  submitter cpu ns  p50 us");
    for depth in [1, 8, 64, 256, 1024] {
        let (ran, latencies) = run(depth);
        let per = |time: Duration| time.as_secs_f64() * 1e9 / float(ran.requests);
        println!(
            "{depth:5}  {:10.0}  {:6.2}  {:10.1}  {:13.1}  {:16.1}  {:6.1}",
            rate(&ran),
            rate(&ran) * f64::from(SIZE) / 1e9,
            per(ran.elapsed),
            per(ran.spent.others),
            per(ran.spent.own),
            float(latencies.percentile(50).unwrap_or(0)) / 1e3
        );
    }
}
