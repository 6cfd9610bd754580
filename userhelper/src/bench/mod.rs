//! `kgpu bench`: measuring inside this process, without a kernel.
//!
//! * `ring`: what the ring costs beside direct calls.
//! * [`through`]: a backend behind the ring; `resident`: data in the device's memory; `peers`: other implementations; `crossover`: from where
//!   on the backend is the better one of the two.
//! * `kernel`: what a guest measured in its kernel, beside the peers.
//! * `record` is one measured line, `report` writes them, `plot` draws them.
//! * `args` and `subject` are the command line, `numbers`, `clocks` and `progress` what all share.
//!
//! Nothing is measured that was not compared with the CPU path first.

mod args;
mod clocks;
mod crossover;
mod kernel;
pub mod numbers;
mod peers;
mod plot;
mod progress;
mod record;
mod report;
mod resident;
mod ring;
mod subject;
pub mod through;

pub use args::BenchCommand;
pub use subject::{Subject, size, usual_key};

use crate::backend::choice::BackendArgs;
use crate::engine::Choice;
use crate::error::UserError;
use args::{AllArgs, CrossoverArgs, DeviceOnlyArgs, OutputArgs, PeersOnlyArgs, ThroughputArgs};
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
        BenchCommand::Device(args) => device(args),
        BenchCommand::Peers(args) => peers(args),
        BenchCommand::Crossover(args) => crossover(args),
        BenchCommand::All(args) => all(args),
        BenchCommand::Kernel(args) => kernel::run(args),
    }
}

fn start(output: &OutputArgs, choice: &Choice) -> (Report, Progress) {
    let device = match choice {
        Choice::Cpu => String::new(),
        Choice::Device { opener, .. } => opener.describe(),
    };
    (Report::start(&output.machine, &device), Progress::default())
}

/// What computes; no rights are to be dropped first.
fn choose(backend: &BackendArgs) -> Result<Choice, UserError> {
    backend.choose(|| Ok(()))
}

fn throughput(args: &ThroughputArgs) -> Result<(), UserError> {
    let subjects = subject::subjects(&args.subjects)?;
    let choice = choose(&args.served.backend)?;
    let (mut report, progress) = start(&args.output, &choice);
    let bench = through::Bench::new(&choice, &args.served, &args.time, &progress);
    report.add(bench.throughput(&subjects, &args.requests)?);
    progress.end();
    report.finish(&args.output)
}

fn peers(args: &PeersOnlyArgs) -> Result<(), UserError> {
    let subjects = subject::subjects(&args.subjects)?;
    let (mut report, progress) = start(&args.output, &Choice::Cpu);
    let threads = peers::threads(&args.peers);
    report.add(peers::measure(&subjects, &threads, &args.time, &progress)?);
    progress.end();
    report.finish(&args.output)
}

fn device(args: &DeviceOnlyArgs) -> Result<(), UserError> {
    let subjects = subject::subjects(&args.subjects)?;
    let choice = choose(&args.backend)?;
    let Choice::Device { opener, .. } = &choice else {
        return Err(UserError::failure(
            "there is no device to measure",
            "`kgpu devices` says why; `kgpu bench throughput` measures the CPU as well",
        ));
    };
    let (mut report, progress) = start(&args.output, &choice);
    report.add(resident::measure(
        &subjects,
        &**opener,
        &args.device,
        &args.time,
        &progress,
    )?);
    progress.end();
    report.finish(&args.output)
}

fn crossover(args: &CrossoverArgs) -> Result<(), UserError> {
    let subjects = subject::subjects(&args.subjects)?;
    let choice = choose(&args.served.backend)?;
    let (mut report, progress) = start(&args.output, &choice);
    report.add(peers::measure(&subjects, &[1], &args.time, &progress)?);
    let bench = through::Bench::new(&choice, &args.served, &args.time, &progress);
    report.add(bench.bursts(&subjects)?);
    progress.end();
    report.finish(&args.output)
}

fn all(args: &AllArgs) -> Result<(), UserError> {
    let subjects = subject::subjects(&args.subjects)?;
    let choice = choose(&args.served.backend)?;
    let (mut report, progress) = start(&args.output, &choice);
    if let Choice::Device { opener, .. } = &choice {
        let (opener, device) = (&**opener, &args.device);
        report.add(resident::measure(
            &subjects, opener, device, &args.time, &progress,
        )?);
    }
    let bench = through::Bench::new(&choice, &args.served, &args.time, &progress);
    report.add(bench.throughput(&subjects, &args.requests)?);
    report.add(bench.bursts(&subjects)?);
    let threads = peers::threads(&args.peers);
    report.add(peers::measure(&subjects, &threads, &args.time, &progress)?);
    progress.end();
    report.finish(&args.output)
}
