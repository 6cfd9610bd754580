//! The module builds and the guest runs of `cargo xtask test`.

use anyhow::Result;

use crate::images::Series;
use crate::kmod;
use crate::paths::Paths;
use crate::setup;
use crate::tally::Tally;
use crate::vm::{self, Guest, Machine};

/// Every kernel that kgpu supports here, oldest first.
const KERNELS: &[Series] = &[Series::V6_1, Series::V6_12];

/// Suites that the step `vm` leaves to others, with where they run; it runs every other one.
const ELSEWHERE: &[(&str, &str)] = &[
    ("chaos", "the step of that name, and `cargo xtask chaos`"),
    ("demo", "`cargo xtask demo`"),
    (
        "faultinject",
        "the step sanitizer: stock kernels inject no faults",
    ),
    (
        "fuzz-device",
        "`cargo xtask vm`: a process of the fuzzer's own ends by SIGSEGV now and then, and why is not known",
    ),
    ("mitigations", "the step of that name"),
    ("smoke", "the step mitigations"),
];

/// Suites that run on the newest kernel only: long, and about code that is the same on all of them.
const NEWEST_ONLY: &[&str] = &["life", "lies", "secrets", "selftests", "swap"];

/// Builds for each kernel; the object's assertions are part of the build.
pub fn modules(paths: &Paths, tally: &mut Tally) -> Result<()> {
    for image in setup::for_kernels(paths, KERNELS)? {
        kmod::build(paths, &image)?;
        tally.pass(1);
    }
    Ok(())
}

/// Runs all suites on each kernel.
pub fn suites(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let mut suites = vm::suites(paths)?;
    suites.retain(|suite| ELSEWHERE.iter().all(|(elsewhere, _)| elsewhere != suite));
    for (suite, place) in ELSEWHERE {
        println!("suite {suite}: runs in {place}");
    }
    for series in KERNELS {
        let newest = KERNELS.last() == Some(series);
        let mut these = suites.clone();
        these.retain(|suite| newest || !NEWEST_ONLY.contains(&suite.as_str()));
        boots(paths, *series, &these, &Machine::default(), tally)?;
    }
    Ok(())
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

/// Builds for one kernel and boots it once per suite; a run that cannot start does not stop the others.
pub fn boots(
    paths: &Paths,
    series: Series,
    suites: &[String],
    machine: &Machine,
    tally: &mut Tally,
) -> Result<()> {
    let image = setup::for_kernels(paths, &[series])?.remove(0);
    let modules = kmod::build(paths, &image)?;
    let programs = vm::programs(paths)?;
    let guest = Guest {
        image: &image,
        modules: &modules,
        programs: &programs,
    };
    for suite in suites {
        let run = format!("{} {suite}", series.name());
        match vm::run(paths, &guest, suite, machine) {
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
