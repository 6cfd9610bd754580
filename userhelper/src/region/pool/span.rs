//! Which bytes of a pool a piece of work is on, and whether a pool can lend them: numbers only.

use kgpu_core::num::index;

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
    pub(super) fn ranges(&self, pool: usize) -> Result<(Range, Range), SpanError> {
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
