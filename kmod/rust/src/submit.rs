//! Where requests come in, from the crypto API and from `kgpu.h`.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use kgpu_core::abi::{IvStep, Op, SessionState};
use kgpu_core::algorithm::{IV_BYTES_MAX, Output};
use kgpu_core::request::Shape;
use kgpu_core::runs::{GRANULE, Run};

use crate::ALGORITHMS;
use crate::counters::{self, Reason};
use crate::errno::Errno;
use crate::ffi::{self, Job, lock};
use crate::held::Held;
use crate::job::{JobCore, PoolPlace};
use crate::power;
use crate::session::{ATTACHED, IN_PLACE, LIVE, STALLED, Session};
use crate::tfm::TfmRef;

/// Why a request need not be queued: nobody would take it anyway.
pub fn route() -> Option<Reason> {
    if power::is_paused() {
        Some(Reason::Suspended)
    } else if !LIVE.load(Ordering::Acquire) {
        Some(Reason::NoHelper)
    } else if STALLED.load(Ordering::Acquire) {
        Some(Reason::Stalled)
    } else {
        None
    }
}

/// A request's core.
#[must_use]
pub fn core(tfm: TfmRef, shape: Shape, buffers: Option<[PoolPlace; 2]>) -> JobCore {
    let output_len = crate::algorithm(tfm.get().algorithm)
        .and_then(|algorithm| shape.output_len(algorithm).ok())
        .unwrap_or(shape.len);
    JobCore {
        tfm,
        shape,
        accepted_at: ffi::now(),
        buffers,
        output_len,
        source: None,
        in_place: false,
        worth_it: false,
        taken_over: false,
        deadline: None,
        held: None,
        at: 0,
        next: None,
        before: None,
        lot: None,
    }
}

/// A request of the crypto API: one data unit under one IV. The result is what its caller is told.
///
/// Lengths that are not tiled (nothing, ciphertext stealing, wrong ones) go to the fallback in the
/// caller's own context, which gives them exactly the stock answer; so does everything while no
/// helper is there, and what finds the queue full from a caller that does not wait (eCryptfs would
/// make an I/O error of -ENOSPC). `waits`: the caller lets itself be held back, so that the queue takes it in any case.
#[must_use]
pub fn skcipher(mut job: Job, waits: bool) -> i32 {
    let index = job.algorithm();
    let shape = job.core().shape;
    let fits = crate::algorithm(index).is_some_and(|algorithm| shape.check(algorithm).is_ok());
    let reason = if fits { route() } else { Some(Reason::Shape) };
    match reason {
        Some(reason) => {
            counters::fell_back(index, reason, shape.len);
            job.fall_back_now()
        }
        None => {
            if IN_PLACE.load(Ordering::Acquire) {
                let source = job.source();
                job.core_mut().source = source;
            } else if waits {
                bring(&mut job);
            }
            enqueue(job).unwrap_or_else(|job| {
                counters::fell_back(index, Reason::Full, shape.len);
                job.fall_back_now()
            })
        }
    }
}

/// Whether the last request of an algorithm that the engine looked at was worth a helper.
static WORTH: [AtomicBool; ALGORITHMS] = [const { AtomicBool::new(false) }; ALGORITHMS];

/// The engine found a request of this algorithm worth a helper, or not.
pub fn expect(algorithm: usize, worth: bool) {
    if let Some(expected) = WORTH.get(algorithm)
        && expected.load(Ordering::Relaxed) != worth
    {
        expected.store(worth, Ordering::Relaxed);
    }
}

/// Copies the source to the pool here, where every processor may be at it, rather than on the engine's one. Only
/// while half of the pool is free, so that nobody waits long because of requests that wait themselves.
fn bring(job: &mut Job) {
    let index = job.algorithm();
    let worth = WORTH.get(index).is_some_and(|w| w.load(Ordering::Relaxed));
    let in_place = crate::algorithm(index).is_some_and(|a| matches!(a.output, Output::SameAsInput));
    if !worth || !in_place || ffi::processors() == 1 {
        return;
    }
    let Some((session, run)) = room(job.core().shape.len) else {
        return;
    };
    let at = Session::pool_offset(run);
    job.copy_in(&session.pool, at);
    let core = job.core_mut();
    core.at = at;
    core.held = Some(Held::new(session, run));
}

/// Pool granules of the session that is routed to, if half of its pool stays free.
fn room(bytes: u32) -> Option<(Arc<Session>, Run)> {
    let mut guard = lock();
    // Dropped before the guard: not the last reference, since ATTACHED has its own.
    let session = ATTACHED.get(&mut guard).current()?.clone();
    if session.state() != SessionState::Live {
        return None;
    }
    let pool = &session.books.get(&mut guard).pool;
    let free_then = pool.free_units().checked_sub(bytes.div_ceil(GRANULE))?;
    if free_then < pool.units() / 2 {
        return None;
    }
    let run = session.take_pool(&mut guard, bytes)?;
    Some((session, run))
}

/// A request of `kgpu.h`, already checked: as above, but the fallback works on a work queue, since
/// it may take long and the caller may not sleep.
#[must_use]
pub fn api(job: Job) -> i32 {
    match route() {
        Some(reason) => {
            counters::fell_back(job.algorithm(), reason, job.core().shape.len);
            counters::of(job.algorithm()).accepted.add(1);
            job.fall_back_later();
            -Errno::INPROGRESS.0
        }
        None => enqueue(job).unwrap_or(-Errno::NOSPC.0),
    }
}

fn enqueue(job: Job) -> Result<i32, Job> {
    let told = job.enqueue();
    ffi::wake_engine();
    told
}

/// The shape of a `kgpu.h` request, checked.
///
/// # Errors
/// `EINVAL` for codes that mean nothing and shapes the algorithm does not have.
pub fn api_shape(
    algorithm: usize,
    op: u8,
    len: u32,
    data_unit_size: u32,
    iv_step: u8,
    iv: [u8; IV_BYTES_MAX],
) -> Result<Shape, Errno> {
    let descriptor = crate::algorithm(algorithm).ok_or(Errno::NOENT)?;
    let shape = Shape {
        op: Op::try_from(op).map_err(|_| Errno::INVAL)?,
        len,
        data_unit_size: if data_unit_size == 0 {
            len
        } else {
            data_unit_size
        },
        iv,
        iv_step: IvStep::try_from(iv_step).map_err(|_| Errno::INVAL)?,
    };
    shape.check(descriptor).map_err(|_| Errno::INVAL)?;
    Ok(shape)
}

/// Whether a shape's result can be computed over its source, as a takeover of pool buffers does:
/// the output of each unit must not run ahead of the input.
#[must_use]
pub fn fits_in_place(algorithm: usize, shape: &Shape) -> bool {
    match crate::algorithm(algorithm).map(|a| a.output) {
        Some(Output::SameAsInput) => true,
        Some(Output::PerUnit(bytes)) => bytes <= shape.data_unit_size,
        None => false,
    }
}
