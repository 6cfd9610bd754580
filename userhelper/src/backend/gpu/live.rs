//! An open device with everything the backend has made on it.

use std::collections::VecDeque;
use std::sync::Arc;

use kgpu_core::abi::Layout;
use kgpu_core::algorithm::Algorithm;

use super::arena::Arena;
use super::batch::Batch;
use super::device::{Device, DeviceError, Opener};
use super::reach::Ground;
use super::schedule::Schedules;
use super::tuning::GpuTuning;
use super::waiter::Waiter;
use crate::job::Job;
use crate::region::{Region, Window};
use crate::waker::Waker;

/// Part of the device's free memory that mirrors may take: others use it too.
const MIRRORS_PART: u64 = 2;

/// Slots of an arena. Old keys stay until the jobs that use them are done: twice the key table.
pub(super) const fn arena_slots(layout: &Layout) -> u32 {
    2 * layout.sizes.keys + 64
}

/// What a device is opened for.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) region: Arc<Region>,
    pub(super) algorithms: Vec<&'static Algorithm>,
    pub(super) opener: Arc<dyn Opener>,
    pub(super) schedules: Arc<Schedules>,
    pub(super) waker: Arc<Waker>,
    pub(super) tuning: GpuTuning,
}

/// The device at work.
#[derive(Debug)]
pub(super) struct Live {
    batches: Vec<Batch>,
    idle: Vec<usize>,
    /// Batches in flight, the oldest first.
    flying: VecDeque<usize>,
    arena: Arena,
    ground: Ground,
    /// Why the areas of sources could not be registered, if they could not.
    unreached: Option<DeviceError>,
    // In this order: the waiter's thread uses the device.
    waiter: Waiter,
    device: Box<dyn Device>,
}

impl Live {
    /// Opens the device and makes all that is needed on it. Takes up to seconds. The result is to be
    /// [`Live::enter`]ed by the thread that works with it.
    pub(super) fn open(site: &Site) -> Result<Self, DeviceError> {
        let mut device = site.opener.open(&site.algorithms)?;
        device.enter()?;
        let tuning = site.tuning;
        let queues = tuning.queues.max(1);
        // The last one is the arena's.
        device.queues(queues + 1)?;
        let pool = Window::new(&site.region);
        let bytes = pool.len();
        let direct = device.register(Window::new(&site.region))?;
        let (areas, windows): (Vec<_>, _) = Window::sources(&site.region).into_iter().unzip();
        let (sources, unreached) = match device.register_sources(windows) {
            Ok(addresses) => (areas.into_iter().zip(addresses).collect(), None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let words = site
            .algorithms
            .iter()
            .filter_map(|algorithm| algorithm.device)
            .map(|code| code.schedule_words)
            .max()
            .unwrap_or(0);
        let slots = arena_slots(site.region.layout());
        let arena = Arena::new(
            &mut *device,
            Arc::clone(&site.schedules),
            queues,
            slots,
            words,
        )?;
        let batches = (0..queues)
            .map(|queue| Batch::new(&mut *device, queue, &tuning))
            .collect::<Result<Vec<_>, _>>()?;
        let free = device.free_memory()? / MIRRORS_PART;
        let mirrors = if u64::try_from(bytes).unwrap_or(u64::MAX) <= free / 2 {
            Some((device.allocate(bytes)?, device.allocate(bytes)?))
        } else {
            tracing::info!(
                pool_mib = bytes >> 20,
                free_mib = (free * MIRRORS_PART) >> 20,
                "device memory is too small for copies of the pool; kernels will reach into it"
            );
            None
        };
        let waiter = Waiter::start(device.waiter(), Arc::clone(&site.waker))
            .map_err(|error| DeviceError::new("starting a thread", error.to_string()))?;
        Ok(Self {
            idle: (0..queues).rev().collect(),
            flying: VecDeque::with_capacity(queues),
            batches,
            arena,
            ground: Ground {
                card: device.card(),
                pool,
                direct,
                sources,
                mirrors,
                tuning,
            },
            unreached,
            waiter,
            device,
        })
    }

    /// Makes the device usable on the calling thread.
    pub(super) fn enter(&self) -> Result<(), DeviceError> {
        self.device.enter()
    }

    /// Why kernels can't reach the sources of the session's guest, if they can't.
    pub(super) const fn unreached(&self) -> Option<&DeviceError> {
        self.unreached.as_ref()
    }

    /// Whether another batch can be started.
    pub(super) fn has_room(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Queues that are free.
    pub(super) fn room(&self) -> usize {
        self.idle.len()
    }

    /// Whether nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.flying.is_empty()
    }

    /// Jobs in flight.
    pub(super) fn jobs(&self) -> usize {
        let flying = self.flying.iter().filter_map(|at| self.batches.get(*at));
        flying.map(|batch| batch.jobs.len()).sum()
    }

    /// Starts a batch of the jobs that `fill` puts into a vector; those that the device does not compute go to
    /// `refused`. After an error the batch counts as in flight.
    pub(super) fn start(
        &mut self,
        fill: impl FnOnce(&mut Vec<Job>),
        refused: &mut Vec<Job>,
    ) -> Result<(), DeviceError> {
        let Some(at) = self.idle.pop() else {
            return Ok(());
        };
        self.flying.push_back(at);
        let Some(batch) = self.batches.get_mut(at) else {
            return Ok(());
        };
        fill(&mut batch.jobs);
        batch.prepare(&self.ground, &*self.device, &mut self.arena, refused)?;
        if batch.jobs.is_empty() {
            self.flying.pop_back();
            self.idle.push(at);
            return Ok(());
        }
        batch.enqueue(&self.ground, &*self.device, &self.arena)
    }

    /// Takes the oldest batch back if it is done: `each` gets its jobs. Whether there was one. After an error it
    /// still counts as in flight.
    pub(super) fn take(&mut self, mut each: impl FnMut(Job)) -> Result<bool, DeviceError> {
        let Some(&at) = self.flying.front() else {
            return Ok(false);
        };
        let Some(batch) = self.batches.get_mut(at) else {
            return Ok(false);
        };
        if !self.device.reached(batch.queue)? {
            return Ok(false);
        }
        batch.verify()?;
        batch.jobs.drain(..).for_each(&mut each);
        self.flying.pop_front();
        self.idle.push(at);
        Ok(true)
    }

    /// Whether [`Live::take`] would take something, or fail. If not, the dispatcher is woken when it would.
    pub(super) fn ready_or_arm(&self) -> bool {
        let Some(batch) = self.flying.front().and_then(|at| self.batches.get(*at)) else {
            return false;
        };
        if !matches!(self.device.reached(batch.queue), Ok(false)) {
            return true;
        }
        self.waiter.arm(batch.queue);
        false
    }

    /// Clears what keys have left behind.
    pub(super) fn tidy(&mut self) -> Result<(), DeviceError> {
        self.arena.tidy(&*self.device)
    }

    /// Ends the device after a failure. Nothing of it writes to the pool when this returns. `done` gets the jobs
    /// that it computed all the same, `open` those to be computed by others, `lost` those whose source may be
    /// overwritten.
    pub(super) fn wreck(
        mut self,
        mut done: impl FnMut(Job),
        mut open: impl FnMut(Job),
        mut lost: impl FnMut(Job),
    ) {
        let mut rest = Vec::new();
        while let Some(at) = self.flying.pop_front() {
            let Some(batch) = self.batches.get_mut(at) else {
                continue;
            };
            // A batch that was only half put into its queue has no mark: what its launches did shows.
            let good = self.device.finish(batch.queue).is_ok()
                && batch.is_marked()
                && batch.verify().is_ok();
            for job in std::mem::take(&mut batch.jobs) {
                if good {
                    done(job);
                } else {
                    let spoilt = batch.spoilt(&job);
                    rest.push((job, spoilt));
                }
            }
        }
        // Before anybody else writes: the device may be in the middle of something.
        drop(self);
        for (job, spoilt) in rest {
            if spoilt {
                lost(job);
            } else {
                open(job);
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for batch in &self.batches {
            // Errors are those of a device that is being left; its own drop says more.
            let _ = self.device.finish(batch.queue);
        }
    }
}
