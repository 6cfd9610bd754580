//! `cargo xtask`: set-up, module builds, virtual machine runs, the demo and the tests of kgpu.
//!
//! Only the command line lives here; each command has a module of its own.
#![forbid(unsafe_code)]

mod apt;
mod bench_kernel;
mod bundle;
mod cargo_tools;
mod chaos;
mod checks;
mod debian13;
mod demo;
mod ecryptfs;
mod fuzz;
mod images;
mod kani;
mod kernel;
mod kmod;
mod packages;
mod paths;
mod ptx;
mod setup;
mod shell;
mod tally;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::images::{KernelChoice, Series};
use crate::paths::Paths;

/// Builds, boots and tests kgpu on a Debian 12 machine.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Downloads live in one folder: $KGPU_CACHE, else $XDG_CACHE_HOME/kgpu, else ~/.cache/kgpu. \
                  It may be deleted at any time and is then made again. Builds go to target/."
)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what is missing: Debian packages (as root) and the kernel images (into the cache folder only)
    Setup(setup::Options),
    /// Build the kernel modules and check the Rust object's symbols and relocations
    Kmod {
        /// Which kernel to build for
        #[arg(long, value_enum, default_value_t = KernelChoice::All)]
        kernel: KernelChoice,
    },
    /// Build eCryptfs with our change to it, which submits the extents of many pages together
    Ecryptfs {
        /// Which kernel to build for; `all` are the stock ones and User-Mode Linux
        #[arg(long, value_enum, default_value_t = KernelChoice::All)]
        kernel: KernelChoice,
    },
    /// Assemble the device module for each generation of GPUs; no stack frame, no spill, nothing unresolved
    Ptx,
    /// Write a folder that verifies and benchmarks kgpu on a host with a GPU's driver and no Rust
    Bundle,
    /// Build a kernel that checks itself, from the distribution's source, into the cache folder
    Kernel(kernel::Options),
    /// Boot a kernel under QEMU software emulation and run one guest suite
    Vm(vm::Options),
    /// Boot User-Mode Linux, a kernel that is a program of this machine, and run one guest suite
    Uml(vm::UmlOptions),
    /// Measure in a kernel: callers, dm-crypt and eCryptfs, kgpu against the stock ciphers, beside other libraries
    BenchKernel(bench_kernel::Options),
    /// Run every check: format, lints, tests, models, licences, module builds, virtual machines
    Test(checks::Options),
    /// Feed the fuzz targets: their corpus and random changes of it
    Fuzz(fuzz::Options),
    /// Run the proofs under Kani, where it is installed
    Kani,
    /// Serve a stock kernel's dm-crypt and eCryptfs through kgpu and show who computed what
    Demo(demo::Options),
    /// Strike at helpers at random moments while volumes are at work, and see that nothing is lost
    Chaos(chaos::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    let paths = Paths::find()?;
    match task {
        Task::Setup(options) => setup::run(&paths, &options)?,
        Task::Kmod { kernel } => {
            for series in kernel.series() {
                let image = setup::for_kernels(&paths, &[series])?.remove(0);
                let built = kmod::build(&paths, &image)?;
                println!("modules for {}: {}", image.version, built.dir.display());
            }
        }
        Task::Ecryptfs { kernel } => {
            let mut all = kernel.series();
            if kernel == KernelChoice::All {
                all.push(Series::Uml);
            }
            for series in all {
                let image = setup::for_kernels(&paths, &[series])?.remove(0);
                let module = ecryptfs::build(&paths, &image)?;
                println!("eCryptfs for {}: {}", image.version, module.display());
            }
        }
        Task::Ptx => {
            packages::ensure()?;
            println!(
                "{} kernels, none with a stack frame or a spill",
                ptx::check(&paths)?
            );
        }
        Task::Bundle => bundle::run(&paths)?,
        Task::Kernel(options) => kernel::run(&paths, &options)?,
        Task::Vm(options) => return vm::command(&paths, &options),
        Task::Uml(options) => return vm::uml_command(&paths, &options),
        Task::BenchKernel(options) => return bench_kernel::command(&paths, &options),
        Task::Test(options) => return checks::run(&paths, &options),
        Task::Fuzz(options) => return fuzz::command(&paths, &options),
        Task::Kani => return kani::command(&paths),
        Task::Demo(options) => return demo::run(&paths, &options),
        Task::Chaos(options) => return chaos::command(&paths, &options),
    }
    Ok(ExitCode::SUCCESS)
}

impl KernelChoice {
    /// The series this choice stands for, oldest first.
    fn series(self) -> Vec<Series> {
        match self {
            Self::V6_1 => vec![Series::V6_1],
            Self::V6_12 => vec![Series::V6_12],
            Self::V7 => vec![Series::V7],
            Self::Sanitizer => vec![Series::Sanitizer],
            Self::Uml => vec![Series::Uml],
            Self::All => Series::STOCK.to_vec(),
        }
    }
}
