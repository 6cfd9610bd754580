//! Puts a session's dispatcher together with the backend the user chose, and runs it on the
//! calling thread.

use std::sync::Arc;
use std::time::Duration;

use kgpu_core::num::index;
use kgpu_core::tiling::TILE_BYTES_DEFAULT;

use crate::backend::gpu::{GpuTuning, Opener};
use crate::backend::{Backend, CPU_CODE, CPU_NAME, Gpu, Inline, Threads};
use crate::catalogue::Catalogue;
use crate::dispatcher::{Dispatcher, Parts};
use crate::ending::{DispatchError, Ended, Stop};
use crate::link::Link;
use crate::region::{Lane, Region};
use crate::tally::Tally;
use crate::waker::Waker;
use crate::wipe;

/// Bytes of a tile for devices, when the user names none.
pub const DEVICE_TILE_BYTES: u32 = 1 << 20;

/// How long the dispatcher sleeps at most, when the user says nothing: a lost wake-up costs no more.
pub const LOOK: Duration = Duration::from_secs(1);

/// What the user chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Threads that compute, at least 1; with 1 it is the dispatcher itself.
    pub workers: usize,
    /// How long idle threads poll before they sleep.
    pub poll: Duration,
    /// How long the dispatcher sleeps at most before it looks at the ring by itself.
    pub look: Duration,
}

/// Why a session could not be served, or broke.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A thread could not be started.
    #[error("a worker thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The region has fewer lanes than there are workers.
    #[error("the region was made for fewer than {0} workers")]
    Lanes(usize),
    /// The session broke.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
}

/// Which backend computes.
#[derive(Clone, Debug, Default)]
pub enum Choice {
    /// The CPU alone.
    #[default]
    Cpu,
    /// A device, and the CPU for what is not for the device.
    Device {
        /// Which device.
        opener: Arc<dyn Opener>,
        /// What the user set about it.
        tuning: GpuTuning,
    },
}

impl Choice {
    /// The backend's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu => CPU_NAME,
            Self::Device { opener, .. } => opener.name(),
        }
    }

    /// The backend's number in completions.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Cpu => CPU_CODE,
            Self::Device { opener, .. } => opener.code(),
        }
    }

    /// Bytes of a tile at most: what was asked for, in KiB, or what suits the backend. A CPU's workers share large
    /// requests by their tiles; a device's kernels do not need that, and each tile costs the ring something.
    #[must_use]
    pub fn tile_bytes(&self, kib: Option<u32>) -> u32 {
        let usual = match self {
            Self::Cpu => TILE_BYTES_DEFAULT,
            Self::Device { .. } => DEVICE_TILE_BYTES,
        };
        kib.map_or(usual, |kib| kib << 10)
    }

    /// One line about it, for the log.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Cpu => CPU_NAME.into(),
            Self::Device { opener, .. } => format!("{}: {}", opener.name(), opener.describe()),
        }
    }
}

/// A session to serve.
#[derive(Debug)]
pub struct Serving<L> {
    /// Its region.
    pub region: Arc<Region>,
    /// The algorithms served.
    pub catalogue: Catalogue,
    /// The other end.
    pub link: L,
    /// What wakes the dispatcher.
    pub waker: Arc<Waker>,
    /// What stops it.
    pub stop: Arc<Stop>,
    /// Workers and polling.
    pub tuning: Tuning,
    /// What computes.
    pub choice: Choice,
}

/// Serves a session until it ends. `serving` is called when the ring is about to be served.
///
/// # Errors
/// [`EngineError`].
pub fn run<L: Link>(
    session: Serving<L>,
    serving: impl FnOnce(),
) -> Result<(Ended, Tally), EngineError> {
    let Serving {
        region,
        catalogue,
        link,
        waker,
        stop,
        tuning,
        choice,
    } = session;
    let workers = tuning.workers.max(1);
    let jobs = index(u64::from(region.layout().sizes.tiles));
    let lanes: Vec<Lane> = (0..workers).map_while(|_| Lane::take(&region)).collect();
    if lanes.len() < workers {
        return Err(EngineError::Lanes(workers));
    }
    let algorithms = catalogue.all().len();
    // One `Parts` per backend type: the dispatcher is compiled for each, without indirect calls.
    macro_rules! serve {
        ($backend:expr) => {{
            let backend = $backend;
            region.name_sources(backend.reads_sources());
            let dispatcher = Dispatcher::new(Parts {
                backend,
                region,
                catalogue,
                link,
                waker,
                stop,
                poll: tuning.poll,
                look: tuning.look,
            });
            serving();
            let ended = dispatcher.run();
            wipe::leftovers_at_end();
            ended?
        }};
    }
    let mut lanes = lanes;
    let alone = match lanes.pop() {
        Some(lane) if lanes.is_empty() => Some(Inline::new(lane, jobs)),
        last => {
            lanes.extend(last);
            None
        }
    };
    let threads = |lanes| Threads::start(lanes, algorithms, jobs, tuning.poll, Arc::clone(&waker));
    Ok(match (choice, alone) {
        (Choice::Cpu, Some(alone)) => serve!(alone),
        (Choice::Cpu, None) => serve!(threads(lanes)?),
        (
            Choice::Device {
                opener,
                tuning: gpu,
            },
            alone,
        ) => {
            let cpu: Box<dyn Backend> = match alone {
                Some(alone) => Box::new(alone),
                None => Box::new(threads(lanes)?),
            };
            let (pool, sleeper) = (Arc::clone(&region), Arc::clone(&waker));
            serve!(Gpu::new(opener, pool, &catalogue, sleeper, cpu, gpu))
        }
    })
}
