//! `cargo xtask demo`: the whole chain on a stock 6.12 kernel, ending in a table of who computed what.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::images::Series;
use crate::paths::Paths;
use crate::tally::Tally;
use crate::vm::{self, Guest, Machine};

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct Options {
    /// Show the guest's console
    #[arg(long, short)]
    verbose: bool,
}

/// Sets up, builds, boots, prints the guest's table; succeeds only if every check of it did.
pub fn run(paths: &Paths, options: &Options) -> Result<ExitCode> {
    let started = Instant::now();
    vm::check_suite(paths, "demo")?;
    let guest = Guest::build(paths, Series::V6_12)?;
    let machine = Machine {
        verbose: options.verbose,
        ..Machine::default()
    };
    let report = vm::run(paths, &guest, "demo", &machine)?;
    println!();
    for row in &report.rows {
        println!("{row}");
    }
    println!("\ndemo took {:.0} s", started.elapsed().as_secs_f64());
    let mut tally = Tally::default();
    tally.add_guest(&report);
    if report.rows.is_empty() {
        tally.fail("the guest printed no table");
    }
    Ok(tally.finish())
}
