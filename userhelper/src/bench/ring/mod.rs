//! `kgpu bench ring`: the ring path against one thread that calls the cipher directly.
//!
//! `plan` makes cases of the command line, `buffers` places the data, `direct` and `session` run
//! a case, `report` prints. Direct and ring runs alternate, over the same bytes in the same order, so
//! that whatever else the machine does falls on both.

mod buffers;
mod direct;
mod plan;
mod report;
mod session;

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::RingArgs;
use crate::engine::Choice;
use crate::error::{UserError, exit};
use crate::loopback::LoopError;
use plan::Case;
use report::Row;

/// Runs the benchmark of a command line and prints its table.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn run(args: &RingArgs) -> Result<(), UserError> {
    let cases = plan::cases(args)?;
    let choice = args.backend.choose(|| Ok(()))?;
    let bar = ProgressBar::new(u64::try_from(cases.len()).unwrap_or(0) * u64::from(args.repeats));
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {msg}") {
        bar.set_style(style);
    }
    let mut rows = Vec::with_capacity(cases.len());
    for case in &cases {
        bar.set_message(case.to_string());
        let duration = Duration::from_secs_f64(args.seconds);
        let row = measure(case, &choice, duration, args.repeats, || bar.inc(1));
        rows.push(row.map_err(|error| broken(case, &error))?);
    }
    bar.finish_and_clear();
    print!("{}", report::text(&rows));
    if let Some(path) = &args.csv {
        let written = std::fs::File::create(path)
            .and_then(|mut f| f.write_all(report::csv(&rows).as_bytes()));
        written.map_err(|error| {
            UserError::failure(
                format!("writing {} failed: {error}", path.display()),
                "name a file that can be written",
            )
        })?;
    }
    limit(args.max_cost, &rows)
}

fn broken(case: &Case, error: &LoopError) -> UserError {
    UserError::failure(
        format!("{case}: {error}"),
        "try smaller sizes or depths; a wrong answer is a bug to report",
    )
}

fn limit(most: Option<f64>, rows: &[Row]) -> Result<(), UserError> {
    let Some(most) = most else {
        return Ok(());
    };
    let over: Vec<String> = rows
        .iter()
        .filter(|row| row.case.workers == 1 && row.cost_percent > most)
        .map(|row| format!("{}: {:.1} %", row.case, row.cost_percent))
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    Err(UserError {
        what: format!(
            "the ring costs more than {most} % over direct calls: {}",
            over.join("; ")
        ),
        next: "see that nothing else runs on the machine, with at least 2 free processors, and \
               measure again with more --repeats"
            .into(),
        code: exit::TOO_SLOW,
    })
}

/// Measures one case: pairs of direct and ring runs.
fn measure(
    case: &Case,
    choice: &Choice,
    duration: Duration,
    repeats: u32,
    mut step: impl FnMut(),
) -> Result<Row, LoopError> {
    let mut bench = session::Bench::start(case, choice)?;
    let direct = direct::Direct::new(case)?;
    bench.check(&direct)?;
    let warm = duration / 4;
    direct.run(bench.lane(), warm)?;
    bench.run(warm)?;
    bench.forget_latencies();
    let mut pairs = Vec::new();
    for turn in 0..repeats.max(1) {
        let pair = if turn % 2 == 0 {
            let direct = direct.run(bench.lane(), duration)?;
            (direct, bench.run(duration)?)
        } else {
            let ring = bench.run(duration)?;
            (direct.run(bench.lane(), duration)?, ring)
        };
        pairs.push(pair);
        step();
    }
    let row = Row::new(*case, &pairs, bench.latencies());
    bench.end()?;
    Ok(row)
}
