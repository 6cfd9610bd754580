//! Which bytes a piece of work is on, and whether pool and guest can lend them: numbers only.

use kgpu_core::abi::guest::{self, PageRun};
use kgpu_core::num::index;

/// Where a source lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// At an offset of the pool.
    Pool(u64),
    /// At a guest-physical address, outside of the pool as far as anybody is concerned. Its bytes are never a
    /// destination.
    Guest(u64),
}

impl Source {
    /// The address of the bytes for somebody who has the pool at `pool`, and a guest's bytes where `guest` says.
    pub fn address(self, pool: u64, guest: impl FnOnce(u64) -> Option<u64>) -> Option<u64> {
        match self {
            Self::Pool(at) => Some(pool + at),
            Self::Guest(address) => guest(address),
        }
    }
}

/// Source and destination of a piece of work. Destinations lie in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The source.
    pub src: Source,
    /// Offset of the destination in the pool; equal to that of a source there, or disjoint from it.
    pub dst: u64,
    /// Source bytes.
    pub len: u32,
    /// Destination bytes.
    pub dst_len: u32,
}

impl Span {
    /// Whether a pool of `pool` bytes, and a guest that lends `areas`, can lend this span, as far as that can be told
    /// by itself.
    ///
    /// # Errors
    /// [`SpanError`], but for [`SpanError::Taken`].
    pub fn check(&self, pool: usize, areas: &[PageRun]) -> Result<(), SpanError> {
        self.ranges(pool)?;
        match self.src {
            Source::Guest(address) if !guest::holds(areas, address, u64::from(self.len)) => {
                Err(SpanError::NoArea {
                    address,
                    len: self.len,
                })
            }
            _ => Ok(()),
        }
    }

    /// Source and destination in the pool; no source when both are the same, or it lies elsewhere.
    pub(super) fn ranges(&self, pool: usize) -> Result<(Range, Range), SpanError> {
        let dst = Range::new(self.dst, self.dst_len, pool)?;
        let Source::Pool(at) = self.src else {
            return Ok((Range::NONE, dst));
        };
        let src = Range::new(at, self.len, pool)?;
        if src == dst {
            Ok((Range::NONE, dst))
        } else if src.overlaps(dst) {
            Err(SpanError::Overlap {
                src: at,
                dst: self.dst,
            })
        } else {
            Ok((src, dst))
        }
    }

    /// Whether the result is written over the source.
    #[must_use]
    pub fn in_place(&self) -> bool {
        self.src == Source::Pool(self.dst)
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
    /// The source is not whole in one of the areas of the guest that were named, if there are any.
    #[error("{len} bytes at guest address {address:#x} are not inside one area of sources")]
    NoArea {
        /// Guest-physical address.
        address: u64,
        /// Bytes.
        len: u32,
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
pub(super) struct Range(pub(super) u64);

impl Range {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn new(at: u64, len: u32, pool: usize) -> Result<Self, SpanError> {
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

    pub(super) const fn start(self) -> u64 {
        self.0 >> 32
    }

    pub(super) const fn end(self) -> u64 {
        self.0 & 0xffff_ffff
    }

    pub(super) const fn len(self) -> usize {
        index(self.end() - self.start())
    }

    pub(super) const fn overlaps(self, other: Self) -> bool {
        self.start() < other.end() && other.start() < self.end()
    }
}
