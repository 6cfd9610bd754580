//! The GPU backend: gathers jobs into batches, puts them through the queues of a device, and hands what the device
//! can't or should not compute to the CPU backend that it brings along. When the device fails, the CPU computes
//! everything until the device is back.
//!
//! * `device`: what a device must be able to do; `cuda` and `host` are devices.
//! * `batch`, `cut`, `reach`, `runs`: from jobs to launches and copies.
//! * `schedule`, `arena`: keys on the host and on the device.
//! * `live`, `waiter`: the open device, and waiting for it.
//!
//! # A failed device
//!
//! A failed call, or a batch whose kernels did not count what they should have computed, ends the device: it is
//! closed, then the CPU computes the jobs that were in flight. Not those whose results may already lie on their
//! sources: they are answered with [`Fault::DeviceFailed`], and the module, which keeps each request's source
//! until its completion, computes them itself. A thread opens the device again after a second, then after
//! two, up to a minute.

mod arena;
mod batch;
#[cfg(feature = "cuda")]
pub mod cuda;
mod cut;
mod device;
pub mod host;
mod live;
mod reach;
mod runs;
mod schedule;
mod tuning;
mod waiter;

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kgpu_core::num::index;

pub(crate) use cut::{cut, tiles_of};
pub use device::{Address, Device, DeviceError, Opener, Pinned, Queue, Wait};
pub use schedule::{Schedule, Schedules};
pub use tuning::{GpuTuning, Path};

use super::{Backend, CPU_CODE, CPU_NAME};
use crate::catalogue::Catalogue;
use crate::fault::Fault;
use crate::job::{Job, Outcome};
use crate::region::{Region, Source};
use crate::waker::Waker;
use batch::TILES;
use live::{Live, Site};

/// Bytes of a batch below which more of them cost more than they bring: each takes the host some 15 us, in which
/// the link moves most of 1 MiB.
const SPREAD_LEAST: u64 = 1 << 20;
/// How soon a failed device is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long that wait can become.
const PAUSE_MOST: Duration = Duration::from_secs(60);

/// The device, or what has become of it.
#[derive(Debug)]
enum State {
    Live(Box<Live>),
    /// Closed, to be opened again at this time.
    Closed(Instant),
    /// A thread is opening it.
    Opening(JoinHandle<Result<Live, DeviceError>>),
}

/// Computes on a device, and on a CPU what is not for the device.
#[derive(Debug)]
pub struct Gpu {
    state: State,
    site: Site,
    cpu: Box<dyn Backend>,
    /// Jobs for the CPU that it has not taken yet.
    for_cpu: Vec<Job>,
    /// Jobs that wait for a batch, since when, and their source bytes.
    waiting: VecDeque<Job>,
    since: Instant,
    bytes: u64,
    pause: Duration,
    opened: Instant,
    /// Times that the device failed, or could not be opened.
    failures: u32,
    /// Whether the log has why a guest's sources can't be reached.
    told: bool,
}

impl Gpu {
    /// Opens the device, which may take seconds. Where that fails, the CPU computes until it succeeds.
    #[must_use]
    pub fn new(
        opener: Arc<dyn Opener>,
        region: Arc<Region>,
        catalogue: &Catalogue,
        waker: Arc<Waker>,
        cpu: Box<dyn Backend>,
        tuning: GpuTuning,
    ) -> Self {
        let slots = index(u64::from(live::arena_slots(region.layout())));
        let site = Site {
            region,
            algorithms: catalogue.all().to_vec(),
            opener,
            schedules: Arc::new(Schedules::with_room(slots)),
            waker,
            tuning,
        };
        let now = Instant::now();
        // As many as there can be: nothing is allocated while requests come.
        let most = index(u64::from(site.region.layout().sizes.tiles));
        let mut backend = Self {
            state: State::Closed(now + PAUSE),
            site,
            cpu,
            for_cpu: Vec::with_capacity(most),
            waiting: VecDeque::with_capacity(most),
            since: now,
            bytes: 0,
            pause: PAUSE,
            opened: now,
            failures: 0,
            told: false,
        };
        backend.opened(Live::open(&backend.site));
        backend
    }

    /// Goes on with a device that was opened, or waits for the next try.
    fn opened(&mut self, opened: Result<Live, DeviceError>) {
        let entered = opened.and_then(|live| live.enter().map(|()| live));
        match entered {
            Ok(live) => {
                let device = self.site.opener.describe();
                if self.failures > 0 {
                    tracing::info!("{device} is back; it computes again");
                } else {
                    tracing::debug!("{device} is open");
                }
                if let Some(error) = live.unreached()
                    && !std::mem::replace(&mut self.told, true)
                {
                    tracing::warn!(
                        "{device} does not reach the guest's memory outside of the pool ({error}); it computes what is \
                         in the pool"
                    );
                }
                self.opened = Instant::now();
                self.state = State::Live(Box::new(live));
            }
            Err(error) => {
                tracing::error!(
                    "{} can't be used: {error}; the CPU computes, and it is tried again in {} s",
                    self.site.opener.describe(),
                    self.pause.as_secs()
                );
                self.site.opener.failed();
                self.close();
            }
        }
    }

    /// Waits for the next try, longer each time unless the device has worked for a while.
    fn close(&mut self) {
        if self.opened.elapsed() > PAUSE_MOST {
            self.pause = PAUSE;
        }
        self.failures += 1;
        self.state = State::Closed(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MOST);
    }

    /// Ends the device, and hands its jobs on.
    fn fail(&mut self, error: &DeviceError, done: &mut Vec<Outcome>) {
        let state = std::mem::replace(&mut self.state, State::Closed(Instant::now()));
        let State::Live(live) = state else {
            self.state = state;
            return;
        };
        tracing::error!(
            "{} failed: {error}; the CPU computes, and it is tried again in {} s",
            self.site.opener.describe(),
            self.pause.as_secs()
        );
        let code = self.site.opener.code();
        let mut finished = Vec::new();
        let mut lost = Vec::new();
        let for_cpu = &mut self.for_cpu;
        live.wreck(
            |job| finished.push(job.outcome(Ok(()), code)),
            |job| for_cpu.push(job),
            |job| lost.push(job.outcome(Err(Fault::DeviceFailed), code)),
        );
        done.append(&mut finished);
        done.append(&mut lost);
        self.for_cpu.extend(self.waiting.drain(..));
        self.bytes = 0;
        self.site.opener.failed();
        self.close();
    }

    /// Opens a closed device when it is time to.
    fn reopen(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Closed(Instant::now()));
        self.state = match state {
            State::Closed(when) if Instant::now() >= when => {
                let site = self.site.clone();
                let thread = std::thread::Builder::new().name("kgpu-gpu-open".into());
                match thread.spawn(move || {
                    let opened = Live::open(&site);
                    site.waker.wake();
                    opened
                }) {
                    Ok(thread) => State::Opening(thread),
                    Err(error) => {
                        tracing::error!("starting a thread to open the device: {error}");
                        State::Closed(Instant::now() + self.pause)
                    }
                }
            }
            State::Opening(thread) if thread.is_finished() => {
                let opened = thread
                    .join()
                    .unwrap_or_else(|_| Err(DeviceError::new("opening", "panicked")));
                return self.opened(opened);
            }
            other => other,
        };
    }

    /// Starts the batches that are due.
    fn flush(&mut self) -> Result<(), DeviceError> {
        let State::Live(live) = &mut self.state else {
            return Ok(());
        };
        if self.waiting.is_empty() || !live.has_room() {
            return Ok(());
        }
        let tuning = &self.site.tuning;
        let due = self.bytes >= tuning.batch_bytes
            || live.is_idle()
            || self.since.elapsed() >= tuning.flush;
        // What waits is spread over the free queues: one large batch would be copied in, computed and copied out
        // with nothing beside it.
        let queues = u64::try_from(live.room().max(1)).unwrap_or(1);
        let least = SPREAD_LEAST.min(tuning.batch_bytes);
        let enough = (self.bytes / queues).clamp(least, tuning.batch_bytes);
        while due && !self.waiting.is_empty() && live.has_room() {
            let (waiting, left) = (&mut self.waiting, &mut self.bytes);
            live.start(
                |jobs| {
                    let (mut bytes, mut tiles) = (0, 0);
                    while let Some(job) = waiting.front() {
                        tiles += tiles_of(job);
                        let over = tiles > TILES as u64 || bytes >= enough;
                        if over && !jobs.is_empty() {
                            break;
                        }
                        bytes += u64::from(job.span.len);
                        jobs.extend(waiting.pop_front());
                    }
                    *left -= bytes;
                },
                &mut self.for_cpu,
            )?;
        }
        Ok(())
    }

    /// Lets the device get on.
    fn drive(&mut self, done: &mut Vec<Outcome>) -> Result<(), DeviceError> {
        let code = self.site.opener.code();
        if let State::Live(live) = &mut self.state {
            while live.take(|job| done.push(job.outcome(Ok(()), code)))? {}
            live.tidy()?;
        }
        self.flush()
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Closed(Instant::now()));
        if let State::Opening(thread) = state {
            // What it opens holds the region, which is about to be given back.
            let _ = thread.join();
        }
    }
}

impl Backend for Gpu {
    fn name(&self) -> &'static str {
        match self.state {
            State::Live(_) => self.site.opener.name(),
            _ => CPU_NAME,
        }
    }

    fn code(&self) -> u16 {
        match self.state {
            State::Live(_) => self.site.opener.code(),
            _ => CPU_CODE,
        }
    }

    fn schedules(&self) -> Option<Arc<Schedules>> {
        Some(Arc::clone(&self.site.schedules))
    }

    /// Not where the device can't: a copy into the pool costs the guest's module less than a CPU that computes here.
    fn reads_sources(&self) -> bool {
        match &self.state {
            State::Live(live) => live.unreached().is_none(),
            _ => true,
        }
    }

    fn submit(&mut self, jobs: &mut Vec<Job>) {
        let State::Live(live) = &self.state else {
            self.for_cpu.append(jobs);
            return;
        };
        let reached = live.unreached().is_none();
        if self.waiting.is_empty() {
            self.since = Instant::now();
        }
        for job in jobs.drain(..) {
            let there = reached || matches!(job.span.src, Source::Pool(_));
            if there && job.key.schedule.is_some() && tiles_of(&job) <= TILES as u64 {
                self.bytes += u64::from(job.span.len);
                self.waiting.push_back(job);
            } else {
                self.for_cpu.push(job);
            }
        }
    }

    fn hungry(&self) -> bool {
        let room = match self.state {
            State::Live(_) => {
                self.bytes < self.site.tuning.batch_bytes && self.waiting.len() < TILES
            }
            _ => self.cpu.hungry(),
        };
        room && self.for_cpu.is_empty()
    }

    fn collect(&mut self, done: &mut Vec<Outcome>) {
        if matches!(self.state, State::Live(_)) {
            if let Err(error) = self.drive(done) {
                self.fail(&error, done);
            }
        } else {
            self.reopen();
        }
        if !self.for_cpu.is_empty() && self.cpu.hungry() {
            self.cpu.submit(&mut self.for_cpu);
        }
        if self.cpu.pending() > 0 {
            self.cpu.collect(done);
        }
    }

    fn pending(&self) -> usize {
        let flying = match &self.state {
            State::Live(live) => live.jobs(),
            _ => 0,
        };
        flying + self.waiting.len() + self.for_cpu.len() + self.cpu.pending()
    }

    fn ready(&self) -> bool {
        if self.cpu.ready() || (!self.for_cpu.is_empty() && self.cpu.hungry()) {
            return true;
        }
        match &self.state {
            State::Live(live) => {
                (!self.waiting.is_empty() && live.has_room()) || live.ready_or_arm()
            }
            State::Opening(thread) => thread.is_finished(),
            State::Closed(_) => false,
        }
    }
}
