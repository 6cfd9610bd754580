//! Puts a session's dispatcher together with the backend the user chose, and runs it on the
//! calling thread.

use std::sync::Arc;
use std::time::Duration;

use kgpu_core::num::index;

use crate::backend::{Inline, Threads};
use crate::catalogue::Catalogue;
use crate::dispatcher::{Dispatcher, Parts};
use crate::ending::{DispatchError, Ended, Stop};
use crate::link::Link;
use crate::region::{Lane, Region};
use crate::tally::Tally;
use crate::waker::Waker;

/// What the user chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Threads that compute, at least 1; with 1 it is the dispatcher itself.
    pub workers: usize,
    /// How long idle threads poll before they sleep.
    pub poll: Duration,
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

/// Serves a session until it ends. `serving` is called when the ring is about to be served.
///
/// # Errors
/// [`EngineError`].
pub fn run<L: Link>(
    region: Arc<Region>,
    catalogue: Catalogue,
    link: L,
    waker: Arc<Waker>,
    stop: Arc<Stop>,
    tuning: Tuning,
    serving: impl FnOnce(),
) -> Result<(Ended, Tally), EngineError> {
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
            let dispatcher = Dispatcher::new(Parts {
                backend: $backend,
                region,
                catalogue,
                link,
                waker,
                stop,
                poll: tuning.poll,
            });
            serving();
            dispatcher.run()?
        }};
    }
    let mut lanes = lanes;
    Ok(match lanes.pop() {
        Some(lane) if lanes.is_empty() => serve!(Inline::new(lane, jobs)),
        last => {
            lanes.extend(last);
            serve!(Threads::start(
                lanes,
                algorithms,
                jobs,
                tuning.poll,
                Arc::clone(&waker)
            )?)
        }
    })
}
