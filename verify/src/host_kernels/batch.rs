//! A batch: what one launch computes.

use std::fmt;

use kgpu_core::abi::Op;
use kgpu_core::algorithm::Algorithm;
use kgpu_core::request::Shape;
use kgpu_core::tiling::TILE_BYTES_DEFAULT;

use crate::Failure;
use crate::pool::{Layout, Plan, run};

/// One request of a batch.
#[derive(Clone)]
pub struct Request {
    /// Which of the batch's keys it is under.
    pub key: usize,
    /// What is asked for.
    pub shape: Shape,
    /// Its source bytes.
    pub input: Vec<u8>,
    /// How many bytes behind a multiple of 16 source and destination lie.
    pub misplaced: [usize; 2],
    /// Whether the output goes over the input, where the kernel can do that.
    pub in_place: bool,
}

impl Request {
    /// A request in an aligned place, its output apart.
    #[must_use]
    pub const fn new(key: usize, shape: Shape, input: Vec<u8>) -> Self {
        Self {
            key,
            shape,
            input,
            misplaced: [0; 2],
            in_place: false,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            shape,
            misplaced,
            in_place,
            ..
        } = self;
        write!(
            f,
            "{shape:?} under key {key} at {misplaced:?}{}",
            if *in_place { " in place" } else { "" }
        )
    }
}

/// Requests of one algorithm and operation that are computed by one launch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// The operation of all requests.
    pub op: Op,
    /// Keys.
    pub keys: Vec<Vec<u8>>,
    /// A key whose schedule is of another generation: its requests are not to be computed.
    pub stale: Option<usize>,
    /// Requests.
    pub requests: Vec<Request>,
    /// Most bytes of a tile.
    pub tile_bytes: u32,
    /// Blocks of the launch.
    pub blocks: u32,
}

impl Batch {
    /// A batch of nothing yet, for one block.
    #[must_use]
    pub const fn new(algorithm: &'static Algorithm, op: Op) -> Self {
        Self {
            algorithm,
            op,
            keys: Vec::new(),
            stale: None,
            requests: Vec::new(),
            tile_bytes: TILE_BYTES_DEFAULT,
            blocks: 1,
        }
    }

    /// The outputs by the CPU path; `None` where the key is stale.
    ///
    /// # Errors
    /// What is wrong with the first request that is.
    pub(super) fn expected(&self) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        let expect = |request: &Request| {
            if self.stale == Some(request.key) {
                return Ok(None);
            }
            let plan = Plan::whole(Layout::Apart);
            let key = self.key(request)?;
            run(self.algorithm, key, &request.shape, &request.input, plan).map(Some)
        };
        self.requests.iter().map(expect).collect()
    }

    /// The key of a request.
    pub(super) fn key(&self, request: &Request) -> Result<&[u8], Failure> {
        let missing = || Failure::Impossible(format!("the batch has no key {}", request.key));
        Ok(self.keys.get(request.key).ok_or_else(missing)?)
    }
}
