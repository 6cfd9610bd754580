//! A fuzzer of the device that knows its ABI: random calls from processes and threads that share descriptors and
//! mappings, with and without the capability. Calls are counted by kind and result; what they did to the kernel its
//! log tells, and the suite's requests beside them.

mod files;
mod kinds;
mod memory;
mod random;
mod raw;
mod steps;
mod tally;

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::io::Errno;

use self::kinds::Kind;
use self::random::Random;
use self::raw::{Arena, Ended};
use self::steps::{Shared, Stepper, sizes_of};
use self::tally::Tally;
use kgpu_guest::device::{attach, handshake, open};

/// Processes at a time; one more than can have the device.
const PROCESSES: u64 = 2;
/// Threads of each.
const THREADS: u64 = 3;
/// Steps of each thread, before a new process begins with nothing open.
const STEPS: u64 = 600;
/// Longest that a process may take, and that the last ones may after the run's end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Options of `fuzz`.
#[derive(Debug, Args)]
pub struct Options {
    /// How long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The same seed makes the same calls, as far as one thread's order goes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Start as root, open the device, attach every other time, then give up all privileges before the first call
    #[arg(long)]
    unprivileged: bool,
    /// Started without privileges: nothing may be opened
    #[arg(long, conflicts_with = "unprivileged")]
    refused: bool,
}

impl Options {
    /// Whether there are sessions at all: a program's own, or one that root attached before.
    const fn attaches(&self) -> bool {
        !self.refused && (!self.unprivileged || self.seed.is_multiple_of(2))
    }
}

/// Why there was no run.
#[derive(Debug)]
pub struct Trouble(&'static str, Option<Errno>);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(errno) => write!(f, "{}: {errno}", self.0),
            None => f.write_str(self.0),
        }
    }
}

fn trouble(what: &'static str) -> impl FnOnce(Errno) -> Trouble {
    move |errno| Trouble(what, Some(errno))
}

/// What the processes begin with.
#[derive(Debug)]
struct Start {
    device: Option<OwnedFd>,
    sizes: [u64; 3],
    arena: Arena,
    tally: Tally,
}

/// Runs it; whether nothing was found that the program itself can see.
///
/// # Errors
/// [`Trouble`]: it could not begin.
pub fn run(options: &Options) -> Result<bool, Trouble> {
    let mut start = Start {
        device: None,
        sizes: [4096, 4096, 1 << 20],
        arena: Arena::new().map_err(trouble("mmap of the arena"))?,
        tally: Tally::new().map_err(trouble("mmap of the counters"))?,
    };
    if options.attaches() {
        through(options, &mut start)?;
    }
    if options.unprivileged {
        open_as_root(options, &mut start)?;
        raw::drop_privileges().map_err(|call| Trouble(call, None))?;
    }
    let ends = processes(options, &start)?;
    for line in start.tally.lines() {
        println!("{line}");
    }
    Ok(judge(options, start.tally, &ends))
}

/// What an unprivileged run begins with: the device open, and attached every other time.
fn open_as_root(options: &Options, start: &mut Start) -> Result<(), Trouble> {
    let device = open().map_err(trouble("open as root"))?;
    if options.attaches() {
        let until = Instant::now() + PATIENCE;
        let mut answer = handshake();
        // The session before may still be going.
        while let Err(errno) = attach(&device, &mut answer) {
            if Instant::now() > until {
                return Err(Trouble("attach as root", Some(errno)));
            }
            thread::sleep(Duration::from_millis(20));
            answer = handshake();
        }
        start.sizes = sizes_of(&answer);
    }
    start.device = Some(device);
    Ok(())
}

/// What has to succeed in a run that may attach, in an order in which it can.
const THROUGH: [Kind; 5] = [
    Kind::MapPart,
    Kind::Start,
    Kind::Kick,
    Kind::Peek,
    Kind::StoreWord,
];

/// A process of its own that tries each of [`THROUGH`] until it succeeds, with a session of its own: whether one at random
/// does depends on how many there are in the time, and on how soon one detaches.
fn through(options: &Options, start: &mut Start) -> Result<(), Trouble> {
    let mut kinds = Vec::new();
    if options.unprivileged {
        open_as_root(options, start)?;
    } else {
        kinds.extend([Kind::Open, Kind::Attach]);
    }
    kinds.extend(THROUGH);
    let child = raw::spawn(|| {
        if !options.unprivileged || raw::drop_privileges().is_ok() {
            let shared = shared(start);
            stepper(start, &shared, options.seed).insist(&kinds);
        }
    })
    .map_err(trouble("fork"))?;
    let _ended = raw::wait(child, true);
    start.device = None;
    Ok(())
}

/// How many processes ended how.
#[derive(Debug, Default)]
struct Ends {
    well: u64,
    killed: u64,
    otherwise: Vec<Ended>,
    stuck: u64,
}

fn processes(options: &Options, start: &Start) -> Result<Ends, Trouble> {
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let mut seeds = Random::new(options.seed);
    let mut ends = Ends::default();
    let mut running: Vec<(i32, Instant)> = Vec::new();
    loop {
        let more = Instant::now() < end;
        while more && running.len() < usize::try_from(PROCESSES).unwrap_or(1) {
            let seed = seeds.next();
            let child = raw::spawn(|| process(start, seed)).map_err(trouble("fork"))?;
            running.push((child, Instant::now()));
        }
        running.retain(|(child, since)| {
            let late = since.elapsed() > PATIENCE;
            if late {
                raw::kill(*child);
                thread::sleep(Duration::from_secs(10));
            }
            match raw::wait(*child, false) {
                // Not even SIGKILL ended it: a call of its does not return.
                None if late => ends.stuck += 1,
                None => return true,
                Some(Ended::Status(0)) => ends.well += 1,
                Some(Ended::Signal(libc::SIGKILL)) => ends.killed += 1,
                Some(other) => ends.otherwise.push(other),
            }
            false
        });
        if !more && running.is_empty() {
            return Ok(ends);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// One process: threads that share descriptors and the arena.
fn process(start: &Start, seed: u64) {
    let shared = shared(start);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let mut stepper = stepper(start, &shared, seed ^ (number << 56));
            scope.spawn(move || {
                for _ in 0..STEPS {
                    stepper.step();
                }
            });
        }
    });
}

fn shared(start: &Start) -> Shared {
    let fd = start.device.as_ref().map_or(-1, AsRawFd::as_raw_fd);
    Shared::new(fd, start.sizes)
}

fn stepper<'a>(start: &Start, shared: &'a Shared, seed: u64) -> Stepper<'a> {
    Stepper {
        random: Random::new(seed),
        arena: start.arena,
        shared,
        tally: start.tally,
    }
}

/// Prints a check a line; whether all passed.
fn judge(options: &Options, tally: Tally, ends: &Ends) -> bool {
    let mut passed = true;
    let mut check = |name: String, holds: bool, found: String| {
        passed &= holds;
        if holds {
            println!("pass {name}: {found}");
        } else {
            println!("fail {name} # {found}");
        }
    };
    let total: u64 = Kind::ALL.iter().map(|(kind, _)| tally.made(*kind)).sum();
    let missing: Vec<Kind> = Kind::ALL
        .iter()
        .map(|(kind, _)| *kind)
        .filter(|kind| *kind != Kind::ChildSignal && tally.made(*kind) == 0)
        .collect();
    check(
        "every kind of call was made".into(),
        missing.is_empty(),
        format!(
            "{total} calls by {} processes, none of {missing:?}",
            ends.well
        ),
    );
    check(
        "no error number that no program must see".into(),
        tally.internal() == 0,
        tally.internal().to_string(),
    );
    check(
        "no call hung, and no process ended but by itself".into(),
        ends.stuck + ends.killed == 0 && ends.otherwise.is_empty(),
        format!("{ends:?}"),
    );
    let opened = tally.succeeded(Kind::Open);
    let attached = tally.succeeded(Kind::Attach) + tally.succeeded(Kind::AttachSpoiled);
    if options.unprivileged || options.refused {
        check(
            "nothing was opened without the capability".into(),
            opened == 0,
            opened.to_string(),
        );
        check(
            "nothing was attached without the capability".into(),
            attached == 0,
            attached.to_string(),
        );
    } else {
        check(
            "the device was opened and attached".into(),
            opened > 0 && attached > 0,
            format!("{opened}, {attached}"),
        );
    }
    if options.attaches() {
        let deep = THROUGH.map(|kind| tally.succeeded(kind));
        check(
            format!("calls of {THROUGH:?} got through"),
            deep.iter().all(|count| *count > 0),
            format!("{deep:?}"),
        );
    }
    passed
}
