//! A whole ring in one process: a helper on its thread, and the module's side of it.

use std::sync::Arc;
use std::thread::JoinHandle;

use kgpu_core::abi::Layout;

use crate::catalogue::Catalogue;
use crate::ending::{Ended, Stop};
use crate::engine::{self, Choice, EngineError, Serving, Tuning};
use crate::link::ThreadLink;
use crate::loopback::{LoopError, Loopback};
use crate::region::Region;
use crate::tally::Tally;
use crate::waker::Waker;

/// A helper that runs on a thread of this process, and the module's side of its ring.
#[derive(Debug)]
pub struct Rig {
    /// The module's side.
    pub module: Loopback,
    /// Tells the helper to stop.
    pub stop: Arc<Stop>,
    helper: JoinHandle<Result<(Ended, Tally), EngineError>>,
}

/// The helper's ends of a rig.
#[derive(Debug)]
pub struct Ends {
    /// The region.
    pub region: Arc<Region>,
    /// The module's side.
    pub link: ThreadLink,
    /// What wakes the dispatcher.
    pub waker: Arc<Waker>,
    /// What stops it.
    pub stop: Arc<Stop>,
}

impl Rig {
    /// Starts a helper that computes on the CPU, on a fresh region.
    ///
    /// # Errors
    /// [`LoopError`]: memory or threads could not be had.
    pub fn start(
        layout: Layout,
        catalogue: Catalogue,
        tuning: Tuning,
        tile_bytes: u32,
    ) -> Result<Self, LoopError> {
        Self::start_on(Choice::Cpu, layout, catalogue, tuning, tile_bytes)
    }

    /// Starts a helper that computes on the chosen backend, on a fresh region.
    ///
    /// # Errors
    /// [`LoopError`]: memory or threads could not be had.
    pub fn start_on(
        choice: Choice,
        layout: Layout,
        catalogue: Catalogue,
        tuning: Tuning,
        tile_bytes: u32,
    ) -> Result<Self, LoopError> {
        let region = Region::in_process(layout, 1, tuning.workers + 1)?;
        Self::start_in(region, choice, catalogue, tuning, tile_bytes)
    }

    /// As [`Rig::start_on`], on a region that the caller has made, with a lane more than there are workers.
    ///
    /// # Errors
    /// [`LoopError`]: threads could not be had.
    pub fn start_in(
        region: Region,
        choice: Choice,
        catalogue: Catalogue,
        tuning: Tuning,
        tile_bytes: u32,
    ) -> Result<Self, LoopError> {
        Self::serve_in(region, tile_bytes, move |ends| {
            let Ends {
                region,
                link,
                waker,
                stop,
            } = ends;
            let serving = Serving {
                region,
                catalogue,
                link,
                waker,
                stop,
                tuning,
                choice,
            };
            engine::run(serving, || {})
        })
    }

    /// Starts a helper that does what `serve` says, on a fresh region with `lanes` lanes, of which the
    /// module's side has one.
    ///
    /// # Errors
    /// [`LoopError`]: memory or threads could not be had.
    pub fn serve(
        layout: Layout,
        lanes: usize,
        tile_bytes: u32,
        serve: impl FnOnce(Ends) -> Result<(Ended, Tally), EngineError> + Send + 'static,
    ) -> Result<Self, LoopError> {
        let region = Region::in_process(layout, 1, lanes)?;
        Self::serve_in(region, tile_bytes, serve)
    }

    /// As [`Rig::serve`], on a region that the caller has made.
    ///
    /// # Errors
    /// [`LoopError`]: threads could not be had.
    pub fn serve_in(
        region: Region,
        tile_bytes: u32,
        serve: impl FnOnce(Ends) -> Result<(Ended, Tally), EngineError> + Send + 'static,
    ) -> Result<Self, LoopError> {
        let region = Arc::new(region);
        let (waker, own) = (Arc::new(Waker::new()?), Arc::new(Waker::new()?));
        let stop = Arc::new(Stop::new(Arc::clone(&waker)));
        let module = Loopback::new(
            Arc::clone(&region),
            Arc::clone(&waker),
            Arc::clone(&own),
            tile_bytes,
        )?;
        let ends = Ends {
            region,
            link: ThreadLink::new(own),
            waker,
            stop: Arc::clone(&stop),
        };
        let helper = std::thread::Builder::new()
            .name("kgpu-dispatch".into())
            .spawn(move || serve(ends))?;
        Ok(Self {
            module,
            stop,
            helper,
        })
    }

    /// Waits for the helper to end, which it does when it was told to. The module's side is given
    /// back, to look at what is left in the ring.
    ///
    /// # Errors
    /// What broke the helper's session.
    pub fn join(self) -> Result<(Ended, Tally, Loopback), LoopError> {
        let (ended, tally) = self.helper.join().map_err(|_| LoopError::Panicked)??;
        Ok((ended, tally, self.module))
    }

    /// Whether the helper has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.helper.is_finished()
    }
}
