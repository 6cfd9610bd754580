//! The command line of `kgpu verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kgpu_core::algorithm::Algorithm;

use crate::backend::choice::DeviceArgs;
use crate::error::UserError;

/// Which backends are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The one that `serve` would take.
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device.
    Cuda,
    /// The kernels' host side in place of a device.
    #[value(hide = true)]
    HostKernels,
    /// Every one that this machine has.
    All,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// What is checked.
    #[arg(long, value_enum, default_value_t = Which::Auto)]
    pub backend: Which,
    /// Which device, and how.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Random requests of each algorithm; each is compared with everything that knows the algorithm.
    /// The published vectors are always run; with 0 they alone.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub cases: u64,
    /// Algorithms by name or driver name, comma-separated [default: all].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub algorithms: Vec<String>,
    /// What the random requests come from: the same seed makes the same requests, for each algorithm
    /// by itself [default: from the clock].
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Run only the random request of this number, of each algorithm: to look at a failure.
    #[arg(long, value_name = "N", conflicts_with = "cases", requires = "seed")]
    pub case: Option<u64>,
    /// Threads of the CPU backend [default: one per processor].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub workers: Option<usize>,
    /// Threads that make requests and find out what is right [default: one per processor].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Write what was found as JSON too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=1024).contains(&count) => Ok(count),
        _ => Err("must be a number from 1 to 1024".into()),
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl VerifyArgs {
    /// The algorithms.
    ///
    /// # Errors
    /// A name that is none.
    pub fn algorithms(&self) -> Result<Vec<&'static Algorithm>, UserError> {
        if self.algorithms.is_empty() {
            return Ok(kgpu_algos::all().to_vec());
        }
        let named = self.algorithms.iter().map(|name| {
            kgpu_algos::by_name(name.trim()).ok_or_else(|| UserError {
                what: format!("there is no algorithm `{name}`"),
                next: "`kgpu list` shows the names".into(),
                code: 2,
            })
        });
        let mut algorithms: Vec<_> = named.collect::<Result<_, _>>()?;
        algorithms.sort_by_key(|algorithm| algorithm.id);
        algorithms.dedup_by_key(|algorithm| algorithm.id);
        Ok(algorithms)
    }

    /// Threads of the CPU backend.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.unwrap_or_else(processors)
    }

    /// Threads that find out what is right.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(processors)
    }
}
