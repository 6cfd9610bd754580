//! `kgpu verify`: the matrix of `kgpu-verify` on the backends of this machine, through the real ring.
//!
//! `args` is the command line, `target` the backends, `ring` hands requests to one of them, `output`
//! prints. What is checked and what is right is the library's affair.

mod args;
mod output;
mod ring;
mod target;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};
use kgpu_algos::all;
use kgpu_verify::Failure;
use kgpu_verify::matrix::{Matrix, Settings};
use kgpu_verify::report::Report;
use kgpu_verify::runner::RunError;
use kgpu_verify::suite::Oracle;

use crate::catalogue::Catalogue;
use crate::error::UserError;
pub use args::{VerifyArgs, Which};
pub use ring::Ring;
pub use target::{Target, targets};

/// What a backend's run found, and how long it took.
#[derive(Clone, Debug)]
pub struct Found {
    /// The counts and failures.
    pub report: Report,
    /// Time of the run.
    pub elapsed: Duration,
}

/// Runs the matrix of a command line and prints what it found.
///
/// # Errors
/// [`UserError`]: a wrong command line, a backend that broke, or anything that is wrong or unproven.
pub fn run(args: &VerifyArgs) -> Result<(), UserError> {
    let algorithms = args.algorithms()?;
    let seed = args.seed.unwrap_or_else(seed_of_the_clock);
    let targets = targets(args.backend, &args.device, args.workers())?;
    let mut found = Vec::new();
    let mut notes: Vec<String> = Vec::new();
    for target in &targets {
        let settings = Settings {
            algorithms: algorithms.clone(),
            cases: args.cases,
            only: args.case,
            seed,
            threads: args.threads(),
        };
        let oracle = Oracle::new(all(), !target.cpu_path);
        let matrix =
            Matrix::new(settings, oracle, kgpu_algos::vectors()).map_err(|e| vectors(&e))?;
        if found.is_empty() {
            notes.extend(matrix.notes().iter().cloned());
            print!("{}", output::heading(args, &algorithms, seed, &notes));
        }
        let one = measure(&matrix, target).map_err(|error| broken(target, &error))?;
        print!("{}", output::text(&one, target, seed));
        found.push(one);
    }
    if let Some(path) = &args.json {
        let json = output::json(args, seed, &notes, &found);
        std::fs::write(path, json).map_err(|error| {
            UserError::failure(
                format!("writing {} failed: {error}", path.display()),
                "name a file that can be written",
            )
        })?;
    }
    verdict(&found)
}

/// Runs the matrix on one backend, with a progress bar.
fn measure(matrix: &Matrix, target: &Target) -> Result<Found, RunError> {
    let bar = ProgressBar::new(matrix.len());
    let template = "{msg} {bar:30} {pos}/{len} {per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(target.name);
    let start = Instant::now();
    let mut ring = Ring::start(target, Catalogue::registry())?;
    let report = matrix.run(&mut ring, &mut |done| bar.set_position(done))?;
    let elapsed = start.elapsed();
    ring.end()?;
    bar.finish_and_clear();
    Ok(Found { report, elapsed })
}

/// A seed that differs from run to run; short, to be typed again.
fn seed_of_the_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(1, |since| since.as_secs() % 1_000_000_000)
}

fn vectors(error: &Failure) -> UserError {
    UserError::failure(
        format!("the published vectors cannot be read: {error}"),
        "this is a bug to report",
    )
}

fn broken(target: &Target, error: &RunError) -> UserError {
    UserError::failure(
        format!("the {} backend broke: {error}", target.name),
        "run again with --log debug; a backend that breaks here is a bug to report",
    )
}

/// Ends with an error unless every algorithm passed on every backend.
fn verdict(found: &[Found]) -> Result<(), UserError> {
    let wrong: Vec<String> = found
        .iter()
        .filter(|found| !found.report.passed())
        .map(|found| {
            let report = &found.report;
            let failed = report.rows.iter().filter(|row| !row.passed());
            let names: Vec<&str> = failed.map(|row| row.algorithm.name).collect();
            let (backend, count) = (&report.backend, report.failed());
            format!("{backend}: {count} requests failed ({})", names.join(", "))
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(UserError::failure(
        wrong.join("; "),
        "do not trust this backend with data; report the failures above with the seed, and what \
         `kgpu verify` prints at the start",
    ))
}
