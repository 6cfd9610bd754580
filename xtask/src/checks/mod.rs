//! `cargo xtask test`: every check in one go, each with its name and seconds, and the counts at the end.

mod cargo_tests;
mod deny;
mod gpu;
mod guests;
mod lints;
mod sanitizer;
mod time;
mod uml;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::paths::Paths;
use crate::setup;
use crate::tally::Tally;

/// Options of `test`.
#[derive(Debug, Args)]
pub struct Options {
    /// Run only these steps (by name, separated by commas); the others are listed as skipped
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// One named check; it counts into the tally what it ran, and fails as a whole by an error.
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Paths, &mut Tally) -> Result<()>,
}

/// In order of cost, so that a simple mistake shows early.
const STEPS: &[Step] = &[
    Step {
        name: "setup",
        what: "packages and kernel images",
        run: set_up,
    },
    Step {
        name: "fmt",
        what: "code format",
        run: lints::format,
    },
    Step {
        name: "clippy",
        what: "lints, warnings are errors",
        run: lints::clippy,
    },
    Step {
        name: "tests",
        what: "unit, property and documentation tests",
        run: cargo_tests::workspace,
    },
    Step {
        name: "header",
        what: "the C header is the generated one",
        run: lints::header,
    },
    Step {
        name: "ptx",
        what: "the device module, assembled for every generation of GPUs",
        run: |paths, tally| {
            tally.pass(crate::ptx::check(paths)?);
            Ok(())
        },
    },
    Step {
        name: "gpu",
        what: "every algorithm on this machine's GPU, if it has one",
        run: gpu::verify,
    },
    Step {
        name: "no-cuda",
        what: "the helper without its CUDA backend",
        run: gpu::without_cuda,
    },
    Step {
        name: "models",
        what: "loom: interleavings of the ring; shuttle: random schedules of whole lives",
        run: cargo_tests::models,
    },
    Step {
        name: "kani",
        what: "proofs of index arithmetic and validation",
        run: crate::kani::step,
    },
    Step {
        name: "miri",
        what: "undefined behaviour in kgpu-core",
        run: cargo_tests::miri,
    },
    Step {
        name: "fuzz",
        what: "each fuzz target over its corpus and some thousand changes of it",
        run: crate::fuzz::step,
    },
    Step {
        name: "deny",
        what: "dependencies: licences, sources, bans, advisories",
        run: deny::check,
    },
    Step {
        name: "kmod",
        what: "modules for 6.1, 6.12 and 7.x, symbols and relocations",
        run: guests::modules,
    },
    Step {
        name: "vm",
        what: "guest suites on 6.1, 6.12 and 7.x",
        run: guests::suites,
    },
    Step {
        name: "mitigations",
        what: "6.12 with call-depth tracking and retpolines",
        run: guests::mitigations,
    },
    Step {
        name: "uml",
        what: "guest suites on User-Mode Linux, the newest kernel as a program",
        run: uml::suites,
    },
    Step {
        name: "sanitizer",
        what: "KASAN, lockdep, kmemleak, failing allocations, long self-tests, a fuzzer of the device",
        run: sanitizer::suites,
    },
    Step {
        name: "chaos",
        what: "200 faults at random moments on 6.12",
        run: crate::chaos::check,
    },
];

/// Runs the steps; the last line printed is the count of tests.
pub fn run(paths: &Paths, options: &Options) -> Result<ExitCode> {
    let names: Vec<&str> = STEPS.iter().map(|s| s.name).collect();
    if let Some(unknown) = options.only.iter().find(|o| !names.contains(&o.as_str())) {
        bail!(
            "no step named {unknown}: the steps are {}",
            names.join(", ")
        );
    }
    let started = *time::STARTED;
    let mut tally = Tally::default();
    let mut lines = Vec::new();
    for step in STEPS {
        if !options.only.is_empty() && !options.only.iter().any(|o| o == step.name) {
            tally.skip(format!("{}: not among --only", step.name));
            continue;
        }
        println!("== {}: {}", step.name, step.what);
        let (passed, failed, start) = (tally.passed(), tally.failures(), Instant::now());
        if let Err(error) = (step.run)(paths, &mut tally) {
            println!("{error:#}");
            let text = format!("{error:#}");
            tally.fail(format!(
                "{}: {}",
                step.name,
                text.lines().next().unwrap_or_default()
            ));
        }
        let line = format!(
            "{:12} {:7.1} s  {:5} passed {:3} failed",
            step.name,
            start.elapsed().as_secs_f64(),
            tally.passed() - passed,
            tally.failures() - failed
        );
        println!("== {line}");
        lines.push(line);
    }
    println!("\nsummary, {:.0} s in all", started.elapsed().as_secs_f64());
    for line in lines {
        println!("  {line}");
    }
    Ok(tally.finish())
}

fn set_up(paths: &Paths, _: &mut Tally) -> Result<()> {
    setup::run(paths, &setup::Options::default())
}
