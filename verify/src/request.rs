//! A request as the checks hand it to a backend: what is to be computed, and what the runner is free
//! to choose about where it lies.

use std::fmt;

use kgpu_core::algorithm::Algorithm;
use kgpu_core::num;
use kgpu_core::request::Shape;
use kgpu_core::tiling;

use crate::pool::Layout;

/// A request with all it needs. Its key is a test's: no secret.
#[derive(Clone)]
pub struct Request {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// Key; empty for algorithms without one.
    pub key: Vec<u8>,
    /// What is asked for.
    pub shape: Shape,
    /// Its source bytes.
    pub input: Vec<u8>,
    /// Where its output goes.
    pub layout: Layout,
    /// Most bytes of a tile.
    pub tile_bytes: u32,
    /// What the runner derives its own choices from: offsets, the order of tiles.
    pub seed: u64,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            algorithm, shape, ..
        } = self;
        write!(
            f,
            "{} of {} bytes in units of {} ({} steps), {} key bits, {:?}, tiles of {}",
            shape.op,
            shape.len,
            shape.data_unit_size,
            shape.iv_step,
            8 * self.key.len(),
            self.layout,
            self.tile_bytes,
        )?;
        if algorithm.iv_size() > 0 {
            let iv = shape.iv.iter().take(algorithm.iv_size());
            let iv: String = iv.map(|byte| format!("{byte:02x}")).collect();
            write!(f, ", IV {iv}")?;
        }
        Ok(())
    }
}

impl Request {
    /// Tiles that it is cut into.
    #[must_use]
    pub fn tiles(&self) -> u32 {
        tiling::count(self.algorithm, &self.shape, self.tile_bytes)
    }

    /// Bytes that come out; 0 when the shape is none of the algorithm's.
    #[must_use]
    pub fn output_len(&self) -> usize {
        num::index(u64::from(
            self.shape.output_len(self.algorithm).unwrap_or(0),
        ))
    }
}
