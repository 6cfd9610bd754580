//! The data pool, lent out span by span so that no two lanes ever hold overlapping bytes of which
//! one writes. What the peer claims about its tiles is checked here, not believed.
#![allow(unsafe_code)]

#[cfg(any(kani, test))]
mod proofs;

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

use kgpu_core::cpu::Data;
use kgpu_core::num::index;

use super::Region;
use super::mapping::Mapping;

/// Source and destination of a piece of work, in bytes of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Offset of the source.
    pub src: u64,
    /// Offset of the destination; equal to `src`, or disjoint from the source.
    pub dst: u64,
    /// Source bytes.
    pub len: u32,
    /// Destination bytes.
    pub dst_len: u32,
}

impl Span {
    /// Whether a pool of `pool` bytes can lend this span, as far as that can be told by itself.
    ///
    /// # Errors
    /// [`SpanError::Outside`] or [`SpanError::Overlap`].
    pub fn check(&self, pool: usize) -> Result<(), SpanError> {
        self.ranges(pool).map(|_| ())
    }

    /// Source and destination; no source when both are the same.
    fn ranges(&self, pool: usize) -> Result<(Range, Range), SpanError> {
        let src = Range::new(self.src, self.len, pool)?;
        let dst = Range::new(self.dst, self.dst_len, pool)?;
        if src == dst {
            Ok((Range::NONE, dst))
        } else if src.overlaps(dst) {
            Err(SpanError::Overlap {
                src: self.src,
                dst: self.dst,
            })
        } else {
            Ok((src, dst))
        }
    }
}

/// Why a span can't be lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It leaves the pool, or is empty.
    #[error("{len} bytes at {at} are not inside the pool of {pool} bytes")]
    Outside {
        /// Offset.
        at: u64,
        /// Bytes.
        len: u32,
        /// Bytes of the pool.
        pool: u64,
    },
    /// Source and destination overlap without being the same.
    #[error("source at {src} and destination at {dst} overlap")]
    Overlap {
        /// Offset of the source.
        src: u64,
        /// Offset of the destination.
        dst: u64,
    },
    /// Another lane is at work on some of the bytes.
    #[error("the bytes at {dst} are being worked on")]
    Taken {
        /// Offset of the destination.
        dst: u64,
    },
}

/// A byte range of the pool, packed into one word: first byte above, end below. 0 is no range.
///
/// Pools are below 4 GiB (`Layout::new` sees to it, `Range::new` checks it), so both halves fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range(u64);

impl Range {
    const NONE: Self = Self(0);

    fn new(at: u64, len: u32, pool: usize) -> Result<Self, SpanError> {
        let end = at.checked_add(u64::from(len));
        match end {
            Some(end) if len > 0 && index(end) <= pool && end <= u64::from(u32::MAX) => {
                Ok(Self((at << 32) | end))
            }
            _ => Err(SpanError::Outside {
                at,
                len,
                pool: u64::try_from(pool).unwrap_or(u64::MAX),
            }),
        }
    }

    const fn start(self) -> u64 {
        self.0 >> 32
    }

    const fn end(self) -> u64 {
        self.0 & 0xffff_ffff
    }

    const fn len(self) -> usize {
        index(self.end() - self.start())
    }

    const fn overlaps(self, other: Self) -> bool {
        self.start() < other.end() && other.start() < self.end()
    }
}

/// What one lane holds, in cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Claim {
    reads: AtomicU64,
    writes: AtomicU64,
}

/// The data pool.
///
/// # Invariants
/// Its mapping is reached through [`Lane`]s only, and by devices through a [`Window`]. Each lane owns one claim, and a slice of the
/// pool exists only while the lane's claim covers it and no other lane's claim conflicts with it.
#[derive(Debug)]
pub struct Pool {
    map: Mapping,
    claims: Box<[Claim]>,
    given: AtomicUsize,
}

impl Pool {
    pub(super) fn new(map: Mapping, lanes: usize) -> Self {
        Self {
            map,
            claims: (0..lanes).map(|_| Claim::default()).collect(),
            given: AtomicUsize::new(0),
        }
    }

    /// Bytes of the pool.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether the pool has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.map.len() == 0
    }
}

/// The pool as a device reaches it: by address, not through a [`Lane`].
///
/// A device's copies and kernels are no accesses of this process: what they race with is wrong data, and never
/// undefined behaviour, as long as no reference of ours covers the same bytes. Who uses the address keeps this:
/// the device touches only bytes of spans that passed [`Span::check`], of jobs that the dispatcher handed over
/// and that were not yet told of as done. Those bytes no lane of this process holds: a job is with one backend at a
/// time. The module, which sees to it that requests in flight do not share bytes that are written, is the
/// one party that could break this, and it is the kernel.
#[derive(Debug)]
pub struct Window {
    region: Arc<Region>,
}

impl Window {
    /// A window to a region's pool, which stays mapped until the window is dropped.
    #[must_use]
    pub fn new(region: &Arc<Region>) -> Self {
        Self {
            region: Arc::clone(region),
        }
    }

    /// The pool's first byte.
    #[must_use]
    pub fn base(&self) -> NonNull<u8> {
        self.region.pool.map.base()
    }

    /// Bytes of the pool.
    #[must_use]
    pub fn len(&self) -> usize {
        self.region.pool.len()
    }

    /// Whether the pool has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.region.pool.is_empty()
    }
}

/// The right to work on the pool, one span at a time. Not `Clone`: a lane is one claim.
#[derive(Debug)]
pub struct Lane {
    region: Arc<Region>,
    claim: usize,
}

impl Lane {
    /// The region's next lane; `None` when all of them are given.
    #[must_use]
    pub fn take(region: &Arc<Region>) -> Option<Self> {
        let claim = region.pool.given.fetch_add(1, Ordering::Relaxed);
        (claim < region.pool.claims.len()).then(|| Self {
            region: Arc::clone(region),
            claim,
        })
    }

    /// Runs `work` on a span's bytes.
    ///
    /// # Errors
    /// [`SpanError`] when the span is not inside the pool, overlaps itself, or another lane is at
    /// work on its bytes.
    pub fn with<R>(
        &mut self,
        span: &Span,
        work: impl FnOnce(Data<'_>) -> R,
    ) -> Result<R, SpanError> {
        let (src, dst) = span.ranges(self.region.pool.len())?;
        let mut held = self.hold(src, dst)?;
        if src == Range::NONE {
            return Ok(work(Data::InPlace(held.writable())));
        }
        let (src, dst) = held.both();
        Ok(work(Data::Apart { src, dst }))
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
        let mut held = self.hold(src, Range::NONE)?;
        Ok(work(held.both().0))
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
        let mut held = self.hold(Range::NONE, dst)?;
        Ok(work(held.writable()))
    }

    /// Claims ranges, or none when another lane's claim conflicts.
    fn hold(&mut self, src: Range, dst: Range) -> Result<Held<'_>, SpanError> {
        let pool = &self.region.pool;
        // PANIC: `claim` is below the number of claims since `take`.
        let own = &pool.claims[self.claim];
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
            if i == self.claim {
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

/// A claim in force; given up when dropped, after a panic too.
struct Held<'a> {
    pool: &'a Pool,
    own: &'a Claim,
    src: Range,
    dst: Range,
}

impl Held<'_> {
    fn writable(&mut self) -> &mut [u8] {
        self.both().1
    }

    /// Source and destination; empty where the claim has none.
    fn both(&mut self) -> (&[u8], &mut [u8]) {
        let base = self.pool.map.base().as_ptr();
        // SAFETY: `Range::new` put the range inside the mapping, which lives as long as the pool
        // that `self` borrows. No `&mut` to these bytes exists: another lane's would need a write
        // claim, which `hold` saw none of, and whoever came later saw ours and stepped back; our
        // own destination is disjoint (`Span::ranges`) or empty. The module leaves a request's bytes alone
        // until its completion; it is the one party that could break this, and it is the kernel.
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
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Release: the next lane to find the claim gone sees what was done under it.
        self.own.reads.store(0, Ordering::Release);
        self.own.writes.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kgpu_core::abi::{Layout, RingSizes};

    fn region(lanes: usize) -> Arc<Region> {
        let sizes = RingSizes {
            entries: 2,
            tiles: 1,
            keys: 1,
            pool_bytes: 8192,
        };
        Arc::new(Region::in_process(Layout::new(sizes).unwrap(), 1, lanes).unwrap())
    }

    fn span(src: u64, dst: u64, len: u32, dst_len: u32) -> Span {
        Span {
            src,
            dst,
            len,
            dst_len,
        }
    }

    #[test]
    fn spans_stay_inside_the_pool_and_off_themselves() {
        for good in [
            span(0, 0, 8192, 8192),
            span(0, 4096, 4096, 4096),
            span(4096, 4092, 4096, 4),
            span(8191, 0, 1, 1),
        ] {
            assert_eq!(good.check(8192), Ok(()), "{good:?}");
        }
        for outside in [
            span(0, 0, 0, 0),
            span(0, 4096, 1, 0),
            span(8192, 0, 1, 1),
            span(0, 8000, 193, 193),
            span(u64::MAX, 0, 1, 1),
            span(0, u64::MAX - 3, 8, 8),
            span(1 << 32, 0, 1, 1),
        ] {
            let refused = outside.check(8192);
            assert!(
                matches!(refused, Err(SpanError::Outside { .. })),
                "{outside:?}"
            );
        }
        for overlap in [
            span(0, 1, 16, 16),
            span(16, 1, 16, 16),
            span(0, 0, 16, 4),
            span(0, 12, 16, 4),
        ] {
            let refused = overlap.check(8192);
            assert!(
                matches!(refused, Err(SpanError::Overlap { .. })),
                "{overlap:?}"
            );
        }
    }

    #[test]
    fn no_more_lanes_than_claims() {
        let region = region(2);
        assert!(Lane::take(&region).is_some());
        assert!(Lane::take(&region).is_some());
        assert!(Lane::take(&region).is_none());
    }

    #[test]
    fn a_lane_sees_what_another_holds() {
        let region = region(2);
        let mut one = Lane::take(&region).unwrap();
        let mut two = Lane::take(&region).unwrap();
        let writes = span(0, 4096, 1024, 1024);
        one.with(&writes, |_| {
            // Reading the same source is fine; touching the destination is not.
            assert!(two.read(0, 1024, |_| ()).is_ok());
            assert!(two.with(&span(512, 2048, 64, 64), |_| ()).is_ok());
            let taken = Err(SpanError::Taken { dst: 0 });
            assert_eq!(two.write(0, 1, |_| ()), taken);
            assert!(two.read(5119, 1, |_| ()).is_err());
            assert!(two.write(5119, 1, |_| ()).is_err());
            assert!(two.write(5120, 1, |_| ()).is_ok());
        })
        .unwrap();
        assert!(two.write(0, 8192, |_| ()).is_ok());
    }

    #[test]
    fn a_panic_gives_the_claim_up() {
        let region = region(2);
        let mut one = Lane::take(&region).unwrap();
        let mut two = Lane::take(&region).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = one.write(0, 100, |_| std::panic::resume_unwind(Box::new(())));
        }));
        assert!(panicked.is_err());
        assert!(two.write(0, 100, |_| ()).is_ok());
    }

    #[test]
    fn in_place_and_apart() {
        let region = region(1);
        let mut lane = Lane::take(&region).unwrap();
        lane.write(0, 4, |to| to.copy_from_slice(b"kgpu")).unwrap();
        lane.with(&span(0, 100, 4, 2), |data| match data {
            Data::Apart { src, dst } => dst.copy_from_slice(&src[1..3]),
            Data::InPlace(_) => unreachable!(),
        })
        .unwrap();
        lane.with(&span(0, 0, 4, 4), |data| match data {
            Data::InPlace(data) => data.reverse(),
            Data::Apart { .. } => unreachable!(),
        })
        .unwrap();
        lane.read(0, 4, |bytes| assert_eq!(bytes, b"upgk")).unwrap();
        lane.read(100, 2, |bytes| assert_eq!(bytes, b"gp")).unwrap();
    }
}
