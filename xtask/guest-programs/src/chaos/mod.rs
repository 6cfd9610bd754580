//! `kgpu-guest chaos`: faults at random moments under load, until enough have counted.
//!
//! It prints to the results port a line for each fault and one for the whole; judging them is the
//! host's business. The loads, helpers and the module are there when it starts but for what it starts
//! itself: see `chaos.sh`.

mod counters;
mod detection;
mod helpers;
pub mod hog;
mod load;
mod plan;
mod strikes;
mod watch;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Args;

use counters::Counters;
use load::{Load, Target};
use plan::{Kind, Plan, Step};
use strikes::{Field, Outcome};
use watch::{PATIENCE, Trouble, Watch};

/// A planned fault that hits nothing is tried again so often.
const TRIES: u32 = 20;
/// How often progress is told.
const NEWS: Duration = Duration::from_secs(30);

/// Options of `chaos`.
#[derive(Debug, Args)]
pub struct Options {
    /// Faults that must count
    #[arg(long, default_value_t = 0)]
    faults: u64,
    /// Everything that is random follows from it
    #[arg(long)]
    seed: u64,
    /// The module's deadline
    #[arg(long)]
    deadline_ms: u64,
    /// Give up after so many seconds
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Kinds of faults
    #[arg(long, value_enum, value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Block devices under load
    #[arg(long)]
    device: Vec<PathBuf>,
    /// Folders under load
    #[arg(long)]
    folder: Vec<PathBuf>,
    /// The sample caller as well
    #[arg(long)]
    sample: bool,
    /// No faults, but helpers with wrong data, with the module's `recheck` set to this
    #[arg(long)]
    detection: Option<u64>,
    /// So many of them
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Where the lines for the host go
    #[arg(long)]
    results: PathBuf,
}

/// Lines for the host, each written at once.
#[derive(Debug)]
struct Results(File);

impl Results {
    fn line(&mut self, text: &str) {
        println!("{text}");
        // Without the port the run has no result, which the host sees.
        let _lost = self.0.write_all(format!("@@ {text}\n").as_bytes());
    }
}

/// Strikes until enough faults have counted; `false` when something went wrong, which the lines tell.
///
/// # Errors
/// When the results can't be written.
pub fn run(options: &Options) -> io::Result<bool> {
    let mut results = Results(File::options().append(true).open(&options.results)?);
    if let Some(one_in) = options.detection {
        let found = detection::run(one_in, options.rounds, options.seed, &mut results);
        if let Err(trouble) = &found {
            results.line(&format!("not ok - wrong data, one in {one_in} # {trouble}"));
        }
        return Ok(found.is_ok());
    }
    let kinds = &options.kinds;
    let targets: Vec<Target> = options
        .device
        .iter()
        .map(|path| Target::Device(path.clone()))
        .chain(options.folder.iter().cloned().map(Target::Folder))
        .collect();
    let start = Instant::now();
    let mut load = Load::start(&targets, options.seed, options.sample);
    // This thread and the helpers that it starts need not wait for the load to let them run.
    let _refused = rustix::process::nice(-10);
    let plan = Plan::new(options.seed, kinds);
    let field = Field::new(
        plan.first(),
        options.seed,
        Duration::from_millis(options.deadline_ms),
        kinds.contains(&Kind::Pressure),
    );
    let (mut lost, mut unplanned) = (0, 0);
    match field {
        Ok(mut field) => {
            let struck = strike_all(options, plan, &mut field, &load, &mut results);
            if let Err(trouble) = struck {
                // Other requests may well go on; then it is another fault than a loss.
                lost += u64::from(field.watch.pause() >= PATIENCE);
                results.line(&format!("not ok - chaos # {trouble}"));
                for line in field.dump().lines() {
                    results.line(&format!("note {line}"));
                }
            }
            unplanned = field.unplanned;
            if !load.finish() {
                lost += 1;
                results.line("not ok - the load comes to its end # a round hangs");
                for line in field.dump().lines() {
                    results.line(&format!("note {line}"));
                }
            }
            field.end();
        }
        Err(trouble) => {
            results.line(&format!("not ok - a first helper serves # {trouble}"));
            load.finish();
        }
    }
    let clean = load.findings.is_clean() && lost == 0;
    conclude(&load, lost, unplanned, start.elapsed(), &mut results);
    Ok(clean)
}

/// Most steps that are planned ahead.
const AHEAD: usize = 64;

fn strike_all(
    options: &Options,
    plan: Plan,
    field: &mut Field,
    load: &Load,
    results: &mut Results,
) -> Result<(), Trouble> {
    let (start, mut news) = (Instant::now(), Instant::now());
    let limit = Duration::from_secs(options.seconds);
    let mut counted = 0;
    let mut plan = plan;
    let mut ahead: VecDeque<Step> = VecDeque::new();
    loop {
        // As far ahead as the next change of helpers, if the kinds that were asked for have one.
        while ahead.len() < AHEAD && !ahead.iter().any(|step| step.kind.ends_session()) {
            let Some(step) = plan.next() else { break };
            ahead.push_back(step);
        }
        if let Some(ending) = ahead.iter().find(|step| step.kind.ends_session()) {
            field.prepare(ending)?;
        }
        let Some(step) = ahead.pop_front() else {
            return Ok(());
        };
        for attempt in 1..=TRIES {
            if counted >= options.faults || start.elapsed() > limit || !load.findings.is_clean() {
                return Ok(());
            }
            let outcome = field
                .strike(&step)
                .map_err(|trouble| named(&step, &trouble))?;
            results.line(&line_of(counted, attempt, &step, &outcome));
            if outcome.in_flight > 0 {
                counted += 1;
                break;
            }
        }
        if news.elapsed() > NEWS {
            news = Instant::now();
            results.line(&format!(
                "note {counted} faults in {} s",
                start.elapsed().as_secs()
            ));
        }
    }
}

fn named(step: &Step, trouble: &Trouble) -> Trouble {
    let text = format!("{} at {}: ", step.kind.label(), step.at.label());
    match trouble {
        Trouble::Stuck(what) => Trouble::Stuck(text + what),
        Trouble::Broken(what) => Trouble::Broken(text + what),
    }
}

fn line_of(number: u64, attempt: u32, step: &Step, outcome: &Outcome) -> String {
    let mut line = format!(
        "row fault number={number} kind={} helper={} next={} attempt={attempt} in-flight={} recovery-us={} pause-us={}",
        step.kind.label(),
        step.at.label(),
        step.next.label(),
        outcome.in_flight,
        outcome.recovery.as_micros(),
        outcome.pause.as_micros()
    );
    if let Some(hang) = outcome.hang {
        line.push_str(&format!(" hang-us={}", hang.as_micros()));
    }
    if let Some(wrong) = outcome.undetected {
        line.push_str(&format!(" undetected={wrong}"));
    }
    line
}

/// What the loads and the module's books say in the end.
fn conclude(load: &Load, lost: u64, unplanned: u64, took: Duration, results: &mut Results) {
    // The last answers are on their way when the last caller has its.
    let quiet = Watch::new().within(Duration::from_secs(10), |c| {
        c.in_flight == 0 && c.unequal.is_empty()
    });
    let last = match quiet {
        Ok(Some(counters)) => counters,
        _ => Counters::read().unwrap_or_default(),
    };
    let (mut lost, mut duplicated) = (lost, 0);
    for (algorithm, accepted, completed) in &last.unequal {
        results.line(&format!(
            "not ok - {algorithm}: every request is answered once # {accepted} accepted, {completed} answered"
        ));
        lost += accepted.saturating_sub(*completed);
        duplicated += completed.saturating_sub(*accepted);
    }
    let findings = &load.findings;
    let wrong = findings
        .wrong
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    for (kind, what) in wrong.iter() {
        results.line(&format!("not ok - {kind} # {what}"));
    }
    if let Some(overdue) = counters::overdue() {
        results.line(&format!("row overdue {overdue}"));
    }
    let of = |kind: &str| wrong.iter().filter(|(found, _)| *found == kind).count();
    results.line(&format!(
        "row end lost={lost} duplicated={duplicated} corrupted={} failed={} errors={} accepted={} completed={} helper={} fallback={} taken-over={} rounds={} verified-bytes={} unplanned={unplanned} seconds={}",
        of("corrupted"),
        of("failed"),
        last.errors,
        last.accepted,
        last.completed,
        last.helper,
        last.fallback,
        last.taken_over,
        findings.rounds.load(Ordering::Relaxed),
        findings.verified.load(Ordering::Relaxed),
        took.as_secs(),
    ));
}
