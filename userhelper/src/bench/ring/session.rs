//! A case through the ring: this thread is the module, a helper serves it.

use std::time::{Duration, Instant};

use kgpu_core::abi::Status;
use kgpu_core::num::index;

use super::buffers::Buffers;
use super::direct::{Direct, Run};
use super::plan::Case;
use crate::catalogue::Catalogue;
use crate::engine::{Choice, EngineError};
use crate::loopback::{Done, Key, LoopError, Loopback, Order};
use crate::region::Lane;
use crate::rig::Rig;

/// Latencies kept; later ones replace the oldest.
const SAMPLES: usize = 1 << 20;
/// A helper that is silent for this long is broken.
const SILENCE: Duration = Duration::from_secs(30);

/// A helper, its ring and a case's requests.
#[derive(Debug)]
pub struct Bench {
    case: Case,
    buffers: Buffers,
    rig: Rig,
    key: Option<Key>,
    /// Nanoseconds.
    latencies: Vec<u32>,
    seen: usize,
    finished: Vec<u64>,
}

fn other(text: String) -> LoopError {
    LoopError::Engine(EngineError::Thread(std::io::Error::other(text)))
}

impl Bench {
    /// Starts a helper for a case.
    ///
    /// # Errors
    /// [`LoopError`].
    pub fn start(case: &Case, choice: &Choice) -> Result<Self, LoopError> {
        let buffers = Buffers::new(case);
        let layout = buffers
            .layout(case)
            .map_err(|error| other(error.to_string()))?;
        let rig = Rig::start_on(
            choice.clone(),
            layout,
            Catalogue::registry(),
            case.tuning(),
            case.tile_bytes,
        )?;
        let key = case.algorithm.has_key().then(|| Key::new(1, &case.key()));
        Ok(Self {
            case: *case,
            buffers,
            rig,
            key,
            latencies: Vec::new(),
            seen: 0,
            finished: Vec::with_capacity(index(buffers.count)),
        })
    }

    /// The module's own access to the pool, while nothing is in flight.
    pub fn lane(&mut self) -> &mut Lane {
        self.rig.module.lane()
    }

    /// Sends every buffer through the ring once and compares with direct calls.
    ///
    /// # Errors
    /// When an answer is wrong.
    pub fn check(&mut self, direct: &Direct) -> Result<(), LoopError> {
        let buffers = self.buffers;
        let mut expected = Vec::new();
        for i in 0..buffers.count {
            let text: Vec<u8> = (i..)
                .map(|byte| byte.to_le_bytes()[0])
                .take(index(u64::from(buffers.len)))
                .collect();
            expected.push(direct.once(&text)?);
            self.lane()
                .write(buffers.src(i), buffers.len, |to| to.copy_from_slice(&text))?;
        }
        for i in 0..buffers.count {
            self.submit(i)?;
        }
        self.rig.module.publish();
        self.drain()?;
        for (i, expected) in (0..).zip(&expected) {
            let same = self
                .lane()
                .read(buffers.dst(i), buffers.out_len, |out| out == expected)?;
            if !same {
                return Err(other(format!("buffer {i} came back wrong")));
            }
        }
        Ok(())
    }

    fn submit(&mut self, buffer: u64) -> Result<(), LoopError> {
        let order = Order {
            algorithm: self.case.algorithm,
            shape: self.case.shape(),
            src: self.buffers.src(buffer),
            dst: self.buffers.dst(buffer),
            user: buffer,
        };
        if self.rig.module.submit(&order, self.key.as_mut())? {
            Ok(())
        } else {
            Err(other("the ring is full below its depth".into()))
        }
    }

    /// Takes completions; waits for the first.
    fn reap(&mut self) -> Result<Instant, LoopError> {
        let mut since = None;
        loop {
            let (finished, mut failed) = (&mut self.finished, None);
            let (latencies, seen) = (&mut self.latencies, &mut self.seen);
            let now = Instant::now();
            let count = self.rig.module.reap(|done: Done| {
                if done.status != Status::Ok {
                    failed = Some(done.status);
                }
                let waited = now.saturating_duration_since(done.since).as_nanos();
                let waited = u32::try_from(waited).unwrap_or(u32::MAX);
                match latencies.get_mut(*seen % SAMPLES) {
                    Some(place) => *place = waited,
                    None => latencies.push(waited),
                }
                *seen += 1;
                finished.push(done.user);
            })?;
            if let Some(status) = failed {
                return Err(other(format!("the helper answered `{status}`")));
            }
            if count > 0 {
                return Ok(now);
            }
            let since = *since.get_or_insert(now);
            if now - since > SILENCE || self.rig.is_finished() {
                return Err(other("the helper does not answer".into()));
            }
            if now - since > self.case.poll {
                self.rig.module.wait(Duration::from_millis(100))?;
            } else {
                std::hint::spin_loop();
            }
        }
    }

    fn drain(&mut self) -> Result<Instant, LoopError> {
        let mut last = Instant::now();
        while self.rig.module.in_flight() > 0 {
            last = self.reap()?;
            self.finished.clear();
        }
        Ok(last)
    }

    /// Keeps the ring as full as the depth says for a while.
    ///
    /// # Errors
    /// [`LoopError`].
    pub fn run(&mut self, duration: Duration) -> Result<Run, LoopError> {
        let start = Instant::now();
        for i in 0..self.buffers.count {
            self.submit(i)?;
        }
        self.rig.module.publish();
        let mut requests = self.buffers.count;
        loop {
            let now = self.reap()?;
            if now - start >= duration {
                break;
            }
            let mut finished = std::mem::take(&mut self.finished);
            for buffer in finished.drain(..) {
                self.submit(buffer)?;
                requests += 1;
            }
            self.finished = finished;
            self.rig.module.publish();
        }
        self.finished.clear();
        let last = self.drain()?.max(start + duration);
        Ok(Run {
            requests,
            elapsed: last - start,
        })
    }

    /// Forgets the latencies seen so far.
    pub fn forget_latencies(&mut self) {
        self.latencies.clear();
        self.seen = 0;
    }

    /// The latencies seen, in nanoseconds.
    #[must_use]
    pub fn latencies(&self) -> &[u32] {
        &self.latencies
    }

    /// Stops the helper.
    ///
    /// # Errors
    /// What broke its session.
    pub fn end(self) -> Result<Loopback, LoopError> {
        self.rig.stop.drain();
        self.rig.join().map(|(_, _, module)| module)
    }
}
