//! `kgpu bench throughput`, and the bursts of `kgpu bench crossover`: a backend behind the ring.
//!
//! `material` holds sources and answers, `requests` makes requests of them, `player` is the module's
//! side. One helper serves a whole run, as in real life: its region is as large as the largest case.

mod cases;
mod error;
mod material;
mod player;
mod requests;

use std::time::Duration;

pub use cases::Case;
pub use error::Broken;
pub use material::{Material, answer, fill};
pub use player::{Player, Ran};
pub use requests::{KeyPlace, Places, Request, Requests, sizes};

use super::args::{RequestArgs, ServedArgs, TimeArgs};
use super::numbers::{Histogram, best, float, gigabytes, median};
use super::progress::Progress;
use super::record::{CpuCost, Part, Record};
use super::subject::{SECTOR, Subject};
use crate::backend::CPU_NAME;
use crate::catalogue::Catalogue;
use crate::cli::all_processors;
use crate::engine::{Choice, LOOK, Tuning};
use crate::error::UserError;
use crate::rig::Rig;
use cases::{Plan, cases};

/// Depths of bursts: sectors queued at a flush.
const BURSTS: [u32; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// A helper that serves a run, and what is to be known to talk to it.
struct Served {
    rig: Rig,
    choice: Choice,
    args: ServedArgs,
}

impl Served {
    fn start(choice: &Choice, args: &ServedArgs, cases: &Plan) -> Result<Self, Broken> {
        let tile_bytes = choice.tile_bytes(args.tile_kib);
        let sizes = cases.iter().flat_map(|(subject, cases)| {
            cases
                .iter()
                .map(move |case| sizes(subject, case.size, case.depth, tile_bytes, args.in_place))
        });
        let keys = u32::try_from(cases.len()).unwrap_or(u32::MAX);
        let layout = requests::layout(sizes, keys)?;
        let tuning = Tuning {
            workers: args.workers.unwrap_or_else(all_processors),
            poll: Duration::from_micros(args.poll_us),
            look: LOOK,
        };
        let rig = Rig::start_on(
            choice.clone(),
            layout,
            Catalogue::registry(),
            tuning,
            tile_bytes,
        )?;
        Ok(Self {
            rig,
            choice: choice.clone(),
            args: *args,
        })
    }

    /// Puts a subject's key into its slot of the key table.
    fn key(&self, number: usize, subject: &Subject) -> KeyPlace {
        if !subject.algorithm.has_key() {
            return KeyPlace::default();
        }
        let place = KeyPlace {
            slot: u32::try_from(number).unwrap_or(u32::MAX),
            generation: 1,
        };
        let id = subject.algorithm.id.0;
        let module = &self.rig.module;
        module.store_key(place.slot, place.generation, id, &subject.key(0));
        place
    }

    fn requests<'a>(
        &self,
        subject: &Subject,
        case: Case,
        material: &'a Material,
        key: KeyPlace,
    ) -> Result<Requests<'a>, Broken> {
        Requests::new(
            subject,
            material,
            Places::new(subject, case.size, case.depth, self.args.in_place),
            case.depth,
            key,
            self.choice.tile_bytes(self.args.tile_kib),
            self.rig.module.region().session(),
        )
    }

    /// One pass over fresh sources, compared with the CPU path.
    fn pass(&mut self, requests: &Requests<'_>) -> Result<(), Broken> {
        requests.write(self.rig.module.lane())?;
        self.player(requests).burst()?;
        requests.compare(self.rig.module.lane())
    }

    fn player<'a>(&'a mut self, requests: &'a Requests<'a>) -> Player<'a> {
        let poll = Duration::from_micros(self.args.poll_us);
        Player::new(&mut self.rig, requests, poll)
    }

    fn end(self) -> Result<(), Broken> {
        self.rig.stop.drain();
        self.rig.join().map(|_| ()).map_err(Broken::Loop)
    }

    /// Rates and latencies of a case.
    fn steady(
        &mut self,
        requests: &Requests<'_>,
        time: &TimeArgs,
        record: &mut Record,
    ) -> Result<(), Broken> {
        let duration = Duration::from_secs_f64(time.seconds);
        self.pass(requests)?;
        if !requests.in_place() {
            requests.poison(self.rig.module.lane())?;
        }
        let mut latencies = Histogram::default();
        let mut runs = Vec::new();
        let mut player = self.player(requests);
        player.run(duration / 4, &mut Histogram::default())?;
        for _ in 0..time.repeats {
            runs.push(player.run(duration, &mut latencies)?);
        }
        // What was measured must have been right as well.
        if requests.in_place() {
            self.pass(requests)?;
        } else {
            requests.compare(self.rig.module.lane())?;
        }
        let bytes = |ran: &Ran| ran.requests * u64::from(requests.size);
        let rates: Vec<f64> = runs
            .iter()
            .map(|ran| gigabytes(bytes(ran), ran.elapsed))
            .collect();
        let per_gigabyte = |spent: &dyn Fn(&Ran) -> Duration| {
            let cost = |ran: &Ran| spent(ran).as_secs_f64() * 1e9 / float(bytes(ran).max(1));
            median(runs.iter().map(cost).collect())
        };
        record.gigabytes = median(rates.clone());
        record.best = best(&rates);
        record.p50_us = latencies.percentile(50).map(microseconds);
        record.p99_us = latencies.percentile(99).map(microseconds);
        record.by = self.computed_by(&runs);
        record.cpu = Some(CpuCost {
            helper: per_gigabyte(&|ran| ran.spent.others),
            submitter: per_gigabyte(&|ran| ran.spent.own),
        });
        record.checked = 2 * requests.result_bytes();
        Ok(())
    }

    /// The backend's name, and the CPU's where that computed some of it.
    fn computed_by(&self, runs: &[Ran]) -> String {
        let (name, sum) = (self.choice.name(), |of: fn(&Ran) -> u64| {
            runs.iter().map(of).sum()
        });
        let (all, by_cpu): (u64, u64) = (sum(|ran| ran.requests), sum(|ran| ran.by_cpu));
        match by_cpu {
            0 => name.to_owned(),
            n if n == all => CPU_NAME.to_owned(),
            _ if name == CPU_NAME => name.to_owned(),
            _ => format!("{name}+{CPU_NAME}"),
        }
    }

    /// Time of a burst from idle to the last completion.
    fn burst(
        &mut self,
        requests: &Requests<'_>,
        time: &TimeArgs,
        record: &mut Record,
    ) -> Result<(), Broken> {
        self.pass(requests)?;
        let mut times = Histogram::default();
        let mut player = self.player(requests);
        let mut bursts = Vec::new();
        let (mut spent, mut shortest) = (Duration::ZERO, Duration::MAX);
        // A burst is short, and there are many cases.
        let most = Duration::from_secs_f64(time.seconds / 4.0);
        while times.total() < u64::from(time.repeats) || (spent < most && times.total() < 1000) {
            let ran = player.burst()?;
            times.add(u64::try_from(ran.elapsed.as_nanos()).unwrap_or(u64::MAX));
            spent += ran.elapsed;
            shortest = shortest.min(ran.elapsed);
            bursts.push(ran);
        }
        let bytes = u64::from(requests.size) * record.depth;
        let p50 = times.percentile(50);
        record.gigabytes = gigabytes(bytes, Duration::from_nanos(p50.unwrap_or(0)));
        record.best = gigabytes(bytes, shortest);
        record.p50_us = p50.map(microseconds);
        record.p99_us = times.percentile(99).map(microseconds);
        record.by = self.computed_by(&bursts);
        record.checked = requests.result_bytes();
        Ok(())
    }
}

fn microseconds(ns: u64) -> f64 {
    float(ns) / 1000.0
}

/// What a run measures with.
#[derive(Debug)]
pub struct Bench<'a> {
    choice: &'a Choice,
    served: &'a ServedArgs,
    time: &'a TimeArgs,
    progress: &'a Progress,
}

impl<'a> Bench<'a> {
    /// Measures a backend.
    #[must_use]
    pub const fn new(
        choice: &'a Choice,
        served: &'a ServedArgs,
        time: &'a TimeArgs,
        progress: &'a Progress,
    ) -> Self {
        Self {
            choice,
            served,
            time,
            progress,
        }
    }

    /// Rates, latencies and processor time of every subject, size and depth, and notes for people.
    ///
    /// # Errors
    /// [`UserError`], with what to do next.
    pub fn throughput(
        &self,
        subjects: &[Subject],
        requests: &RequestArgs,
    ) -> Result<(Vec<Record>, Vec<String>), UserError> {
        let depths = |size| {
            requests
                .depths
                .iter()
                .map(move |&depth| Case { size, depth })
        };
        let wanted: Vec<Case> = requests
            .sizes
            .iter()
            .flat_map(|&size| depths(size))
            .collect();
        self.measure(Part::Throughput, subjects, &wanted)
    }

    /// Times of bursts of sectors, from one sector to as many as the ring usually holds.
    ///
    /// # Errors
    /// [`UserError`], with what to do next.
    pub fn bursts(&self, subjects: &[Subject]) -> Result<(Vec<Record>, Vec<String>), UserError> {
        let wanted = BURSTS.map(|depth| Case {
            size: SECTOR,
            depth,
        });
        self.measure(Part::Burst, subjects, &wanted)
    }

    /// Measures every case of every subject.
    fn measure(
        &self,
        part: Part,
        subjects: &[Subject],
        wanted: &[Case],
    ) -> Result<(Vec<Record>, Vec<String>), UserError> {
        let (all, cut) = cases(subjects, wanted, self.choice, self.served)?;
        let limit = self.served.pool_mib;
        let notes = cut
            .iter()
            .map(|cut| format!("depth cut to what --pool-mib {limit} holds: {cut}"))
            .collect();
        self.progress
            .expect(all.iter().map(|(_, cases)| cases.len()).sum());
        let mut server = Served::start(self.choice, self.served, &all).map_err(|error| {
            UserError::failure(
                format!("the helper could not be started: {error}"),
                "free memory, or give a smaller --pool-mib",
            )
        })?;
        let mut records = Vec::new();
        for (number, (subject, cases)) in all.iter().enumerate() {
            let key = server.key(number, subject);
            for same in cases.chunk_by(|a, b| a.size == b.size) {
                let (size, depth) = same
                    .last()
                    .map_or((SECTOR, 1), |case| (case.size, case.depth));
                let broken = |error: Broken| broken(subject, size, &error);
                let material = Material::new(subject, size, depth).map_err(broken)?;
                for case in same {
                    let what = format!("{} {subject}, {size} B x {}", part.name(), case.depth);
                    self.progress.step(&what);
                    let requests = server.requests(subject, *case, &material, key);
                    let requests = requests.map_err(broken)?;
                    let mut record = Record::new(part, server.choice.name(), subject);
                    record.size = u64::from(size);
                    record.depth = u64::from(case.depth);
                    if part == Part::Burst {
                        server.burst(&requests, self.time, &mut record)
                    } else {
                        server.steady(&requests, self.time, &mut record)
                    }
                    .map_err(broken)?;
                    records.push(record);
                }
            }
        }
        server.end().map_err(|error| {
            UserError::failure(
                format!("the helper ended in disorder: {error}"),
                "this is a bug to report",
            )
        })?;
        Ok((records, notes))
    }
}

fn broken(subject: &Subject, size: u32, error: &Broken) -> UserError {
    UserError::failure(
        format!("{subject}, {size} B: {error}"),
        "try smaller sizes or depths; a wrong answer is a bug to report",
    )
}
