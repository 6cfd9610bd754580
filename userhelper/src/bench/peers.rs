//! `kgpu bench peers`: other implementations on this machine's processors, one core and all.
//!
//! Each thread has a key object and a buffer of its own; a run starts when all of them are ready.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kgpu_core::algorithm::{Mode, Output};
use kgpu_core::cpu::{CpuKey, Data, Work};
use kgpu_core::num::index;
use kgpu_core::request::Shape;
use kgpu_peers::{Peer, PeerError, PeerKey};

use super::args::{PeerArgs, TimeArgs};
use super::numbers::{best, gigabytes, median};
use super::progress::Progress;
use super::record::{Part, Record};
use super::subject::{SECTOR, Subject};
use super::through::{Broken, answer, fill};
use crate::cli::all_processors;
use crate::error::UserError;

/// Bytes that a thread computes between two looks at whether time is over.
const BUFFER: u32 = 1 << 20;
/// The name of our own CPU path in reports.
pub const OWN: &str = "kgpu-cpu";

/// Something that computes on a processor.
#[derive(Clone, Copy)]
enum Maker {
    Own,
    Library(&'static dyn Peer),
}

/// A key of it.
enum Key {
    Own(Box<dyn CpuKey>),
    Library(Box<dyn PeerKey>),
}

/// Why a peer could not be measured.
#[derive(Debug, thiserror::Error)]
enum PeerFailure {
    #[error("{0}")]
    Peer(#[from] PeerError),
    #[error("{0}")]
    Own(#[from] Broken),
    #[error("its answer is not the CPU path's")]
    Wrong,
}

impl Maker {
    fn name(self) -> &'static str {
        match self {
            Self::Own => OWN,
            Self::Library(peer) => peer.name(),
        }
    }

    fn offers(self, subject: &Subject) -> bool {
        match self {
            Self::Own => true,
            Self::Library(peer) => peer.offers(subject.algorithm, subject.key_len),
        }
    }

    fn key(self, subject: &Subject, number: u64) -> Result<Key, PeerFailure> {
        let key = subject.key(number);
        Ok(match self {
            Self::Own => Key::Own((subject.algorithm.cpu)(&key).map_err(Broken::Key)?),
            Self::Library(peer) => Key::Library(peer.open(subject.algorithm, &key, subject.op)?),
        })
    }
}

impl Key {
    /// Computes a request in place, or from `data` to `out` where the output has another length.
    fn run(
        &mut self,
        subject: &Subject,
        shape: &Shape,
        data: &mut [u8],
        out: &mut [u8],
    ) -> Result<(), PeerFailure> {
        match self {
            Self::Own(key) => {
                let work = Work {
                    op: shape.op,
                    data_unit_size: shape.data_unit_size,
                    iv_step: shape.iv_step,
                    iv: shape.iv,
                    first_block: 0,
                };
                let data = match subject.algorithm.output {
                    Output::SameAsInput => Data::InPlace(data),
                    Output::PerUnit(_) => Data::Apart {
                        src: data,
                        dst: out,
                    },
                };
                key.run(&work, data).map_err(Broken::Work)?;
                Ok(())
            }
            Self::Library(key) => Ok(kgpu_peers::request(
                key.as_mut(),
                subject.algorithm,
                shape,
                data,
            )?),
        }
    }
}

/// The request that peers are measured with: sectors where the mode has an IV for each of them and
/// disks use it so, else one unit of the whole buffer.
fn shape(subject: &Subject) -> Shape {
    let sectors = matches!(subject.algorithm.mode, Mode::Xts | Mode::Digest);
    let mut shape = subject.shape(BUFFER, 0);
    if sectors {
        shape.data_unit_size = SECTOR;
    } else {
        shape.data_unit_size = BUFFER;
        shape.iv_step = kgpu_core::abi::IvStep::None;
    }
    shape
}

/// Compares one request with our own CPU path.
fn check(maker: Maker, subject: &Subject, shape: &Shape) -> Result<u64, PeerFailure> {
    let mut data = vec![0; index(u64::from(shape.len))];
    fill(&mut data, 1);
    let expected = answer(subject, &subject.key(0), shape, &data)?;
    let mut out = vec![0; expected.len()];
    let mut key = maker.key(subject, 0)?;
    key.run(subject, shape, &mut data, &mut out)?;
    let same = match subject.algorithm.output {
        Output::SameAsInput => data == expected,
        Output::PerUnit(_) => out == expected,
    };
    if same {
        Ok(u64::try_from(expected.len()).unwrap_or(0))
    } else {
        Err(PeerFailure::Wrong)
    }
}

/// One run: GB/s over all threads.
fn run(
    maker: Maker,
    subject: &Subject,
    shape: &Shape,
    threads: usize,
    duration: Duration,
) -> Result<f64, PeerFailure> {
    let ready = Barrier::new(threads + 1);
    let over = AtomicBool::new(false);
    let work = |number: u64| -> Result<u64, PeerFailure> {
        let mut data = vec![0; index(u64::from(shape.len))];
        fill(&mut data, number);
        let mut out = vec![0; index(u64::from(shape.output_len(subject.algorithm).unwrap_or(0)))];
        let key = maker.key(subject, number).and_then(|mut key| {
            // The first request finds the processor's caches and clock cold.
            key.run(subject, shape, &mut data, &mut out).map(|()| key)
        });
        ready.wait();
        let (mut key, mut bytes) = (key?, 0);
        while !over.load(Ordering::Relaxed) {
            key.run(subject, shape, &mut data, &mut out)?;
            bytes += u64::from(shape.len);
        }
        Ok(bytes)
    };
    std::thread::scope(|scope| {
        let count = u64::try_from(threads).unwrap_or(1);
        let running: Vec<_> = (0..count)
            .map(|number| {
                let work = &work;
                scope.spawn(move || work(number))
            })
            .collect();
        ready.wait();
        let start = Instant::now();
        std::thread::sleep(duration);
        over.store(true, Ordering::Relaxed);
        let mut bytes = 0;
        for thread in running {
            match thread.join() {
                Ok(done) => bytes += done?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(gigabytes(bytes, start.elapsed()))
    })
}

/// The libraries that can be had, and what is missing.
#[must_use]
pub fn libraries() -> (Vec<&'static dyn Peer>, Vec<String>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for library in [kgpu_peers::openssl(), kgpu_peers::gcrypt()] {
        match library {
            Ok(peer) => {
                missing.extend(peer.lacks().map(|what| format!("{}: {what}", peer.name())));
                found.push(peer);
            }
            Err(error) => missing.push(error.to_string()),
        }
    }
    (found, missing)
}

/// The numbers of threads of a command line.
#[must_use]
pub fn threads(args: &PeerArgs) -> Vec<usize> {
    let mut threads = args.threads.clone();
    if threads.is_empty() {
        threads = vec![1, all_processors()];
    }
    threads.sort_unstable();
    threads.dedup();
    threads
}

/// Rates of every peer that offers a subject, and notes for people.
///
/// # Errors
/// [`UserError`]: a peer failed, or its answer is wrong.
pub fn measure(
    subjects: &[Subject],
    threads: &[usize],
    time: &TimeArgs,
    progress: &Progress,
) -> Result<(Vec<Record>, Vec<String>), UserError> {
    let (libraries, missing) = libraries();
    let makers = libraries.into_iter().map(Maker::Library);
    let makers: Vec<Maker> = makers.chain([Maker::Own]).collect();
    let cases = || {
        subjects.iter().flat_map(|subject| {
            let offering = makers.iter().filter(|maker| maker.offers(subject));
            offering.map(move |maker| (*subject, *maker))
        })
    };
    progress.expect(cases().count() * threads.len());
    let mut records = Vec::new();
    for (subject, maker) in cases() {
        let failed = |error: PeerFailure| {
            UserError::failure(
                format!("{}, {subject}: {error}", maker.name()),
                "leave the algorithm out with --algorithms; a wrong answer is a bug to report",
            )
        };
        let shape = shape(&subject);
        let checked = check(maker, &subject, &shape).map_err(failed)?;
        for &threads in threads {
            progress.step(&format!("{} {subject}, {threads} threads", maker.name()));
            let duration = Duration::from_secs_f64(time.seconds);
            let rates = (0..time.repeats)
                .map(|_| run(maker, &subject, &shape, threads, duration))
                .collect::<Result<Vec<f64>, _>>()
                .map_err(failed)?;
            records.push(Record {
                size: u64::from(shape.data_unit_size),
                threads,
                gigabytes: median(rates.clone()),
                best: best(&rates),
                checked,
                ..Record::new(Part::Peer, maker.name(), &subject)
            });
        }
    }
    Ok((records, missing))
}
