//! `cargo xtask bench-kernel`: the guest suite `bench`, which measures in a kernel, and its rows reported by
//! `kgpu bench kernel`, which measures other implementations on the same processors beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::images::Series;
use crate::paths::Paths;
use crate::shell;
use crate::tally::Tally;
use crate::vm::{self, Guest, Machine};

const SUITE: &str = "bench";

/// What `cargo xtask test` runs of the quick plan: a cipher in each mode, the digest, one disk and one folder.
const PART: &str = "guest_algorithms=ecb(blowfish),cbc(aes),ctr(serpent),xts(twofish),crc32c \
    guest_disks=twofish:512:4096 guest_folders=blowfish:16";

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Plan {
    /// Every algorithm and every kind of run, each for some milliseconds: shows that all of it works
    Quick,
    /// All sizes and depths, long enough to count; best in parts, by `--append guest_steps=…`
    Full,
}

impl Plan {
    /// Its name on the guest's command line.
    const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }

    /// Seconds of a peer's run, and how many runs.
    const fn peers(self) -> [&'static str; 2] {
        match self {
            Self::Quick => ["0.02", "1"],
            Self::Full => ["0.3", "3"],
        }
    }
}

/// Options of `bench-kernel`.
#[derive(Debug, Args)]
pub struct Options {
    /// How much is measured; parts of it can be set one by one by --append, see xtask/guest/suites/bench.sh
    #[arg(long, value_enum, default_value = "quick")]
    plan: Plan,
    /// Which kernel to measure in
    #[arg(long, value_enum, default_value = "uml")]
    kernel: Series,
    #[command(flatten)]
    machine: Machine,
    /// Folder for the rows, tables, CSV, JSON and plots [default: target/bench-kernel]
    #[arg(long)]
    out: Option<PathBuf>,
    /// What to call this machine in the report
    #[arg(long, default_value = "")]
    name: String,
}

/// The command: fails unless every check of the suite passed and every row is one of the report.
pub fn command(paths: &Paths, options: &Options) -> Result<ExitCode> {
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| paths.target.join("bench-kernel"));
    let mut machine = options.machine.clone();
    machine.append = format!("guest_plan={} {}", options.plan.name(), machine.append);
    let mut tally = Tally::default();
    guest(paths, options.kernel, &machine, &out, &mut tally)?;
    if tally.failures() == 0 {
        let [seconds, repeats] = options.plan.peers();
        let mut report = reporter(paths, &out);
        report
            .args(["--seconds", seconds, "--repeats", repeats])
            .args(["--machine", &options.name])
            .arg("--csv")
            .arg(out.join("kernel.csv"))
            .arg("--json")
            .arg(out.join("kernel.json"))
            .arg("--markdown")
            .arg(out.join("kernel.md"))
            .arg("--plots")
            .arg(out.join("plots"));
        let text = shell::output(&mut report)?;
        print!("{text}");
        fs::write(out.join("kernel.txt"), text)?;
        println!("results: {}", out.display());
        tally.pass(1);
    }
    Ok(tally.finish())
}

/// The step of `cargo xtask test`: a part of a quick run has right results and rows that can be reported. No figure is
/// looked at.
pub fn check(paths: &Paths, machine: &Machine, tally: &mut Tally) -> Result<()> {
    let out = paths.target.join("bench-kernel-check");
    let machine = Machine {
        append: format!("{PART} {}", machine.append),
        ..machine.clone()
    };
    let failures = tally.failures();
    guest(paths, Series::Uml, &machine, &out, tally)?;
    if tally.failures() == failures {
        shell::quiet(reporter(paths, &out).arg("--no-peers"))?;
        tally.pass(1);
    }
    Ok(())
}

/// Runs the suite and writes its rows to `out`.
fn guest(
    paths: &Paths,
    series: Series,
    machine: &Machine,
    out: &Path,
    tally: &mut Tally,
) -> Result<()> {
    vm::check_suite(paths, SUITE)?;
    let guest = Guest::build(paths, series)?;
    let mut report = vm::run(paths, &guest, SUITE, machine)?;
    report.prefix(&format!("{} {SUITE}: ", series.name()));
    tally.add_guest(&report);
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    if report.rows.is_empty() && tally.failures() == 0 {
        bail!("the suite {SUITE} sent no rows, though no check of it failed: a bug of the suite");
    }
    let rows = out.join("kernel.rows");
    fs::write(&rows, report.rows.join("\n") + "\n")
        .with_context(|| format!("cannot write {}", rows.display()))
}

/// `kgpu bench kernel` on the rows in `out`, without further options.
fn reporter(paths: &Paths, out: &Path) -> Command {
    let mut command = Command::new(paths.target.join("release/kgpu"));
    command
        .args(["bench", "kernel", "--rows"])
        .arg(out.join("kernel.rows"));
    command
}
