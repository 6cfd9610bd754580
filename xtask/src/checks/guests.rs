//! The module builds and the guest runs of `cargo xtask test`.

use anyhow::Result;

use crate::images::Series;
use crate::kmod;
use crate::packages;
use crate::paths::Paths;
use crate::setup;
use crate::tally::Tally;
use crate::vm::{self, Guest, Machine, Report};

/// Suites that the step `vm` leaves to others, with where they run; it runs every other one.
const ELSEWHERE: &[(&str, &str)] = &[
    ("bench", "the step uml, and `cargo xtask bench-kernel`"),
    ("chaos", "the step of that name, and `cargo xtask chaos`"),
    ("demo", "`cargo xtask demo`"),
    ("disks", "the step uml: the interrupts are that kernel's"),
    (
        "ecryptfs",
        "the step uml, and `cargo xtask vm --suite ecryptfs`",
    ),
    (
        "faultinject",
        "the step sanitizer: stock kernels inject no faults",
    ),
    ("flood", "the step uml, with one processor"),
    ("fuzz-device", "the step sanitizer"),
    ("mitigations", "the step of that name"),
    ("smoke", "the step mitigations"),
];

/// Suites that run on 6.12 only: long, and about code that is the same on all kernels.
const LONG: &[&str] = &["guest", "life", "lies", "secrets", "selftests", "swap"];

/// Suites that CI's time allows on 7.x: those in which another kernel can make a difference. The others but the long
/// ones run there by `cargo xtask vm --kernel 7`.
const ON_7: &[&str] = &[
    "api",
    "attach",
    "both-ways",
    "crypto",
    "device",
    "pin",
    "suspend",
    "takeover",
    "tools",
];

/// The kernels that this machine can build for, oldest first; what is left out is told.
fn kernels(tally: &mut Tally) -> Result<Vec<Series>> {
    let mut kernels = Series::STOCK.to_vec();
    if !packages::is_root()? {
        kernels.retain(|series| *series != Series::V7);
        tally.skip("kernel 7: not running as root, which its build tools need");
    }
    Ok(kernels)
}

/// Builds for each kernel; the object's assertions are part of the build.
pub fn modules(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let kernels = kernels(tally)?;
    for image in setup::for_kernels(paths, &kernels)? {
        kmod::build(paths, &image)?;
        tally.pass(1);
    }
    Ok(())
}

/// Runs all suites on each kernel, but for those that the lists above name.
pub fn suites(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let mut suites = vm::suites(paths)?;
    suites.retain(|suite| ELSEWHERE.iter().all(|(elsewhere, _)| elsewhere != suite));
    for (suite, place) in ELSEWHERE {
        println!("suite {suite}: runs in {place}");
    }
    for series in kernels(tally)? {
        let mut these = suites.clone();
        these.retain(|suite| runs_on(series, suite));
        for suite in suites.iter().filter(|suite| !these.contains(suite)) {
            println!("suite {suite}: not on {} here", series.name());
        }
        boots(paths, series, &these, &Machine::default(), tally)?;
    }
    Ok(())
}

/// Whether CI runs `suite` on a kernel.
fn runs_on(series: Series, suite: &str) -> bool {
    match series {
        Series::V6_12 => true,
        Series::V7 => ON_7.contains(&suite),
        _ => !LONG.contains(&suite),
    }
}

/// One run on the kernel that rewrites calls and returns at boot: it patches our Rust code as well.
pub fn mitigations(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let machine = Machine {
        cpu: "Skylake-Client".to_owned(),
        append: "retbleed=stuff spectre_v2=retpoline".to_owned(),
        ..Machine::default()
    };
    boots(
        paths,
        Series::V6_12,
        &["mitigations".to_owned()],
        &machine,
        tally,
    )
}

/// Builds for one kernel and boots it once per suite; a run that cannot start does not stop the others. One in which
/// nothing failed but waits is made once more, and named.
pub fn boots(
    paths: &Paths,
    series: Series,
    suites: &[String],
    machine: &Machine,
    tally: &mut Tally,
) -> Result<()> {
    let guest = Guest::build(paths, series)?;
    for suite in suites {
        let run = format!("{} {suite}", series.name());
        match patient_run(paths, &guest, suite, machine) {
            Ok(mut report) => {
                report.prefix(&format!("{run}: "));
                tally.add_guest(&report);
            }
            Err(error) => {
                println!("{error:#}");
                tally.fail(format!("{run}: {error}"));
            }
        }
    }
    Ok(())
}

fn patient_run(paths: &Paths, guest: &Guest, suite: &str, machine: &Machine) -> Result<Report> {
    let first = vm::run(paths, guest, suite, machine)?;
    if !first.only_waited() {
        return Ok(first);
    }
    println!("nothing failed but waits: once more");
    let mut second = vm::run(paths, guest, suite, machine)?;
    // In the summary, so that one that comes often is seen.
    for what in first.failed {
        second
            .skipped
            .push(format!("a first run, in which this failed: {what}"));
    }
    Ok(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_suite() {
        let suites = vm::suites(&Paths::find().unwrap()).unwrap();
        let elsewhere = ELSEWHERE.iter().map(|(suite, _)| *suite);
        for name in elsewhere.chain(LONG.iter().chain(ON_7).copied()) {
            assert!(suites.contains(&name.to_owned()), "{name}");
        }
    }

    #[test]
    fn every_suite_runs_somewhere() {
        for suite in LONG.iter().chain(ON_7) {
            assert!(runs_on(Series::V6_12, suite), "{suite}");
            assert!(
                ELSEWHERE.iter().all(|(elsewhere, _)| elsewhere != suite),
                "{suite} is left to another step"
            );
        }
    }
}
