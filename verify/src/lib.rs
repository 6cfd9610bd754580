//! Cross-checks: what the tests of the algorithm crates, of the registry and of the backends share.
//! No product code, and nothing here names an algorithm.
//!
//! * [`vectors`]: published test vectors as text files.
//! * [`pool`]: requests through the tile interface, in place and apart, in any order of tiles.
//! * [`known`]: known answers and vectors against the CPU path.
//! * [`mod@reference`]: the modes once more, straight from their standards, block by block.
//! * [`cases`]: random requests for property tests.
//! * [`host_kernels`]: batches of them on the host compilation of the GPU kernels.
#![deny(unsafe_code)]

pub mod cases;
pub mod failure;
pub mod host_kernels;
pub mod known;
pub mod pool;
pub mod reference;
pub mod vectors;

pub use failure::Failure;
