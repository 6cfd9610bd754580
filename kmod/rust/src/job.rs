//! The module's own part of a request, kept inside the request itself so that accepting one
//! allocates nothing.

use core::num::NonZeroU64;

use kgpu_core::request::Shape;

use crate::ffi::Job;
use crate::held::Held;
use crate::tfm::TfmRef;

/// Bytes the glue reserves for [`JobCore`] (`KGPU_JOB_BYTES` in glue/glue.h).
pub const JOB_BYTES: usize = 168;

const _: () = assert!(size_of::<JobCore>() <= JOB_BYTES && align_of::<JobCore>() <= 8);

/// A place in a session's pool that a caller of `kgpu.h` owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolPlace {
    /// The session whose pool it is.
    pub session: u32,
    /// Byte offset in the pool.
    pub offset: u64,
}

/// What the module knows of a request.
#[derive(Debug)]
pub struct JobCore {
    /// The transform it came through.
    pub tfm: TfmRef,
    /// What is to be done.
    pub shape: Shape,
    /// When it was accepted, in nanoseconds.
    pub accepted_at: u64,
    /// Source and destination, if the caller's data lies in pool buffers.
    pub buffers: Option<[PoolPlace; 2]>,
    /// Bytes that come out.
    pub output_len: u32,
    /// Physical address of the source, where that follows on itself and a helper may read it there.
    pub source: Option<NonZeroU64>,
    /// The helper reads the source where it lies.
    pub in_place: bool,
    /// The flush found enough queued to be worth a helper; asked once.
    pub worth_it: bool,
    /// A helper had the destination buffer and never gave it back.
    pub taken_over: bool,
    /// It missed its deadline, which was then, in nanoseconds.
    pub deadline: Option<NonZeroU64>,
    /// What it holds of a pool: room for its source and its result, from before it is with a helper until the result is
    /// delivered or compared with what the fallback is computing. Of a chain the first one without room of its own
    /// has that of all others without.
    pub held: Option<Held>,
    /// Where in that pool its bytes begin.
    pub at: u64,
    /// The next of its chain.
    pub next: Option<Job>,
    /// Of a chain's first: the chain that landed before, of those that are delivered together.
    pub before: Option<Job>,
    /// Of the last of these: the next lot of them.
    pub lot: Option<Job>,
}

impl Job {
    /// Index of the request's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> usize {
        self.core().tfm.get().algorithm
    }
}
