//! Which queued requests go to the helper as one. dm-crypt makes a request of each sector: what a request costs beside its
//! bytes (room, a seat, an entry of each ring) is paid once for neighbours in the queue.

use crate::ffi::Job;
use crate::params;
use crate::session::Session;

/// How much is merged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    bytes: u32,
    requests: usize,
}

impl Limits {
    /// Each by itself.
    pub(super) const NONE: Self = Self {
        bytes: 0,
        requests: 1,
    };

    /// Bounds for a session. A small part of its pool and of its tiles, so that there is room for it sooner or later
    /// wherever there is room for one.
    pub(super) fn new(session: &Session) -> Self {
        let sizes = session.layout.sizes;
        let part = u32::try_from(sizes.pool_bytes / 16).unwrap_or(u32::MAX);
        Self {
            bytes: params::merge_bytes().min(part),
            requests: kgpu_core::num::index(u64::from(sizes.tiles / 16)),
        }
    }

    /// How many of the first of these go together: 1 at least. Each is one data unit of the same transform and
    /// operation, and none has its data in buffers.
    pub(super) fn count<'a>(&self, mut jobs: impl Iterator<Item = &'a Job>) -> usize {
        let Some(first) = jobs.next() else { return 1 };
        let single = |job: &Job| {
            let core = job.core();
            core.buffers.is_none() && core.shape.len == core.shape.data_unit_size
        };
        if !single(first) {
            return 1;
        }
        let same = |job: &&Job| {
            core::ptr::eq(job.core().tfm.get(), first.core().tfm.get())
                && job.core().shape.op == first.core().shape.op
                && job.core().held.is_some() == first.core().held.is_some()
                && single(job)
        };
        let mut bytes = first.core().shape.len;
        let more = jobs.take_while(same).take_while(|job| {
            bytes = bytes.saturating_add(job.core().shape.len);
            bytes <= self.bytes
        });
        1 + more.take(self.requests.saturating_sub(1)).count()
    }
}
