//! One measured line, whatever part of the benchmark it is of.

use super::subject::Subject;

/// The part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Copies between host and device.
    Copy,
    /// Kernels over data in the device's memory.
    Device,
    /// Host to host through the ring.
    Throughput,
    /// All queued requests at once, from idle to the last completion.
    Burst,
    /// Other implementations on the processors.
    Peer,
    /// Callers in a kernel: of kgpu, and of its own best drivers.
    Caller,
    /// dm-crypt in a kernel.
    Disk,
    /// eCryptfs in a kernel.
    Folder,
}

impl Part {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Device => "device",
            Self::Throughput => "throughput",
            Self::Burst => "burst",
            Self::Peer => "peer",
            Self::Caller => "caller",
            Self::Disk => "disk",
            Self::Folder => "folder",
        }
    }
}

/// Processor time per 10^9 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuCost {
    /// Of the helper: dispatcher, workers, the driver's threads. Seconds; NaN where it is not known.
    pub helper: f64,
    /// Of the thread that plays the module, or of the kernel that the module is in. Seconds.
    pub submitter: f64,
}

/// One measured line. What does not apply is 0 or `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The part.
    pub part: Part,
    /// What computed: a backend, a library, a direction of copying.
    pub by: String,
    /// The algorithm; empty for copies by the driver.
    pub algorithm: &'static str,
    /// Bits of its key.
    pub key_bits: usize,
    /// The operation; empty for copies by the driver.
    pub op: String,
    /// Bytes of a request, a tile or a data unit.
    pub size: u64,
    /// Bytes of a data unit, where that is not the size: sectors of requests in a kernel.
    pub unit: u64,
    /// Requests in flight, tiles of a launch.
    pub depth: u64,
    /// Keys in use.
    pub keys: u64,
    /// Threads that computed on the processors; 0 where that is the backend's affair.
    pub threads: usize,
    /// 10^9 source bytes per second, the median of the runs.
    pub gigabytes: f64,
    /// The best run.
    pub best: f64,
    /// Half of the requests took at most so many microseconds.
    pub p50_us: Option<f64>,
    /// 99 of 100 requests took at most so many microseconds.
    pub p99_us: Option<f64>,
    /// Processor time.
    pub cpu: Option<CpuCost>,
    /// Result bytes that were compared with the CPU path's before this line was measured.
    pub checked: u64,
}

impl Record {
    /// A line about a subject, with nothing measured yet.
    #[must_use]
    pub fn new(part: Part, by: &str, subject: &Subject) -> Self {
        Self {
            part,
            by: by.to_owned(),
            algorithm: subject.algorithm.name,
            key_bits: subject.key_len * 8,
            op: subject.op.to_string(),
            size: 0,
            unit: 0,
            depth: 1,
            keys: u64::from(subject.algorithm.has_key()),
            threads: 0,
            gigabytes: 0.0,
            best: 0.0,
            p50_us: None,
            p99_us: None,
            cpu: None,
            checked: 0,
        }
    }

    /// Requests per second.
    #[must_use]
    pub fn requests(&self) -> f64 {
        self.gigabytes * 1e9 / super::numbers::float(self.size.max(1))
    }

    /// Whether the line is about this algorithm, key and operation.
    #[must_use]
    pub fn is_of(&self, subject: &Subject) -> bool {
        self.algorithm == subject.algorithm.name
            && self.key_bits == subject.key_len * 8
            && self.op == subject.op.to_string()
    }
}
