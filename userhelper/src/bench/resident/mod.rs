//! `kgpu bench device`: kernels over data that is in the device's memory already, and copies.
//!
//! `work` lays launches out with the backend's own code, `bed` runs and times them. Times are the
//! host's, over launches that fill `--seconds` back to back: what a single launch costs the host is
//! hidden behind the one before it.

mod bed;
#[cfg(test)]
mod tests;
mod work;

use std::time::Duration;

use kgpu_core::algorithm::Output;
use kgpu_core::cpu::Data;
use kgpu_core::num::index;

use super::args::{ResidentArgs, TimeArgs};
use super::numbers::{best, gigabytes, median};
use super::progress::Progress;
use super::record::{Part, Record};
use super::subject::Subject;
use super::through::fill;
use crate::backend::gpu::{DeviceError, Opener};
use crate::cli::all_processors;
use crate::engine::DEVICE_TILE_BYTES;
use crate::error::UserError;
use crate::job::Job;
use bed::{Bed, Way};
use work::{Requests, Unfit, Work};

/// Bytes of the random pattern that the source repeats.
const PATTERN: u64 = 64 << 20;
/// Bytes of the pool: half of it is copied.
const HOST: u64 = 256 << 20;
/// Of results beyond the pattern's length one tile in so many is compared.
const SAMPLED: usize = 61;
/// Bytes of a large request.
const REQUEST: u64 = 64 << 20;
/// Bytes of a tile as the ring cuts large requests for a device.
const TILE: u32 = DEVICE_TILE_BYTES;
/// Bytes of a request where each has another key.
const KEYED: u32 = 64 << 10;
/// Bytes of a sector.
const SECTOR: u32 = 4 << 10;

/// The cases: large requests, sectors, and many keys.
fn cases(bytes: u64, keys: u32) -> Vec<Requests> {
    let count = |size: u64| u32::try_from((bytes / size).max(1)).unwrap_or(u32::MAX);
    let large = bytes.min(REQUEST);
    let keys = keys.min(count(u64::from(KEYED)));
    vec![
        Requests {
            size: u32::try_from(large).unwrap_or(u32::MAX),
            count: count(large),
            tile_bytes: TILE,
            keys: 1,
        },
        Requests {
            size: SECTOR,
            count: count(u64::from(SECTOR)),
            tile_bytes: TILE,
            keys: 1,
        },
        Requests {
            size: KEYED,
            count: keys,
            tile_bytes: TILE,
            keys,
        },
    ]
}

/// What stops a case.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Device(#[from] DeviceError),
    #[error("{0}")]
    Unfit(#[from] Unfit),
    #[error("the tile at byte {0} came back wrong")]
    Wrong(u64),
}

/// What is measured with.
struct Run<'a> {
    bed: Bed,
    pattern: Vec<u8>,
    time: &'a TimeArgs,
}

/// The bytes of a job in the repeated pattern.
fn source<'a>(pattern: &'a [u8], job: &Job) -> &'a [u8] {
    // Its place is that of its result.
    let from = index(job.span.dst) % pattern.len().max(1);
    let to = from + index(u64::from(job.span.len));
    pattern.get(from..to).unwrap_or_default()
}

/// The CPU path's answers to jobs, computed on all cores.
fn answers(pattern: &[u8], jobs: &[&Job]) -> Vec<Vec<u8>> {
    let one = |job: &&Job| {
        let mut out = vec![0; index(u64::from(job.span.dst_len))];
        let data = Data::Apart {
            src: source(pattern, job),
            dst: &mut out,
        };
        // What the CPU refuses has no bytes, and so is found to differ.
        if job.key.key.run(&job.work, data).is_err() {
            out.clear();
        }
        out
    };
    let share = jobs.len().div_ceil(all_processors()).max(1);
    std::thread::scope(|scope| {
        let running: Vec<_> = jobs
            .chunks(share)
            .map(|jobs| scope.spawn(move || jobs.iter().map(one).collect::<Vec<_>>()))
            .collect();
        let joined = running.into_iter().map(|thread| match thread.join() {
            Ok(answers) => answers,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    })
}

impl Run<'_> {
    /// Launches once and compares: all results up to the pattern's length, samples of the rest.
    fn check(&mut self, work: &Work, loaded: &bed::Loaded, on_host: bool) -> Result<u64, Failure> {
        self.bed.wipe()?;
        if on_host {
            // Loading went through the pool.
            self.bed.write_host(&self.pattern)?;
        }
        self.bed.launch(loaded, 1)?;
        let all = u64::try_from(self.pattern.len()).unwrap_or(u64::MAX);
        let compared = work.jobs.iter().enumerate();
        let compared = compared.filter(|(i, job)| job.span.dst < all || i % SAMPLED == 0);
        let jobs: Vec<&Job> = compared.map(|(_, job)| job).collect();
        let mut checked = 0;
        for some in jobs.chunks(4096) {
            for (job, expected) in some.iter().zip(answers(&self.pattern, some)) {
                let (at, len) = (job.span.dst, job.span.dst_len);
                let same = |out: &[u8]| out == expected;
                let same = if on_host {
                    self.bed.host_result(at, len, same)?
                } else {
                    self.bed.result(at, len, same)?
                };
                if !same {
                    return Err(Failure::Wrong(at));
                }
                checked += u64::from(len);
            }
        }
        Ok(checked)
    }

    /// Rates of a thing that moves `bytes` bytes each time.
    fn rates(
        &mut self,
        bytes: u64,
        mut run: impl FnMut(&mut Bed, u32) -> Result<Duration, DeviceError>,
    ) -> Result<Vec<f64>, DeviceError> {
        let duration = Duration::from_secs_f64(self.time.seconds);
        run(&mut self.bed, 1)?;
        let once = run(&mut self.bed, 1)?;
        let times = bed::times(once, duration);
        (0..self.time.repeats)
            .map(|_| {
                let elapsed = run(&mut self.bed, times)?;
                Ok(gigabytes(bytes * u64::from(times), elapsed))
            })
            .collect()
    }

    /// A case of a subject.
    fn launch(
        &mut self,
        by: &str,
        subject: &Subject,
        requests: &Requests,
        on_host: bool,
    ) -> Result<Record, Failure> {
        let places = if on_host {
            self.bed.on_host()
        } else {
            self.bed.resident()
        };
        let card = self.bed.card();
        let work = Work::new(subject, requests, places, &card, |entry| {
            self.bed.blocks(entry)
        })?;
        let loaded = self.bed.load(&work)?;
        let checked = self.check(&work, &loaded, on_host)?;
        let rates = self.rates(requests.bytes(), |bed, times| bed.launch(&loaded, times))?;
        Ok(Record {
            size: u64::from(requests.size.min(requests.tile_bytes)),
            depth: u64::try_from(work.jobs.len()).unwrap_or(0),
            keys: u64::from(requests.keys),
            gigabytes: median(rates.clone()),
            best: best(&rates),
            checked,
            ..Record::new(Part::Device, by, subject)
        })
    }

    /// Copies of half the pool.
    fn copy(&mut self, way: Way, name: &str, subject: &Subject) -> Result<Record, Failure> {
        let bytes = self.bed.half().min(self.bed.bytes());
        let rates = self.rates(bytes, |bed, times| bed.copy(way, times))?;
        Ok(Record {
            algorithm: "",
            key_bits: 0,
            op: String::new(),
            size: bytes,
            keys: 0,
            gigabytes: median(rates.clone()),
            best: best(&rates),
            ..Record::new(Part::Copy, name, subject)
        })
    }
}

/// Rates of copies, and of every subject's kernels; notes for people.
///
/// # Errors
/// [`UserError`]: the device failed, or an answer is wrong.
pub fn measure(
    subjects: &[Subject],
    opener: &dyn Opener,
    args: &ResidentArgs,
    time: &TimeArgs,
    progress: &Progress,
) -> Result<(Vec<Record>, Vec<String>), UserError> {
    let wanted = u64::from(args.device_mib) << 20;
    let (records, bytes) = over(subjects, opener, wanted, args.device_keys, time, progress)?;
    let mut notes = Vec::new();
    if bytes < wanted {
        notes.push(format!(
            "the device has memory for {} MiB instead of --device-mib {}",
            bytes >> 20,
            args.device_mib
        ));
    }
    for subject in subjects.iter().filter(|s| s.algorithm.device.is_none()) {
        let note = format!("{}: no kernels for a device", subject.algorithm.name);
        notes.push(note);
    }
    Ok((records, notes))
}

fn failed(what: String, error: &dyn std::fmt::Display) -> UserError {
    UserError::failure(
        format!("{what}: {error}"),
        "look at `nvidia-smi` and `dmesg`; a wrong answer is a bug to report",
    )
}

/// As [`measure`], over `wanted` bytes. The second result is over how many it was.
fn over(
    subjects: &[Subject],
    opener: &dyn Opener,
    wanted: u64,
    keys: u32,
    time: &TimeArgs,
    progress: &Progress,
) -> Result<(Vec<Record>, u64), UserError> {
    let all = kgpu_algos::all();
    let bed = Bed::open(opener, all, wanted, HOST.min(wanted * 2))
        .map_err(|error| failed(opener.describe(), &error))?;
    let bytes = bed.bytes();
    let mut pattern = vec![0; index(PATTERN.min(bytes).min(bed.half()))];
    fill(&mut pattern, 1);
    let mut run = Run { bed, pattern, time };
    let pattern = run.pattern.clone();
    let filled = run.bed.fill(&pattern);
    filled.map_err(|error| failed(opener.describe(), &error))?;
    let cases = cases(bytes, keys);
    let kernels = |subject: &&Subject| subject.algorithm.device.is_some();
    progress.expect(subjects.iter().filter(kernels).count() * cases.len() + 4);
    let mut records = Vec::new();
    let Some(any) = subjects.first() else {
        return Ok((records, bytes));
    };
    for (way, name) in [
        (Way::In, "copy to device"),
        (Way::Out, "copy to host"),
        (Way::Both, "copy both ways (each way)"),
    ] {
        progress.step(name);
        let record = run.copy(way, name, any);
        records.push(record.map_err(|error| failed(name.to_owned(), &error))?);
    }
    // Copying overwrote the source.
    let filled = run.bed.fill(&pattern);
    filled.map_err(|error| failed(opener.describe(), &error))?;
    for subject in subjects.iter().filter(kernels) {
        for case in &cases {
            progress.step(&format!("device {subject}, {} keys", case.keys));
            let record = run.launch(opener.name(), subject, case, false);
            records.push(record.map_err(|error| failed(subject.to_string(), &error))?);
        }
    }
    let last = on_host(&mut run, subjects, &records, progress);
    records.extend(last.map_err(|(what, error)| failed(what, &error))?);
    Ok((records, bytes))
}

/// The fastest cipher's kernel once more, on the host's memory: one that writes as much as it reads.
fn on_host(
    run: &mut Run<'_>,
    subjects: &[Subject],
    records: &[Record],
    progress: &Progress,
) -> Result<Option<Record>, (String, Failure)> {
    let kernels = records
        .iter()
        .filter(|r| r.part == Part::Device && r.keys == 1)
        .filter(|r| {
            let of = subjects.iter().find(|subject| r.is_of(subject));
            of.is_some_and(|subject| subject.algorithm.output == Output::SameAsInput)
        });
    let fastest = kernels.max_by(|a, b| a.gigabytes.total_cmp(&b.gigabytes));
    let fastest = fastest.and_then(|r| subjects.iter().find(|subject| r.is_of(subject)));
    let Some(subject) = fastest else {
        return Ok(None);
    };
    let half = run
        .bed
        .half()
        .min(u64::try_from(run.pattern.len()).unwrap_or(0));
    let requests = Requests {
        size: u32::try_from(half).unwrap_or(u32::MAX),
        count: 1,
        tile_bytes: TILE,
        keys: 1,
    };
    progress.step("kernels on the host's memory");
    let record = run
        .launch("", subject, &requests, true)
        .map_err(|error| (format!("{subject}, on the host's memory"), error))?;
    Ok(Some(Record {
        part: Part::Copy,
        by: "kernel on host memory".to_owned(),
        size: requests.bytes(),
        ..record
    }))
}
