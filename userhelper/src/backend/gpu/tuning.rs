//! What a user can set about the GPU backend.

use std::time::Duration;

/// How kernels reach the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Path {
    /// Whichever suits the batch.
    #[default]
    Auto,
    /// Through copies in device memory.
    Copy,
    /// In the host's memory, where it lies.
    Direct,
}

/// What a user can set about the GPU backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GpuTuning {
    /// Batches in flight, each in a queue of its own. Three keep copies in, kernels and copies out busy; one more
    /// hides the host's part.
    pub queues: usize,
    /// Source bytes from which a batch is full.
    pub batch_bytes: u64,
    /// How long a batch that is not full waits for more while the device is at work.
    pub flush: Duration,
    /// How kernels reach the data.
    pub path: Path,
    /// Bytes of tiles and spans up to which kernels read them in the host's memory.
    pub control_direct: usize,
    /// Whether everything that has a kernel is computed by it, even what a CPU does faster.
    pub everything: bool,
}

impl Default for GpuTuning {
    fn default() -> Self {
        Self {
            queues: 4,
            batch_bytes: 16 << 20,
            flush: Duration::from_micros(10),
            path: Path::Auto,
            // A copy of them takes as long as a kernel's way to the host and back, which it has to go several times.
            control_direct: 0,
            everything: false,
        }
    }
}
