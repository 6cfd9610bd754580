//! The data pool, lent out span by span so that no two lanes ever hold overlapping bytes of which
//! one writes. What the peer claims about its tiles is checked here, not believed.
mod copies;
mod lane;
#[cfg(any(kani, test))]
mod proofs;
mod span;

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use kgpu_core::abi::guest::PageRun;

use super::Region;
use super::mapping::Mapping;
pub use lane::Lane;
pub use span::{Source, Span, SpanError};

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
    other: Other,
}

/// Whose the pool's bytes are beside this process's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// The kernel of this machine: it leaves a request's bytes alone until the request is done.
    Kernel,
    /// Anybody who may write at any moment. Lanes work on copies.
    Guest {
        /// Bytes of the largest tile that was asked for.
        tile: usize,
    },
}

impl Pool {
    pub(super) fn new(map: Mapping, lanes: usize, other: Other) -> Self {
        Self {
            map,
            claims: (0..lanes).map(|_| Claim::default()).collect(),
            given: AtomicUsize::new(0),
            other,
        }
    }

    /// The same pool as one of a guest, before any lane is taken.
    pub(super) fn of_guest(self, tile: usize) -> Self {
        Self {
            other: Other::Guest { tile },
            ..self
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

/// The pool, or an area of a guest's sources, as a device reaches it: by address, not through a [`Lane`].
///
/// A device's copies and kernels are no accesses of this process: what they race with is wrong data, and never
/// undefined behaviour, as long as no reference of ours covers the same bytes. Who uses the address keeps this:
/// the device touches only bytes of spans that passed [`Span::check`], of jobs that the dispatcher handed over
/// and that were not yet told of as done. Those bytes no lane of this process holds: a job is with one backend at a
/// time. The other side could break this, as far as wrong data: this machine's module, which sees to it that requests in
/// flight do not share bytes that are written, is the kernel; of a guest's pool no lane makes a reference at all.
#[derive(Debug)]
pub struct Window {
    region: Arc<Region>,
    /// Of the sources' areas; `None` for the pool.
    area: Option<usize>,
}

impl Window {
    /// A window to a region's pool, which stays mapped until the window is dropped.
    #[must_use]
    pub fn new(region: &Arc<Region>) -> Self {
        Self {
            region: Arc::clone(region),
            area: None,
        }
    }

    /// Windows to the areas of a region's guest that sources may lie in, with where the guest has each. Their bytes are
    /// to be read only.
    #[must_use]
    pub fn sources(region: &Arc<Region>) -> Vec<(PageRun, Self)> {
        let window = |(number, area): (usize, &PageRun)| {
            let window = Self {
                region: Arc::clone(region),
                area: Some(number),
            };
            (*area, window)
        };
        let areas = region.sources.all().iter().enumerate();
        areas.map(window).collect()
    }

    fn map(&self) -> &Mapping {
        match self.area {
            None => &self.region.pool.map,
            Some(area) => self.region.sources.area(area),
        }
    }

    /// Whether it is the pool's.
    #[must_use]
    pub const fn is_pool(&self) -> bool {
        self.area.is_none()
    }

    /// Its first byte.
    #[must_use]
    pub fn base(&self) -> NonNull<u8> {
        self.map().base()
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kgpu_core::abi::{Layout, RingSizes};
    use kgpu_core::cpu::Data;

    /// What holds for lanes with references holds for lanes with copies.
    #[test]
    fn copies_are_as_good() {
        for other in [Other::Kernel, Other::Guest { tile: 16 }] {
            let mut region = Arc::into_inner(region(2)).unwrap();
            region.pool.other = other;
            let region = Arc::new(region);
            let mut one = Lane::take(&region).unwrap();
            let mut two = Lane::take(&region).unwrap();
            one.write(0, 8, |to| to.copy_from_slice(b"abcdefgh"))
                .unwrap();
            one.write(2, 2, |to| to[0] = b'X').unwrap();
            // Nothing of the pool changes before the work is done, if it is on copies.
            one.with(&span(0, 4096, 8, 4), |data| {
                let Data::Apart { src, dst } = data else {
                    unreachable!()
                };
                assert_eq!(src, b"abXdefgh");
                dst.copy_from_slice(&src[4..]);
                assert!(two.read(4096, 4, |_| ()).is_err());
                two.read(0, 8, |bytes| assert_eq!(bytes, src)).unwrap();
            })
            .unwrap();
            two.read(4096, 5, |bytes| assert_eq!(bytes, b"efgh\0"))
                .unwrap();
            two.with(&span(4097, 4097, 3, 3), |data| match data {
                Data::InPlace(data) => data.reverse(),
                Data::Apart { .. } => unreachable!(),
            })
            .unwrap();
            one.read(4096, 4, |bytes| assert_eq!(bytes, b"ehgf"))
                .unwrap();
            // After a panic it still works on copies.
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _ = one.write(0, 8, |_| std::panic::resume_unwind(Box::new(())));
            }));
            assert!(panicked.is_err());
            assert_eq!(one.copies(), other != Other::Kernel);
            assert!(!format!("{one:?}").contains("97, 98"), "{one:?}");
            two.read(0, 8, |bytes| assert_eq!(bytes, b"abXdefgh"))
                .unwrap();
        }
    }

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
            src: Source::Pool(src),
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
            assert_eq!(good.check(8192, &[]), Ok(()), "{good:?}");
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
            let refused = outside.check(8192, &[]);
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
            let refused = overlap.check(8192, &[]);
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
