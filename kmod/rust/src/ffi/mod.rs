//! The only unsafe room of the module: calls to the C glue wrapped in safe functions and owning
//! types, and the functions the glue calls.
#![allow(unsafe_code)]

#[cfg(kgpu_kernel)]
mod alloc;
mod exports;
mod files;
mod glue;
mod guest;
#[cfg(any(test, feature = "mock"))]
pub(crate) mod mock;
mod pages;
mod sync;
mod text;

use core::ffi::{c_int, c_void};
use core::num::NonZeroU64;
use core::ptr::NonNull;

use crate::errno::Errno;
use crate::job::JobCore;
pub use guest::GuestDevice;
pub use pages::Pages;
pub use sync::{Guard, Guarded, lock};
pub use text::{Level, Line, Seq, log};

/// Nanoseconds of a monotonic clock.
#[must_use]
pub fn now() -> u64 {
    // SAFETY: no arguments; callable in any context.
    unsafe { glue::kgpu_glue_now() }
}

/// A number that nobody can foresee.
#[must_use]
pub fn random() -> u32 {
    // SAFETY: no arguments; callable in any context.
    unsafe { glue::kgpu_glue_random() }
}

/// A hint to the CPU that this is a polling loop.
pub fn relax() {
    // SAFETY: no arguments; callable in any context.
    unsafe { glue::kgpu_glue_relax() }
}

/// A number for whoever runs now: the user, or for root the process.
#[must_use]
pub fn owner() -> u64 {
    // SAFETY: no arguments; callable in any task context.
    unsafe { glue::kgpu_glue_owner() }
}

/// Processors that are in use.
#[must_use]
pub fn processors() -> u32 {
    // SAFETY: no arguments; callable in any context.
    unsafe { glue::kgpu_glue_processors() }
}

/// The id of the process that runs now.
#[must_use]
pub fn pid() -> i32 {
    // SAFETY: no arguments; callable in any task context.
    unsafe { glue::kgpu_glue_pid() }
}

/// Whether the running task has CAP_SYS_ADMIN.
#[must_use]
pub fn capable() -> bool {
    // SAFETY: no arguments; callable in any task context.
    unsafe { glue::kgpu_glue_capable() != 0 }
}

/// Wakes the engine's thread.
pub fn wake_engine() {
    // SAFETY: no arguments; callable in any context.
    unsafe { glue::kgpu_glue_wake_engine() }
}

/// Has the deliverer of a number, below `engine::DELIVERERS`, begin, in another context.
pub fn deliver_later(number: u32) {
    // SAFETY: the glue has so many work items; queues one.
    unsafe { glue::kgpu_glue_deliver_later(number) }
}

/// Wakes the helper if it sleeps in poll(2).
pub fn wake_helper() {
    // SAFETY: no arguments; callable in any context.
    unsafe { glue::kgpu_glue_wake_helper() }
}

/// Tells the crypto API a registered algorithm's new priority.
pub fn set_priority(index: u32, priority: i32) {
    // SAFETY: the glue bounds the index and ignores algorithms that are not registered.
    unsafe { glue::kgpu_glue_set_priority(index, priority) }
}

/// Has the algorithms registered, in another context, if they are not yet.
pub fn register_later() {
    // SAFETY: no arguments; queues a work item.
    unsafe { glue::kgpu_glue_register_later() }
}

/// The kernel's driver that an algorithm falls back to, as found at load.
#[must_use]
pub fn fallback_driver(index: u32) -> &'static str {
    let mut len = 0;
    // SAFETY: `len` is a valid place for the result.
    let text = unsafe { glue::kgpu_glue_fallback_driver(index, &raw mut len) };
    if text.is_null() {
        return "-";
    }
    // SAFETY: the glue returns a pointer to `len` bytes of a string that lives, unchanged, from
    // load to unload, and this module's code runs in between only.
    let bytes = unsafe { core::slice::from_raw_parts(text, len) };
    core::str::from_utf8(bytes).unwrap_or("?")
}

/// Copies `to.len()` bytes from the calling process.
///
/// # Errors
/// `EFAULT` when the process has no such memory.
pub fn copy_from_user(to: &mut [u8], from: usize) -> Result<(), Errno> {
    // SAFETY: `to` is writable for its length; the glue checks the user's address.
    match unsafe { glue::kgpu_glue_copy_from_user(to.as_mut_ptr(), from, to.len()) } {
        0 => Ok(()),
        _ => Err(Errno::FAULT),
    }
}

/// Copies bytes to the calling process.
///
/// # Errors
/// `EFAULT` when the process has no such memory.
pub fn copy_to_user(to: usize, from: &[u8]) -> Result<(), Errno> {
    // SAFETY: `from` is readable for its length; the glue checks the user's address.
    match unsafe { glue::kgpu_glue_copy_to_user(to, from.as_ptr(), from.len()) } {
        0 => Ok(()),
        _ => Err(Errno::FAULT),
    }
}

/// A request that the module owes an answer for, owned: it is completed exactly once because
/// completing consumes it.
///
/// # Invariants
/// Points to a glue `struct kgpu_job` whose first bytes hold an initialised [`JobCore`], and which
/// nobody else touches until it is queued or completed.
#[derive(Debug)]
pub struct Job(NonNull<c_void>);

// SAFETY: a job is plain memory of the request; the glue hands it from context to context and its
// functions may be called from any thread.
unsafe impl Send for Job {}

impl Job {
    /// Takes over a job that the glue hands in, and initialises its core.
    ///
    /// # Safety
    /// `job` is a `struct kgpu_job` that the caller gives up.
    unsafe fn adopt(job: NonNull<c_void>, core: JobCore) -> Self {
        // SAFETY: the job's first KGPU_JOB_BYTES bytes, 8-byte aligned, are the core's
        // (`kgpu_rust_init` compares the sizes).
        unsafe { job.cast::<JobCore>().write(core) };
        Self(job)
    }

    /// The module's own part of the job.
    #[must_use]
    pub fn core(&self) -> &JobCore {
        // SAFETY: initialised and exclusively ours, by the invariants.
        unsafe { self.0.cast::<JobCore>().as_ref() }
    }

    /// The module's own part of the job.
    pub fn core_mut(&mut self) -> &mut JobCore {
        // SAFETY: initialised and exclusively ours, by the invariants.
        unsafe { self.0.cast::<JobCore>().as_mut() }
    }

    /// Puts the job into the queue; the engine gets it from there. The result is what the
    /// submitter is told: -EINPROGRESS, or -EBUSY where it is queued beyond the limit, as the
    /// submitter's flags allow.
    ///
    /// # Errors
    /// Gives the job back when the queue is full and the submitter does not wait.
    pub fn enqueue(self) -> Result<i32, Self> {
        // SAFETY: a job by the invariants; ownership goes to the queue, unless it is refused.
        let told = unsafe { glue::kgpu_glue_enqueue(self.0.as_ptr()) };
        if told == -Errno::NOSPC.0 {
            Err(self)
        } else {
            Ok(told)
        }
    }

    /// Hands `each` some of the queued jobs, at most `most` of them; of a submitter in its order. The result is how many,
    /// 0 when none is queued. For the engine alone.
    pub fn dequeue(most: usize, each: impl FnMut(Self)) -> usize {
        const ONCE: usize = 64;
        let mut jobs = [core::ptr::null_mut(); ONCE];
        let most = u32::try_from(most.min(ONCE)).unwrap_or(0);
        // SAFETY: there are `most` places or more.
        let count = unsafe { glue::kgpu_glue_dequeue(jobs.as_mut_ptr(), most) };
        let taken = jobs.into_iter().take(count.min(most) as usize);
        // What comes out went in through `enqueue`, so the invariants hold.
        taken.filter_map(NonNull::new).map(Self).map(each).count()
    }

    /// Hands the request to the fallback in the submitter's own context; the result is the
    /// submitter's.
    #[must_use]
    pub fn fall_back_now(self) -> i32 {
        // SAFETY: a job by the invariants; ownership goes to the fallback.
        unsafe { glue::kgpu_glue_fallback_now(self.0.as_ptr()) }
    }

    /// Hands the request to the fallback on a work queue.
    pub fn fall_back_later(self) {
        let taken_over = c_int::from(self.core().taken_over);
        // SAFETY: a job by the invariants; ownership goes to the work queue, and comes back
        // through `kgpu_rust_fallback_done`.
        unsafe { glue::kgpu_glue_fallback_later(self.0.as_ptr(), taken_over) }
    }

    /// The source in physical memory, in order: addresses, and bytes that follow on themselves there; no more than the
    /// request has, less only if its submitter gave it less.
    pub fn source_runs(&self) -> impl Iterator<Item = (u64, u32)> {
        // SAFETY: a job by the invariants.
        let mut at = unsafe { glue::kgpu_glue_source(self.0.as_ptr()) };
        let mut left = self.core().shape.len;
        core::iter::from_fn(move || {
            let mut address = 0;
            if left == 0 {
                return None;
            }
            // SAFETY: `at` is of this job's source, whose submitter leaves it alone while the job is ours; both are
            // places for results.
            let bytes = unsafe { glue::kgpu_glue_source_run(&raw mut at, &raw mut address) };
            let bytes = bytes.min(left);
            left -= bytes;
            (bytes > 0).then_some((address, bytes))
        })
    }

    /// The physical address of the whole source, if it follows on itself.
    #[must_use]
    pub fn source(&self) -> Option<NonZeroU64> {
        let (address, bytes) = self.source_runs().next()?;
        NonZeroU64::new(address).filter(|_| bytes == self.core().shape.len)
    }

    /// Copies source bytes from offset `at` on.
    pub fn read_source(&self, at: u32, to: &mut [u8]) {
        if let Ok(len) = u32::try_from(to.len()) {
            // SAFETY: a job by the invariants; `to` is writable for `len` bytes.
            unsafe { glue::kgpu_glue_read_source(self.0.as_ptr(), at, to.as_mut_ptr(), len) }
        }
    }

    /// Copies result bytes from offset `at` on.
    pub fn read_result(&self, at: u32, to: &mut [u8]) {
        if let Ok(len) = u32::try_from(to.len()) {
            // SAFETY: a job by the invariants; `to` is writable for `len` bytes.
            unsafe { glue::kgpu_glue_read_result(self.0.as_ptr(), at, to.as_mut_ptr(), len) }
        }
    }

    /// Copies the whole source to the pool.
    pub fn copy_in(&self, pages: &Pages, at: u64) {
        let len = self.core().shape.len;
        if let Some(to) = pages.at(at, u64::from(len)) {
            // SAFETY: a job by the invariants; `Pages::at` bounded the destination.
            unsafe { glue::kgpu_glue_read_source(self.0.as_ptr(), 0, to.as_ptr(), len) }
        }
    }

    /// Copies the result from the pool to the request's destination.
    pub fn copy_out(&self, pages: &Pages, at: u64, len: u32) {
        if let Some(from) = pages.at(at, u64::from(len)) {
            // SAFETY: a job by the invariants; `Pages::at` bounded the source. The helper may be
            // changing these bytes: they are data, whose value nothing here depends on.
            unsafe { glue::kgpu_glue_write_result(self.0.as_ptr(), from.as_ptr(), len) }
        }
    }

    /// Writes the IV with which the caller may go on.
    pub fn set_iv(&self, iv: &[u8]) {
        if let Ok(len) = u32::try_from(iv.len()) {
            // SAFETY: a job by the invariants; `iv` is readable for `len` bytes.
            unsafe { glue::kgpu_glue_set_iv(self.0.as_ptr(), iv.as_ptr(), len) }
        }
    }

    /// For requests over pool buffers: says which buffer holds the result.
    pub fn name_result(&self, taken_over: bool) {
        // SAFETY: a job by the invariants.
        unsafe { glue::kgpu_glue_name_result(self.0.as_ptr(), c_int::from(taken_over)) }
    }

    /// Tells the submitter the outcome: 0 or a negative error number. The request is its own again.
    pub fn complete(self, error: i32) {
        // SAFETY: a job by the invariants; ownership goes back to the submitter.
        unsafe { glue::kgpu_glue_complete(self.0.as_ptr(), error) }
    }
}
