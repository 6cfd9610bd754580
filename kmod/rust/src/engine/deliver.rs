//! Delivering results: copying them out of the pool and telling their submitters, on several processors where many come
//! together.

use kgpu_core::abi::Op;
use kgpu_core::algorithm::{IV_BYTES_MAX, Mode};
use kgpu_core::iv;

use super::answer;
use crate::counters;
use crate::ffi::{self, Job, lock};
use crate::held::tell_of_room;
use crate::params;
use crate::session::Session;

/// Results of one pass that wait to be delivered, the last one first.
#[derive(Debug)]
pub(super) struct Landed {
    chain: Option<Job>,
    bytes: u64,
    /// Bytes from which on a chain goes to another processor when one more result comes: copying them takes longer than
    /// waking somebody up for it.
    most: u64,
}

impl Landed {
    /// None so far.
    pub(super) fn new() -> Self {
        Self {
            chain: None,
            bytes: 0,
            most: match params::DELIVER_KIB.get() {
                0 => u64::MAX,
                _ if ffi::processors() == 1 => u64::MAX,
                kib => u64::from(kib) << 10,
            },
        }
    }

    /// Adds a request whose result its `held` is.
    pub(super) fn add(&mut self, mut job: Job) {
        if self.bytes >= self.most {
            self.bytes = 0;
            if let Some(chain) = self.chain.take() {
                chain.deliver_later();
            }
        }
        self.bytes += u64::from(job.core().output_len);
        job.core_mut().next = self.chain.take();
        self.chain = Some(job);
    }
}

impl Drop for Landed {
    /// Delivers what is left, here: nobody can forget to.
    fn drop(&mut self) {
        if let Some(chain) = self.chain.take() {
            all(chain);
        }
    }
}

/// Delivers a chain of results, in the order in which they came. All copies first, so that the lock is taken once to
/// give their room back, and before their submitters are told: they may ask for it at once.
pub fn all(last: Job) {
    let (mut chain, mut first) = (Some(last), None);
    while let Some(mut job) = chain {
        chain = core::mem::replace(&mut job.core_mut().next, first.take());
        first = Some(job);
    }
    let mut at = first.as_ref();
    while let Some(job) = at {
        if let Some(held) = &job.core().held {
            copy_out(job, held.session(), held.at());
        }
        at = job.core().next.as_ref();
    }
    give_back(first.as_mut());
    tell_of_room();
    let now = ffi::now();
    while let Some(mut job) = first {
        first = job.core_mut().next.take();
        done(job, now);
    }
}

/// Gives back the pool's room of a chain that is copied.
fn give_back(mut at: Option<&mut Job>) {
    let Some(held) = at.as_ref().and_then(|job| job.core().held.as_ref()) else {
        return;
    };
    // Dropped after the lock: may be the last reference.
    let session = held.session().clone();
    let mut guard = lock();
    while let Some(job) = at {
        let core = job.core_mut();
        if let Some(held) = core.held.take() {
            session.books.get(&mut guard).pool.give(held.into_run());
        }
        at = core.next.as_mut();
    }
}

/// A helper's result is where its submitter wants it.
pub(super) fn done(job: Job, now: u64) {
    helped(&job, now);
    job.name_result(false);
    answer(job, 0);
}

/// Counts a request that a helper computed.
pub(super) fn helped(job: &Job, now: u64) {
    let counters = counters::of(job.algorithm());
    counters.helper.add(job.core().shape.len);
    counters
        .helper_latency
        .add(now.saturating_sub(job.core().accepted_at));
}

/// Copies a validated result out to where its submitter wants it, and its IV.
fn copy_out(job: &Job, session: &Session, at: u64) {
    let Some(algorithm) = crate::algorithm(job.algorithm()) else {
        return;
    };
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
            session.pool.read(at + u64::from(block), last);
        }
    }
    job.copy_out(&session.pool, at, core.output_len);
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
