//! Delivering results: copying them out of the pool and telling their submitters.

use kgpu_core::abi::{Op, SessionState};
use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX, Mode};
use kgpu_core::iv;

use super::fall_back;
use crate::chain::Chain;
use crate::counters::{self, Reason};
use crate::ffi::{self, Job, lock};
use crate::held::tell_of_room;
use crate::session::Session;

/// Delivers chains of results, in the order in which they came. All copies first, so that the lock is taken once to
/// give their room back, and before their submitters are told: they may ask for it at once.
///
/// A helper that was quarantined meanwhile is believed in nothing, and may be writing all over its pool: what is not copied
/// by then the fallback computes, from sources that are as they were.
pub fn all(last: Job) {
    // Turned around: what was submitted first lies first in memory, too, more often than not.
    let (mut lot, mut copied) = (turned(Some(last)), None);
    while let Some(mut job) = lot {
        lot = job.core_mut().before.take();
        if is_believed(&job) {
            copy_chain_out(&job);
            job.core_mut().before = copied.take();
            copied = Some(job);
        } else {
            fall_back(Chain::new(job), Reason::Quarantine);
        }
    }
    let mut first = turned(copied);
    give_back(first.as_mut());
    tell_of_room();
    let now = ffi::now();
    while let Some(mut job) = first {
        first = job.core_mut().before.take();
        done(Chain::new(job), now);
    }
}

/// Chains by their first requests, in the other order.
fn turned(mut rest: Option<Job>) -> Option<Job> {
    let mut first = None;
    while let Some(mut job) = rest {
        rest = core::mem::replace(&mut job.core_mut().before, first.take());
        first = Some(job);
    }
    first
}

/// Whether a chain's results are still those that were believed.
fn is_believed(first: &Job) -> bool {
    let held = first.core().held.as_ref();
    held.is_none_or(|held| held.session().state() != SessionState::Quarantined)
}

/// Copies a chain's results out, each from its place in the pool of the room before it.
fn copy_chain_out(first: &Job) {
    let Some(algorithm) = crate::algorithm(first.algorithm()) else {
        return;
    };
    let (mut at, mut session) = (Some(first), None);
    while let Some(job) = at {
        let core = job.core();
        session = core.held.as_ref().map(|held| &**held.session()).or(session);
        if let Some(session) = session {
            copy_out(job, algorithm, session);
        }
        at = core.next.as_ref();
    }
}

/// Gives back the pool's room of chains that are copied.
fn give_back(first: Option<&mut Job>) {
    let Some(held) = first.as_ref().and_then(|job| job.core().held.as_ref()) else {
        return;
    };
    // Dropped after the lock: may be the last reference.
    let session = held.session().clone();
    let mut guard = lock();
    let mut chain = first;
    while let Some(job) = chain {
        let mut at = Some(&mut *job);
        while let Some(job) = at {
            let core = job.core_mut();
            if let Some(held) = core.held.take() {
                session.books.get(&mut guard).pool.give(held.into_run());
            }
            at = core.next.as_mut();
        }
        chain = job.core_mut().before.as_mut();
    }
}

/// A helper's results are where their submitters want them.
pub(super) fn done(chain: Chain, now: u64) {
    let requests = helped(chain.iter(), now);
    counters::of(chain.first().algorithm())
        .completed
        .add(requests);
    for job in chain {
        job.name_result(false);
        job.complete(0);
    }
}

/// Counts requests of one algorithm that a helper computed. The result is how many they are.
pub(super) fn helped<'a>(jobs: impl Iterator<Item = &'a Job> + Clone, now: u64) -> u64 {
    let (mut requests, mut bytes, mut algorithm) = (0, 0, 0);
    for job in jobs.clone() {
        requests += 1;
        bytes += u64::from(job.core().shape.len);
        algorithm = job.algorithm();
    }
    let counters = counters::of(algorithm);
    counters.helper.add_many(requests, bytes);
    let waited = jobs.map(|job| now.saturating_sub(job.core().accepted_at));
    counters.helper_latency.add_all(waited);
    requests
}

/// Copies a validated result out to where its submitter wants it, and its IV.
fn copy_out(job: &Job, algorithm: &Algorithm, session: &Session) {
    let core = job.core();
    let size = algorithm.iv_size();
    // CBC goes on from the last ciphertext block: of the source when decrypting, read before an
    // in-place destination loses it; of the result when encrypting.
    let mut last = [0; IV_BYTES_MAX];
    if let (Mode::Cbc, Some(last)) = (algorithm.mode, last.get_mut(..size)) {
        let block = core.shape.len - u32::from(algorithm.block_size);
        if core.shape.op == Op::Decrypt {
            job.read_source(block, last);
        } else {
            session.pool.read(core.at + u64::from(block), last);
        }
    }
    job.copy_out(&session.pool, core.at, core.output_len);
    if let Some(iv) = iv::after(
        algorithm.mode,
        &core.shape.iv,
        size,
        u64::from(core.shape.len),
        &last,
    )
    .get(..size)
    {
        job.set_iv(iv);
    }
}
