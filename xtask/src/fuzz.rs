//! `cargo xtask fuzz`: builds the targets in `fuzz/` and runs them one after the other.
//!
//! The committed corpus is read only; what a run finds new is kept below the build folder, where
//! the next run starts from it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cargo_tools;
use crate::packages;
use crate::paths::Paths;
use crate::shell;
use crate::tally::Tally;

/// The version that the cache holds; a new one is a deliberate change.
const VERSION: &str = "0.13.2";
/// What the targets are built for; cargo-fuzz puts it into its folders.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// Executions of a target in `cargo xtask test`, beside its corpus.
const STEP_RUNS: u64 = 20_000;
/// Seconds after which a target ends in `cargo xtask test`, however many executions it made.
const STEP_SECONDS: u64 = 20;
/// Targets whose input is rolls of dice: what the code compares is none of the input's bytes, so that tracing the
/// comparisons teaches the fuzzer nothing, and took a third of the time.
const ROLLS: &[&str] = &["engine"];

/// Options of `fuzz`.
#[derive(Debug, Args)]
pub struct Options {
    /// Executions of each target, beside its corpus
    #[arg(long, default_value_t = 1_000_000)]
    runs: u64,
    /// Only this target
    #[arg(long)]
    target: Option<String>,
    /// End each target after this many seconds, however many executions it made
    #[arg(long)]
    seconds: Option<u64>,
    /// Write to the committed corpus what a merge of all that was found leaves of it
    #[arg(long)]
    merge: bool,
}

/// What a run of a target made.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    executions: u64,
    edges: u64,
    features: u64,
}

/// Where things are.
struct Bed {
    programs: PathBuf,
    work: PathBuf,
    corpus: PathBuf,
}

/// Runs the command.
pub fn command(paths: &Paths, options: &Options) -> Result<ExitCode> {
    packages::ensure()?;
    let targets = chosen(paths, options.target.as_deref())?;
    let each: Vec<_> = targets.iter().map(|target| Some(target.as_str())).collect();
    let bed = build(paths, &each)?;
    let mut failed = false;
    for target in &targets {
        if options.merge {
            println!("{target}: {}", merge(&bed, target)?);
            continue;
        }
        let started = Instant::now();
        match run(&bed, target, options.runs, options.seconds) {
            Ok(outcome) => println!("{}", line(target, &outcome, started)),
            Err(error) => {
                failed = true;
                println!("{error:#}");
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The step of `cargo xtask test`.
pub fn step(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let targets = chosen(paths, None)?;
    // In one go: another kind of build is of all that they depend on, too.
    let bed = build(paths, &[None])?;
    for target in &targets {
        let started = Instant::now();
        match run(&bed, target, STEP_RUNS, Some(STEP_SECONDS)) {
            Ok(outcome) => {
                println!("{}", line(target, &outcome, started));
                tally.pass(1);
            }
            Err(error) => {
                println!("{error:#}");
                tally.fail(format!("fuzz {target}: a finding"));
            }
        }
    }
    Ok(())
}

fn line(target: &str, outcome: &Outcome, started: Instant) -> String {
    format!(
        "{target:12} {} executions, {} edges, {} features, 0 findings, {:.0} s",
        outcome.executions,
        outcome.edges,
        outcome.features,
        started.elapsed().as_secs_f64()
    )
}

/// The targets: every file of their folder.
fn chosen(paths: &Paths, only: Option<&str>) -> Result<Vec<String>> {
    let folder = paths.root.join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort();
    match only {
        None => Ok(names),
        Some(only) if names.iter().any(|name| name == only) => Ok(vec![only.to_owned()]),
        Some(only) => bail!(
            "no target named {only}: the targets are {}",
            names.join(", ")
        ),
    }
}

/// Builds targets, each as suits it, or all alike where none is named; with the address sanitizer where this toolchain
/// links it.
fn build(paths: &Paths, targets: &[Option<&str>]) -> Result<Bed> {
    let tool = cargo_tools::ensure(paths, "cargo-fuzz", VERSION)?;
    let target = paths.target.join("fuzz");
    let cargo = |sanitizer: &str, name: Option<&str>| {
        let mut command = Command::new(&tool);
        command
            .current_dir(paths.root.join("fuzz"))
            // Coverage and sanitizers are unstable options of a compiler that has them.
            .env("RUSTC_BOOTSTRAP", "1")
            .env_remove("RUSTFLAGS")
            .args(["fuzz", "build", "--sanitizer", sanitizer, "--target-dir"])
            .arg(&target);
        if name.is_some_and(|name| ROLLS.contains(&name)) {
            command.arg("--no-trace-compares");
        }
        command.args(name);
        command
    };
    let mut sanitizer = "address";
    for &name in targets {
        if let Err(error) = shell::quiet(&mut cargo(sanitizer, name)) {
            if sanitizer == "none" {
                return Err(error);
            }
            println!("without the address sanitizer, because with it {error:#}");
            sanitizer = "none";
            shell::quiet(&mut cargo(sanitizer, name))?;
        }
    }
    Ok(Bed {
        programs: target.join(TRIPLE).join("release"),
        work: target,
        corpus: paths.root.join("fuzz/corpus"),
    })
}

/// A target's program, ready for its folders.
fn program(bed: &Bed, target: &str) -> Command {
    let mut command = Command::new(bed.programs.join(target));
    command
        .stdin(Stdio::null())
        // What the process keeps until its end is no leak of a request.
        .args(["-detect_leaks=0", "-rss_limit_mb=4096", "-timeout=60"]);
    command
}

fn run(bed: &Bed, target: &str, runs: u64, seconds: Option<u64>) -> Result<Outcome> {
    let committed = bed.corpus.join(target);
    let found = bed.work.join("corpus").join(target);
    let findings = bed.work.join("findings").join(target);
    for folder in [&found, &findings, &committed] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    // The program counts the corpus among its executions.
    let total = runs + files(&committed)? + files(&found)?;
    let mut command = program(bed, target);
    command.args([format!("-runs={total}"), "-print_final_stats=1".to_owned()]);
    if let Some(seconds) = seconds {
        command.arg(format!("-max_total_time={seconds}"));
    }
    let mut prefix = OsString::from("-artifact_prefix=");
    prefix.push(findings.join(""));
    let output = command
        .arg(prefix)
        .args([&found, &committed])
        .output()
        .with_context(|| format!("cannot start the target {target}"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        bail!(
            "{target}: a finding ({}); the input is in {}, and\n  {} FILE\nruns it again\n{}",
            output.status,
            findings.display(),
            bed.programs.join(target).display(),
            shell::tail(&text, 60)
        );
    }
    let outcome = outcome(&text);
    if outcome.executions == 0 {
        bail!(
            "{target}: no execution was counted\n{}",
            shell::tail(&text, 20)
        );
    }
    Ok(outcome)
}

/// Leaves of the committed corpus and all that was found what covers as much, in as little.
fn merge(bed: &Bed, target: &str) -> Result<String> {
    let committed = bed.corpus.join(target);
    let found = bed.work.join("corpus").join(target);
    let merged = bed.work.join("merged").join(target);
    if merged.exists() {
        fs::remove_dir_all(&merged)?;
    }
    fs::create_dir_all(&merged)?;
    fs::create_dir_all(&committed)?;
    shell::quiet(
        program(bed, target)
            // One input for each edge, not for each count of it: a corpus to commit is small.
            .args(["-merge=1", "-use_counters=0"])
            .args([&merged, &found, &committed]),
    )?;
    fs::remove_dir_all(&committed)?;
    fs::create_dir_all(&committed)?;
    let mut bytes = 0;
    for entry in fs::read_dir(&merged)? {
        let entry = entry?;
        bytes += fs::copy(entry.path(), committed.join(entry.file_name()))?;
    }
    Ok(format!("{} files, {bytes} bytes", files(&committed)?))
}

fn files(folder: &Path) -> Result<u64> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    Ok(u64::try_from(entries.count())?)
}

/// Reads the driver's last words.
fn outcome(text: &str) -> Outcome {
    let after = |line: &str, word: &str| {
        let mut words = line.split_whitespace().skip_while(|w| *w != word);
        words.nth(1).and_then(|number| number.parse().ok())
    };
    let mut outcome = Outcome::default();
    for line in text.lines() {
        if let Some(executions) = after(line, "stat::number_of_executed_units:") {
            outcome.executions = executions;
        }
        if let (Some(edges), Some(features)) = (after(line, "cov:"), after(line, "ft:")) {
            (outcome.edges, outcome.features) = (edges, features);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_run_are_read() {
        let text = "#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                    #20\tNEW    cov: 12 ft: 30 corp: 2/9b lim: 4 exec/s: 0 rss: 30Mb L: 8/8 MS: 1 CopyPart-\n\
                    #1000\tDONE   cov: 12 ft: 31 corp: 2/9b lim: 11 exec/s: 0 rss: 31Mb\n\
                    stat::number_of_executed_units: 1000\n";
        let expected = Outcome {
            executions: 1000,
            edges: 12,
            features: 31,
        };
        assert_eq!(outcome(text), expected);
    }
}
