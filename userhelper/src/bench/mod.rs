//! `kgpu bench`: measuring inside this process, without a kernel.
//!
//! * `ring`: what the ring costs beside direct calls.
//! * [`through`]: a backend behind the ring; `peers`: other implementations; `crossover`: from where
//!   on the backend is the better one of the two.
//! * `record` is one measured line, `report` writes them, `plot` draws them.
//! * `args` and `subject` are the command line, `numbers`, `clocks` and `progress` what all share.
//!
//! Nothing is measured that was not compared with the CPU path first.

mod args;
mod clocks;
mod crossover;
mod numbers;
mod peers;
mod plot;
mod progress;
mod record;
mod report;
mod ring;
mod subject;
pub mod through;

pub use args::BenchCommand;
pub use subject::size;

use crate::error::UserError;
use args::{AllArgs, CrossoverArgs, OutputArgs, PeersOnlyArgs, ThroughputArgs};
use progress::Progress;
use report::Report;

/// Measures what the command line says.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn run(command: &BenchCommand) -> Result<(), UserError> {
    match command {
        BenchCommand::Ring(args) => ring::run(args),
        BenchCommand::Throughput(args) => throughput(args),
        BenchCommand::Peers(args) => peers(args),
        BenchCommand::Crossover(args) => crossover(args),
        BenchCommand::All(args) => all(args),
    }
}

fn start(output: &OutputArgs) -> (Report, Progress) {
    (Report::start(&output.machine, ""), Progress::default())
}

fn throughput(args: &ThroughputArgs) -> Result<(), UserError> {
    let subjects = subject::subjects(&args.subjects)?;
    let (mut report, progress) = start(&args.output);
    let (requests, served) = (&args.requests, &args.served);
    report.add(through::throughput(
        &subjects, requests, served, &args.time, &progress,
    )?);
    progress.end();
    report.finish(&args.output)
}

fn peers(args: &PeersOnlyArgs) -> Result<(), UserError> {
    let subjects = subject::subjects(&args.subjects)?;
    let (mut report, progress) = start(&args.output);
    let threads = peers::threads(&args.peers);
    report.add(peers::measure(&subjects, &threads, &args.time, &progress)?);
    progress.end();
    report.finish(&args.output)
}

fn crossover(args: &CrossoverArgs) -> Result<(), UserError> {
    let subjects = subject::subjects(&args.subjects)?;
    let (mut report, progress) = start(&args.output);
    report.add(peers::measure(&subjects, &[1], &args.time, &progress)?);
    report.add(through::bursts(
        &subjects,
        &args.served,
        &args.time,
        &progress,
    )?);
    progress.end();
    report.finish(&args.output)
}

fn all(args: &AllArgs) -> Result<(), UserError> {
    let subjects = subject::subjects(&args.subjects)?;
    let (mut report, progress) = start(&args.output);
    let (requests, served) = (&args.requests, &args.served);
    let threads = peers::threads(&args.peers);
    report.add(through::throughput(
        &subjects, requests, served, &args.time, &progress,
    )?);
    report.add(through::bursts(&subjects, served, &args.time, &progress)?);
    report.add(peers::measure(&subjects, &threads, &args.time, &progress)?);
    progress.end();
    report.finish(&args.output)
}
