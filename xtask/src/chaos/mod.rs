//! `cargo xtask chaos`: faults at random moments in one or more guests, summed and judged.
//! What strikes is `kgpu-guest chaos`, in the guest; here its rows are collected.

mod detection;
mod report;
mod rows;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::images::Series;
use crate::paths::Paths;
use crate::tally::Tally;
use crate::vm::{self, Guest, Machine};

use report::Summary;
use rows::{End, Fault};

/// Kinds of faults, as `kgpu-guest chaos` names them.
const KINDS: &str = "kill,stop,takeover,garbage,words,wrong-data,slow,error,pressure";
/// Memory of a guest: little, so that memory pressure is soon there.
const MEMORY_MIB: u32 = 1024;
/// The same where the kernel keeps an eighth of it to watch the rest, and holds back what was freed.
const MEMORY_WATCHED_MIB: u32 = 2048;
/// Seconds for booting, preparing volumes and ending, beside the faults.
const AROUND: u64 = 420;
/// What a run of `cargo xtask test` strikes.
const CHECKED: u64 = 200;

/// Options of `chaos`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Faults that must count, over all guests
    #[arg(long, default_value_t = 1000)]
    faults: u64,
    /// Everything that is random follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Guests at the same time, each with a seed of its own that follows from the seed
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=16))]
    jobs: u64,
    /// The module's deadline
    #[arg(long, default_value_t = 200)]
    deadline_ms: u64,
    /// Only these kinds of faults
    #[arg(long, default_value = KINDS)]
    kinds: String,
    /// Seconds after which the faults have to be through
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// No faults, but wrong data, with one result in each of these numbers computed again: how soon it is found out
    #[arg(long, value_delimiter = ',')]
    detection: Vec<u64>,
    /// Helpers with wrong data for each number of `--detection`
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// Which kernel the guests run
    #[arg(long, value_enum, default_value = "6.12")]
    kernel: Series,
    /// Show the guests' consoles
    #[arg(long, short)]
    verbose: bool,
}

/// The command: runs, prints and writes the report, fails on anything lost, doubled or wrong.
pub fn command(paths: &Paths, options: &Options) -> Result<ExitCode> {
    let mut tally = Tally::default();
    run(paths, options, &mut tally)?;
    Ok(tally.finish())
}

/// The step of `cargo xtask test`.
pub fn check(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let options = Options {
        faults: CHECKED,
        seed: 1,
        jobs: 1,
        deadline_ms: 200,
        kinds: KINDS.to_owned(),
        seconds: 600,
        detection: Vec::new(),
        rounds: 0,
        kernel: Series::V6_12,
        verbose: false,
    };
    run(paths, &options, tally)
}

/// One guest's share.
struct Job {
    seed: u64,
    faults: u64,
    report: Result<vm::Report>,
}

fn run(paths: &Paths, options: &Options, tally: &mut Tally) -> Result<()> {
    let started = Instant::now();
    vm::check_suite(paths, "chaos")?;
    if options.faults < options.jobs {
        bail!(
            "{} faults can't be shared by {} guests: ask for more",
            options.faults,
            options.jobs
        );
    }
    let guest = Guest::build(paths, options.kernel)?;
    if !options.detection.is_empty() {
        return detect(paths, &guest, options, tally);
    }
    let shares = shares(options);
    let jobs: Vec<Job> = thread::scope(|scope| {
        let running: Vec<_> = shares
            .iter()
            .zip(0..)
            .map(|((seed, faults), instance)| {
                let machine = machine(options, *seed, *faults, instance);
                let guest = &guest;
                let boot = move || vm::run(paths, guest, "chaos", &machine);
                (*seed, *faults, scope.spawn(boot))
            })
            .collect();
        running
            .into_iter()
            .map(|(seed, faults, thread)| Job {
                seed,
                faults,
                report: thread
                    .join()
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("a guest's thread panicked"))),
            })
            .collect()
    });
    let mut summary = Summary::new(options.faults, options.deadline_ms);
    for job in jobs {
        let name = format!("seed {}: ", job.seed);
        let mut report = job.report?;
        let faults = rows::faults(&report.rows)?;
        match rows::end(&report.rows) {
            Some(end) => summary.add(job.seed, faults, &end),
            None => tally.fail(format!(
                "{name}the guest told no end of its {} faults",
                job.faults
            )),
        }
        summary.warnings += report
            .failed
            .iter()
            .filter(|failure| failure.starts_with("kernel log: "))
            .count();
        report.prefix(&name);
        tally.add_guest(&report);
    }
    for problem in summary.problems() {
        tally.fail(problem);
    }
    let folder = write(paths, options, &summary)?;
    println!(
        "\n{}\n{}; the whole took {:.0} s",
        summary.text(),
        folder.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// One guest that is lied to until the lies are found out.
fn detect(paths: &Paths, guest: &Guest, options: &Options, tally: &mut Tally) -> Result<()> {
    let numbers: Vec<String> = options.detection.iter().map(u64::to_string).collect();
    let mut machine = machine(options, options.seed, 0, 0);
    machine.append.push_str(&format!(
        " chaos_detection={} chaos_rounds={}",
        numbers.join(","),
        options.rounds
    ));
    let report = vm::run(paths, guest, "chaos", &machine)?;
    println!("\n{}", detection::text(&report.rows));
    tally.add_guest(&report);
    for one_in in &options.detection {
        let rounds = detection::wrong(&report.rows, *one_in).len();
        if u64::try_from(rounds).unwrap_or(0) < options.rounds {
            tally.fail(format!(
                "one in {one_in}: {rounds} rounds of {}",
                options.rounds
            ));
        }
    }
    Ok(())
}

/// Seeds and faults of the guests; the first has the seed itself, so that it can be run alone.
fn shares(options: &Options) -> Vec<(u64, u64)> {
    (0..options.jobs)
        .map(|job| {
            let more = u64::from(job < options.faults % options.jobs);
            (
                options.seed + job * 1_000_000,
                options.faults / options.jobs + more,
            )
        })
        .collect()
}

fn machine(options: &Options, seed: u64, faults: u64, instance: u32) -> Machine {
    Machine {
        append: format!(
            "chaos_faults={faults} chaos_seed={seed} chaos_deadline_ms={} chaos_kinds={} chaos_seconds={} log_buf_len=16M",
            options.deadline_ms, options.kinds, options.seconds
        ),
        mem: if options.kernel == Series::Sanitizer {
            MEMORY_WATCHED_MIB
        } else {
            MEMORY_MIB
        },
        timeout: options.seconds + AROUND,
        verbose: options.verbose,
        instance,
        ..Machine::default()
    }
}

/// The faults and the report as files.
fn write(paths: &Paths, options: &Options, summary: &Summary) -> Result<PathBuf> {
    let folder = paths
        .target
        .join("chaos")
        .join(format!("seed-{}", options.seed));
    let put = |name: &str, text: String| -> Result<()> {
        let path: &Path = &folder.join(name);
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    put("faults.csv", summary.csv())?;
    put("report.txt", summary.text())?;
    Ok(folder)
}
