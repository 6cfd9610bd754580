//! Lanes: the pool lent out span by span.
#![allow(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use kgpu_core::cpu::Data;
use kgpu_core::num::index;

use super::copies::Copies;
use super::span::{Range, Source};
use super::{Claim, Other, Pool, Span, SpanError};
use crate::region::Region;

/// The right to work on the pool, one span at a time. Not `Clone`: a lane is one claim.
#[derive(Debug)]
pub struct Lane {
    region: Arc<Region>,
    claim: usize,
    /// Of a guest's pool.
    copies: Option<Copies>,
}

impl Lane {
    /// The region's next lane; `None` when all of them are given.
    #[must_use]
    pub fn take(region: &Arc<Region>) -> Option<Self> {
        let claim = region.pool.given.fetch_add(1, Ordering::Relaxed);
        (claim < region.pool.claims.len()).then(|| Self {
            region: Arc::clone(region),
            claim,
            copies: match region.pool.other {
                Other::Kernel => None,
                Other::Guest { tile } => Some(Copies::with_room(tile)),
            },
        })
    }

    #[cfg(test)]
    pub(super) const fn copies(&self) -> bool {
        self.copies.is_some()
    }

    /// Runs `work` on a span's bytes.
    ///
    /// # Errors
    /// [`SpanError`] when the span is not inside the pool and what a guest lends, overlaps itself, or another lane is
    /// at work on its bytes.
    pub fn with<R>(
        &mut self,
        span: &Span,
        work: impl FnOnce(Data<'_>) -> R,
    ) -> Result<R, SpanError> {
        let (src, dst) = span.ranges(self.region.pool.len())?;
        if let Source::Guest(address) = span.src {
            return self.lend_from(address, span.len, dst, |src, dst| {
                work(Data::Apart { src, dst })
            });
        }
        if src == Range::NONE {
            self.lend(src, dst, Old::Kept, |_, data| work(Data::InPlace(data)))
        } else {
            self.lend(src, dst, Old::Any, |src, dst| {
                work(Data::Apart { src, dst })
            })
        }
    }

    /// Reads bytes of the pool.
    ///
    /// # Errors
    /// As [`Lane::with`].
    pub fn read<R>(
        &mut self,
        at: u64,
        len: u32,
        work: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, SpanError> {
        let src = Range::new(at, len, self.region.pool.len())?;
        self.lend(src, Range::NONE, Old::Any, |src, _| work(src))
    }

    /// Writes bytes of the pool.
    ///
    /// # Errors
    /// As [`Lane::with`].
    pub fn write<R>(
        &mut self,
        at: u64,
        len: u32,
        work: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, SpanError> {
        let dst = Range::new(at, len, self.region.pool.len())?;
        self.lend(Range::NONE, dst, Old::Kept, |_, dst| work(dst))
    }

    /// Claims ranges and has `work` work on them.
    fn lend<R>(
        &mut self,
        src: Range,
        dst: Range,
        old: Old,
        work: impl FnOnce(&[u8], &mut [u8]) -> R,
    ) -> Result<R, SpanError> {
        let mut held = Self::hold(&self.region.pool, self.claim, src, dst)?;
        let Some(copies) = &mut self.copies else {
            let (src, dst) = held.both();
            return Ok(work(src, dst));
        };
        let (from, to) = copies.room(src.len(), dst.len());
        held.copy_out(src, from);
        if old == Old::Kept {
            held.copy_out(dst, to);
        }
        let done = work(from, to);
        held.copy_in(to);
        Ok(done)
    }

    /// Claims a destination and has `work` work on a copy of a guest's bytes. They are nobody's to claim.
    fn lend_from<R>(
        &mut self,
        address: u64,
        len: u32,
        dst: Range,
        work: impl FnOnce(&[u8], &mut [u8]) -> R,
    ) -> Result<R, SpanError> {
        let region = &*self.region;
        let held = Self::hold(&region.pool, self.claim, Range::NONE, dst)?;
        let nowhere = SpanError::NoArea { address, len };
        // A region with a guest's sources has a guest's pool.
        let copies = self.copies.as_mut().ok_or(nowhere)?;
        let (from, to) = copies.room(index(u64::from(len)), dst.len());
        region.sources.copy_out(address, from)?;
        let done = work(from, to);
        held.copy_in(to);
        Ok(done)
    }

    /// Claims ranges, or none when another lane's claim conflicts.
    fn hold(pool: &Pool, claim: usize, src: Range, dst: Range) -> Result<Held<'_>, SpanError> {
        // PANIC: `claim` is below the number of claims since `take`.
        let own = &pool.claims[claim];
        own.reads.store(src.0, Ordering::Relaxed);
        own.writes.store(dst.0, Ordering::Relaxed);
        let held = Held {
            pool,
            own,
            src,
            dst,
        };
        // Of two lanes that claim at once, at least one sees the other's claim behind its fence.
        fence(Ordering::SeqCst);
        for (i, other) in pool.claims.iter().enumerate() {
            if i == claim {
                continue;
            }
            // Acquire: what the lane did before it gave its claim up has happened.
            let reads = Range(other.reads.load(Ordering::Acquire));
            let writes = Range(other.writes.load(Ordering::Acquire));
            if dst.overlaps(reads) || dst.overlaps(writes) || src.overlaps(writes) {
                return Err(SpanError::Taken { dst: dst.start() });
            }
        }
        Ok(held)
    }
}

/// Whether work on a destination sees what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Old {
    Kept,
    /// All of it is written, or it does not matter.
    Any,
}

/// A claim in force; given up when dropped, after a panic too.
struct Held<'a> {
    pool: &'a Pool,
    own: &'a Claim,
    src: Range,
    dst: Range,
}

impl Held<'_> {
    /// Source and destination; empty where the claim has none.
    fn both(&mut self) -> (&[u8], &mut [u8]) {
        let base = self.pool.map.base().as_ptr();
        // SAFETY: `Range::new` put the range inside the mapping, which lives as long as the pool
        // that `self` borrows. No `&mut` to these bytes exists: another lane's would need a write
        // claim, which `hold` saw none of, and whoever came later saw ours and stepped back; our
        // own destination is disjoint (`Span::ranges`) or empty. The module leaves a request's bytes alone
        // until its completion; it is the one party that could break this, and it is the kernel: of a guest's
        // pool a lane has copies, and this is not called.
        let src = unsafe {
            std::slice::from_raw_parts(base.add(index(self.src.start())), self.src.len())
        };
        // SAFETY: as above, and for writing: no other lane's claim, read or write, overlaps ours,
        // the source is disjoint or empty, and `&mut self` bars a second slice of this claim.
        let dst = unsafe {
            std::slice::from_raw_parts_mut(base.add(index(self.dst.start())), self.dst.len())
        };
        (src, dst)
    }

    /// Copies bytes of the claim out, as many as `to` has.
    fn copy_out(&self, from: Range, to: &mut [u8]) {
        let base = self.pool.map.base().as_ptr();
        let len = to.len().min(from.len());
        // SAFETY: `Range::new` put the range inside the mapping, which lives as long as the pool that `self`
        // borrows; `to` is this process's own and apart from it. No reference to the pool's bytes is made: the
        // guest may write them meanwhile, then any bytes are what is copied, and they stay so.
        unsafe {
            let from = base.add(index(from.start()));
            std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), len);
        }
    }

    /// Copies a result to the claim's destination.
    fn copy_in(&self, from: &[u8]) {
        let base = self.pool.map.base().as_ptr();
        let len = from.len().min(self.dst.len());
        // SAFETY: as in `copy_out`; the claim is one for writing, which no other lane's overlaps.
        unsafe {
            let to = base.add(index(self.dst.start()));
            std::ptr::copy_nonoverlapping(from.as_ptr(), to, len);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Release: the next lane to find the claim gone sees what was done under it.
        self.own.reads.store(0, Ordering::Release);
        self.own.writes.store(0, Ordering::Release);
    }
}
