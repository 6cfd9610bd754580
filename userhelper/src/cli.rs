//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kgpu_core::abi::DEVICE_PATH;

use crate::backend::choice::BackendArgs;
use crate::bench;
use crate::catalogue::Catalogue;
use crate::engine::Tuning;
use crate::error::UserError;
use crate::{devices, list, serve, status};

/// The helper of the kgpu kernel module: bulk ciphers of the Linux kernel, computed outside of it.
#[derive(Debug, Parser)]
#[command(name = "kgpu", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to log, as in RUST_LOG: `error`, `warn`, `info`, `debug`, or `kgpu_userhelper=debug`.
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "RUST_LOG",
        default_value = "info"
    )]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong command line; 3 module not loaded; 4 rights missing;
5 another helper is attached; 6 module and helper of different revisions; 7 quarantined by the
module; 8 slower than `bench --max-cost` allows.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Attach to the module and compute its requests until SIGTERM or SIGINT.
    ///
    /// Needs root (CAP_SYS_ADMIN to attach; CAP_SYS_RESOURCE and CAP_IPC_LOCK to be safe under
    /// memory pressure) and puts every right down once attached, but for what attaching anew needs,
    /// which the main thread keeps out of effect. Prints a line that starts with READY
    /// when the module has tested this helper and routes requests to it. The first signal detaches
    /// and finishes what is in the ring; a second one abandons it to the kernel's own ciphers.
    Serve(ServeArgs),
    /// Show what the module says of itself: helper, counters, algorithms.
    Status,
    /// List the algorithms that this helper computes.
    List(ListArgs),
    /// List the CUDA devices, and whether kgpu can use them.
    Devices,
    /// Measure the ring inside this process, without a kernel, against one thread that calls the
    /// cipher directly.
    ///
    /// For each algorithm, size, depth and number of workers: a thread plays the module's side of
    /// the ring and the real dispatcher and backend serve it; direct and ring runs alternate over
    /// the same buffers, and the medians are printed.
    Bench(BenchArgs),
}

fn tile_kib(text: &str) -> Result<u32, String> {
    let kib: u32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if kib.is_power_of_two() && (4..=1024).contains(&kib) {
        Ok(kib)
    } else {
        Err("must be a power of two from 4 to 1024".into())
    }
}

fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=1024).contains(&count) => Ok(count),
        _ => Err("must be a number from 1 to 1024".into()),
    }
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// What computes.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Threads that compute on the CPU [default: one per processor]. With 1 the ring is served and computed by
    /// one thread, which has the lowest latency.
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,
    /// Microseconds that idle threads poll before they sleep.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub poll_us: u64,
    /// Most KiB of a tile, a power of two from 4 to 1024.
    #[arg(long, value_name = "N", default_value = "64", value_parser = tile_kib)]
    pub tile_kib: u32,
    /// The module's device node.
    #[arg(long, value_name = "PATH", default_value = DEVICE_PATH)]
    pub device: PathBuf,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What computes.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Algorithms by name or driver name, comma-separated, each with its key bits if wished:
    /// `ctr(aes):128,xts(twofish)`. Without key bits, the shortest key of at least 128 bits
    /// [default: all].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub algorithms: Vec<String>,
    /// Request sizes in bytes, or with `k` or `m`.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "4k,64k", value_parser = bench::size)]
    pub sizes: Vec<u32>,
    /// Requests in flight.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,32", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub depths: Vec<u32>,
    /// Threads that compute.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1", value_parser = workers)]
    pub workers: Vec<usize>,
    /// Seconds of each run.
    #[arg(long, value_name = "S", default_value_t = 0.1)]
    pub seconds: f64,
    /// Pairs of runs, direct and ring, of which the median counts.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeats: u32,
    /// Microseconds that idle threads poll before they sleep.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub poll_us: u64,
    /// Most KiB of a tile, a power of two from 4 to 1024.
    #[arg(long, value_name = "N", default_value = "64", value_parser = tile_kib)]
    pub tile_kib: u32,
    /// Write the table as CSV too.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// End with exit code 8 if the ring costs more than this many percent in any line of one worker.
    #[arg(long, value_name = "PERCENT")]
    pub max_cost: Option<f64>,
}

/// Threads for the machine.
fn all_processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Does what the command line says.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn run(cli: Cli) -> Result<(), UserError> {
    match cli.command {
        Command::Serve(args) => serve::serve(&serve::Options {
            device: args.device,
            tuning: Tuning {
                workers: args.workers.unwrap_or_else(all_processors),
                poll: Duration::from_micros(args.poll_us),
            },
            tile_bytes: args.tile_kib << 10,
            backend: args.backend,
        }),
        Command::Status => {
            print!(
                "{}",
                status::read(status::STATUS_FILE.as_ref(), status::MODULE_DIR.as_ref())?
            );
            Ok(())
        }
        Command::List(args) => {
            let catalogue = Catalogue::registry();
            let algorithms = catalogue.all();
            print!(
                "{}",
                if args.json {
                    list::json(algorithms)
                } else {
                    list::text(algorithms)
                }
            );
            Ok(())
        }
        Command::Devices => {
            print!("{}", devices::text());
            Ok(())
        }
        Command::Bench(args) => bench::run(&args),
    }
}
