//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kgpu_core::abi::DEVICE_PATH;

use crate::backend::choice::BackendArgs;
use crate::bench::{self, BenchCommand};
use crate::catalogue::Catalogue;
use crate::engine::Tuning;
use crate::error::UserError;
use crate::guest::{self, filter::Seccomp};
use crate::residue::{self, ResidueCommand};
use crate::{devices, list, serve, status, verify};

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
module; 8 slower than `bench ring --max-cost` allows; 9 a guest's machine took back memory in use.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Attach to the module, or to a guest's (`--vhost-user`), and compute its requests until SIGTERM or SIGINT.
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
    /// Check every algorithm on this machine: published vectors and random requests through the real
    /// ring, against the modes' standards, libgcrypt and OpenSSL.
    ///
    /// Prints, for each backend and algorithm, how many outputs were compared with what and how many
    /// were wrong, and how many tiles the backend is proven to have computed itself. Ends with exit
    /// code 1 if anything is wrong or unproven. Needs no kernel module and no rights.
    Verify(verify::VerifyArgs),
    /// Measure inside this process, without a kernel: the ring, the device, other implementations.
    #[command(subcommand)]
    Bench(Box<BenchCommand>),
    /// Use known keys, or look for them in a device's memory: a test of what is left behind.
    #[command(subcommand, hide = true)]
    Residue(Box<ResidueCommand>),
}

/// Parses the KiB of a tile.
///
/// # Errors
/// What is wrong with it.
pub fn tile_kib(text: &str) -> Result<u32, String> {
    let kib: u32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if kib.is_power_of_two() && (4..=1024).contains(&kib) {
        Ok(kib)
    } else {
        Err("must be a power of two from 4 to 1024".into())
    }
}

/// Parses a number of threads.
///
/// # Errors
/// What is wrong with it.
pub fn workers(text: &str) -> Result<usize, String> {
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
    /// Milliseconds after which the ring is looked at although nobody rang: what a lost wake-up costs at most.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub look_ms: u64,
    /// Most KiB of a tile, a power of two from 4 to 1024 [default: 64, with a device 1024].
    #[arg(long, value_name = "N", value_parser = tile_kib)]
    pub tile_kib: Option<u32>,
    /// Take over from the helper that is attached, without a request falling back: for upgrades, and for a helper
    /// that hangs. The other one serves until this one has passed the module's known answers, finishes what it has and
    /// ends by itself; one that hangs is to be killed.
    #[arg(long)]
    pub takeover: bool,
    /// The module's device node.
    #[arg(long, value_name = "PATH", default_value = DEVICE_PATH)]
    pub device: PathBuf,
    /// Serve the module of a guest in place of this machine's: make a socket here, for this user only, which the guest's
    /// machine connects to for its kgpu device (vhost-user). Needs no rights, and has none when it serves. Serves one
    /// guest at a time, until SIGTERM or SIGINT. Prints a line that starts with LISTENING when the socket is there.
    #[arg(long, value_name = "SOCKET", conflicts_with_all = ["device", "takeover"])]
    pub vhost_user: Option<PathBuf>,
    /// End when the first guest is gone.
    #[arg(long, requires = "vhost_user")]
    pub once: bool,
    /// What happens when the helper of a guest makes a system call that it does not need: `kill` ends it, `log` logs the
    /// call in the kernel's log, `off` sets no filter.
    #[arg(long, value_enum, default_value_t = Seccomp::Kill, requires = "vhost_user")]
    pub seccomp: Seccomp,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Threads for the machine.
#[must_use]
pub fn all_processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn serve(args: ServeArgs) -> Result<(), UserError> {
    let tuning = Tuning {
        workers: args.workers.unwrap_or_else(all_processors),
        poll: Duration::from_micros(args.poll_us),
        look: Duration::from_millis(args.look_ms),
    };
    match args.vhost_user {
        Some(socket) => guest::serve::serve(&guest::serve::Options {
            socket,
            once: args.once,
            seccomp: args.seccomp,
            tuning,
            tile_kib: args.tile_kib,
            backend: args.backend,
        }),
        None => serve::serve(&serve::Options {
            device: args.device,
            tuning,
            tile_kib: args.tile_kib,
            backend: args.backend,
            takeover: args.takeover,
        }),
    }
}

/// Does what the command line says.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn run(cli: Cli) -> Result<(), UserError> {
    match cli.command {
        Command::Serve(args) => serve(args),
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
        Command::Verify(args) => verify::run(&args),
        Command::Residue(command) => residue::run(&command),
    }
}
