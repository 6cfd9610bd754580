//! Where a case's buffers lie in the pool: all sources, then, for algorithms whose output has
//! another length, all destinations.

use kgpu_core::abi::{Layout, LayoutError, PAGE, RingSizes};
use kgpu_core::algorithm::Output;
use kgpu_core::num::index;
use kgpu_core::runs::GRANULE;
use kgpu_core::tiling;

use super::plan::Case;

/// The places of a case's buffers.
#[derive(Clone, Copy, Debug)]
pub struct Buffers {
    /// Buffers.
    pub count: u64,
    /// Bytes of a source.
    pub len: u32,
    /// Bytes of a destination.
    pub out_len: u32,
    /// Whether results replace their sources.
    pub in_place: bool,
    stride: u64,
    out_stride: u64,
}

const fn granules(bytes: u32) -> u64 {
    bytes.div_ceil(GRANULE) as u64 * GRANULE as u64
}

impl Buffers {
    /// The buffers of a case.
    #[must_use]
    pub fn new(case: &Case) -> Self {
        let out_len = case.shape().output_len(case.algorithm).unwrap_or(0);
        Self {
            count: u64::from(case.depth),
            len: case.size,
            out_len,
            in_place: matches!(case.algorithm.output, Output::SameAsInput),
            stride: granules(case.size),
            out_stride: granules(out_len),
        }
    }

    /// Pool offset of a source.
    #[must_use]
    pub const fn src(&self, i: u64) -> u64 {
        i * self.stride
    }

    /// Pool offset of a destination.
    #[must_use]
    pub const fn dst(&self, i: u64) -> u64 {
        if self.in_place {
            self.src(i)
        } else {
            self.count * self.stride + i * self.out_stride
        }
    }

    /// Bytes of the pool that are used.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        let out = if self.in_place { 0 } else { self.out_stride };
        self.count * (self.stride + out)
    }

    /// Where the destinations start, seen from the start of the pool, when they are apart.
    #[must_use]
    pub const fn split(&self) -> usize {
        index(self.count * self.stride)
    }

    /// The region that holds them, its rings just large enough for the depth.
    ///
    /// # Errors
    /// When that is more than a region can hold.
    pub fn layout(&self, case: &Case) -> Result<Layout, LayoutError> {
        let tiles = tiling::count(case.algorithm, &case.shape(), case.tile_bytes);
        Layout::new(RingSizes {
            entries: case.depth.next_power_of_two().max(2),
            tiles: tiles.saturating_mul(case.depth),
            keys: 4,
            pool_bytes: self.bytes().div_ceil(PAGE) * PAGE,
        })
    }
}
