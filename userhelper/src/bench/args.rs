//! The command lines of `kgpu bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::subject::{Keys, Way};
use crate::backend::choice::BackendArgs;
use crate::cli::{tile_kib, workers};

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// What the ring costs: the ring path against one thread that calls the cipher directly.
    ///
    /// For each algorithm, size, depth and number of workers: a thread plays the module's side of
    /// the ring and the real dispatcher and backend serve it; direct and ring runs alternate
    /// over the same buffers, and the medians are printed.
    Ring(RingArgs),
    /// Host to host through the ring: rates, latencies and processor time of a backend.
    Throughput(ThroughputArgs),
    /// Kernels over data that is in the device's memory, and how fast data can be copied there
    /// and back.
    Device(DeviceOnlyArgs),
    /// Other implementations on this machine's processors: OpenSSL, libgcrypt and kgpu's own CPU
    /// path, on one core and on all.
    Peers(PeersOnlyArgs),
    /// The bytes queued from which the backend beats the best driver of one core.
    ///
    /// For each algorithm: bursts of sector requests through the ring, from idle to the last
    /// completion, against the fastest implementation of one core in the same run. The result is
    /// printed in the form of the module's parameter `crossover`.
    Crossover(CrossoverArgs),
    /// All of these but `ring` and `kernel`, in one run and one report.
    All(AllArgs),
    /// What a guest measured in its kernel, beside the peers on the same processors.
    ///
    /// The guest suite `bench` measures callers of the module, dm-crypt and eCryptfs, kgpu against the stock
    /// ciphers of the same kernel, and sends rows; this reports them.
    Kernel(KernelArgs),
}

/// Which algorithms, keys and operations.
#[derive(Clone, Debug, Args)]
pub struct SubjectArgs {
    /// Algorithms by name or driver name, comma-separated, each with its key bits if wished:
    /// `ctr(aes):128,xts(twofish)` [default: all].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub algorithms: Vec<String>,
    /// Keys of algorithms without key bits: the shortest of at least 128 bits, the longest, or both.
    #[arg(long, value_enum, default_value = "short")]
    pub keys: Keys,
    /// Operations of ciphers.
    #[arg(
        long,
        value_enum,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "encrypt,decrypt"
    )]
    pub ops: Vec<Way>,
}

/// How long.
#[derive(Clone, Copy, Debug, Args)]
pub struct TimeArgs {
    /// Seconds of each run.
    #[arg(long, value_name = "S", default_value_t = 0.2, value_parser = seconds)]
    pub seconds: f64,
    /// Runs, of which the median counts and the best is told.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeats: u32,
}

/// What computes behind the ring.
#[derive(Clone, Copy, Debug, Args)]
pub struct ServedArgs {
    /// What computes.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Threads of the CPU backend [default: one per processor].
    #[arg(long, value_name = "N", value_parser = workers)]
    pub workers: Option<usize>,
    /// Microseconds that idle threads poll before they sleep.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub poll_us: u64,
    /// Most KiB of a tile, a power of two from 4 to 1024 [default: 64, with a device 1024].
    #[arg(long, value_name = "N", value_parser = tile_kib)]
    pub tile_kib: Option<u32>,
    /// MiB of the pool at most. Depths are cut to what it holds: each request takes its size twice.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=4095))]
    pub pool_mib: u32,
    /// Put results where the sources are, as the kernel module does for the crypto API.
    #[arg(long)]
    pub in_place: bool,
}

/// The requests that go through the ring.
#[derive(Clone, Debug, Args)]
pub struct RequestArgs {
    /// Request sizes in bytes, or with `k` or `m`.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "512,4k,64k,1m,16m,64m", value_parser = super::size)]
    pub sizes: Vec<u32>,
    /// Requests in flight.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,8,64,1024", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub depths: Vec<u32>,
}

/// The work that lies in the device's memory.
#[derive(Clone, Copy, Debug, Args)]
pub struct ResidentArgs {
    /// MiB of data that kernels work on in the device's memory.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub device_mib: u32,
    /// Keys of the case of many keys: a request of 64 KiB under each.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub device_keys: u32,
}

/// The other implementations.
#[derive(Clone, Debug, Args)]
pub struct PeerArgs {
    /// Numbers of threads [default: 1 and one per processor].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = workers)]
    pub threads: Vec<usize>,
}

/// Where results go besides the screen.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// Write every line as CSV too.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write every line as JSON too, with machine, date, command line and versions.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write plots (SVG) of throughput over request size into a folder, one per cipher.
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// Write the measured crossovers as a file for modprobe.d(5).
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// Write the tables as Markdown too.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// What to call this machine in the report, beside its processor and its device.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub machine: String,
}

/// Arguments of `bench throughput`.
#[derive(Debug, Args)]
pub struct ThroughputArgs {
    /// What.
    #[command(flatten)]
    pub subjects: SubjectArgs,
    /// The requests.
    #[command(flatten)]
    pub requests: RequestArgs,
    /// What serves them.
    #[command(flatten)]
    pub served: ServedArgs,
    /// How long.
    #[command(flatten)]
    pub time: TimeArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `bench device`.
#[derive(Debug, Args)]
pub struct DeviceOnlyArgs {
    /// What.
    #[command(flatten)]
    pub subjects: SubjectArgs,
    /// The work.
    #[command(flatten)]
    pub device: ResidentArgs,
    /// Which device.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// How long.
    #[command(flatten)]
    pub time: TimeArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `bench peers`.
#[derive(Debug, Args)]
pub struct PeersOnlyArgs {
    /// What.
    #[command(flatten)]
    pub subjects: SubjectArgs,
    /// The threads.
    #[command(flatten)]
    pub peers: PeerArgs,
    /// How long.
    #[command(flatten)]
    pub time: TimeArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `bench crossover`.
#[derive(Debug, Args)]
pub struct CrossoverArgs {
    /// What.
    #[command(flatten)]
    pub subjects: SubjectArgs,
    /// What serves.
    #[command(flatten)]
    pub served: ServedArgs,
    /// How long.
    #[command(flatten)]
    pub time: TimeArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `bench all`.
#[derive(Debug, Args)]
pub struct AllArgs {
    /// What.
    #[command(flatten)]
    pub subjects: SubjectArgs,
    /// The requests of the throughput part.
    #[command(flatten)]
    pub requests: RequestArgs,
    /// What serves them.
    #[command(flatten)]
    pub served: ServedArgs,
    /// The work of the device part.
    #[command(flatten)]
    pub device: ResidentArgs,
    /// The threads of the peers part.
    #[command(flatten)]
    pub peers: PeerArgs,
    /// How long.
    #[command(flatten)]
    pub time: TimeArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `bench kernel`.
#[derive(Debug, Args)]
pub struct KernelArgs {
    /// The guest's rows, a line each.
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
    /// Leave the peers out.
    #[arg(long)]
    pub no_peers: bool,
    /// The threads of the peers.
    #[command(flatten)]
    pub peers: PeerArgs,
    /// How long peers are measured.
    #[command(flatten)]
    pub time: TimeArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `bench ring`.
#[derive(Debug, Args)]
pub struct RingArgs {
    /// What computes.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Algorithms by name or driver name, comma-separated, each with its key bits if wished:
    /// `ctr(aes):128,xts(twofish)`. Without key bits, the shortest key of at least 128 bits
    /// [default: all].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub algorithms: Vec<String>,
    /// Request sizes in bytes, or with `k` or `m`.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "4k,64k", value_parser = super::size)]
    pub sizes: Vec<u32>,
    /// Requests in flight.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,32", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub depths: Vec<u32>,
    /// Threads that compute.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1", value_parser = workers)]
    pub workers: Vec<usize>,
    /// Seconds of each run.
    #[arg(long, value_name = "S", default_value_t = 0.1, value_parser = seconds)]
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

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("must be a number above 0 and at most 3600".into()),
    }
}
