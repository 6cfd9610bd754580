//! The baseline: one thread that calls the cipher on each buffer in turn, with nothing around it.

use std::time::{Duration, Instant};

use kgpu_core::cpu::{CpuKey, Data, Work, WorkError};
use kgpu_core::num::index;

use super::buffers::Buffers;
use super::plan::Case;
use crate::engine::EngineError;
use crate::loopback::LoopError;
use crate::region::Lane;

/// Bytes computed between two looks at the clock.
const GLANCE: u64 = 64 << 10;

/// Requests and the time they took.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Requests done.
    pub requests: u64,
    /// Time from the first to the last.
    pub elapsed: Duration,
}

impl Run {
    /// Requests per second.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// A case's expanded key and its work.
#[derive(Debug)]
pub struct Direct {
    key: Box<dyn CpuKey>,
    work: Work,
    buffers: Buffers,
}

fn refused(error: &WorkError) -> LoopError {
    LoopError::Engine(EngineError::Thread(std::io::Error::other(
        error.to_string(),
    )))
}

impl Direct {
    /// Expands a case's key.
    ///
    /// # Errors
    /// When the algorithm refuses it.
    pub fn new(case: &Case) -> Result<Self, LoopError> {
        let shape = case.shape();
        let key = (case.algorithm.cpu)(&case.key())
            .map_err(|error| EngineError::Thread(std::io::Error::other(error.to_string())))?;
        Ok(Self {
            key,
            work: Work {
                op: shape.op,
                data_unit_size: shape.data_unit_size,
                iv_step: shape.iv_step,
                iv: shape.iv,
                first_block: 0,
            },
            buffers: Buffers::new(case),
        })
    }

    /// Computes one buffer that is not in the pool.
    ///
    /// # Errors
    /// When the algorithm refuses the work.
    pub fn once(&self, src: &[u8]) -> Result<Vec<u8>, LoopError> {
        let mut out = vec![0; index(u64::from(self.buffers.out_len))];
        let data = Data::Apart { src, dst: &mut out };
        self.key.run(&self.work, data).map_err(|e| refused(&e))?;
        Ok(out)
    }

    /// Runs over the pool's buffers for a while.
    ///
    /// # Errors
    /// When the algorithm refuses the work.
    pub fn run(&self, lane: &mut Lane, duration: Duration) -> Result<Run, LoopError> {
        let bytes = u32::try_from(self.buffers.bytes()).unwrap_or(u32::MAX);
        lane.write(0, bytes, |pool| self.rounds(pool, duration))?
            .map_err(|error| refused(&error))
    }

    fn rounds(&self, pool: &mut [u8], duration: Duration) -> Result<Run, WorkError> {
        let buffers = &self.buffers;
        let (len, out_len) = (
            index(u64::from(buffers.len)),
            index(u64::from(buffers.out_len)),
        );
        let (mut requests, mut unseen, mut next) = (0, 0, 0);
        let start = Instant::now();
        loop {
            let (src, dst) = (index(buffers.src(next)), index(buffers.dst(next)));
            let data = if buffers.in_place {
                Data::InPlace(pool.get_mut(src..src + len).unwrap_or_default())
            } else {
                let (sources, outs) = pool.split_at_mut(buffers.split());
                let dst = dst - buffers.split();
                Data::Apart {
                    src: sources.get(src..src + len).unwrap_or_default(),
                    dst: outs.get_mut(dst..dst + out_len).unwrap_or_default(),
                }
            };
            self.key.run(&self.work, data)?;
            requests += 1;
            next = if next + 1 == buffers.count {
                0
            } else {
                next + 1
            };
            unseen += u64::from(buffers.len);
            if unseen >= GLANCE {
                unseen = 0;
                let elapsed = start.elapsed();
                if elapsed >= duration {
                    return Ok(Run { requests, elapsed });
                }
            }
        }
    }
}
