//! Cross-checks: what the tests of the algorithm crates, of the registry and of the backends share,
//! and what `kgpu verify` runs. Nothing here names an algorithm or knows a backend.
//!
//! * [`vectors`]: published test vectors as text files.
//! * [`pool`]: one request through the tile interface, in place and apart, in any order of tiles.
//! * [`known`]: known answers and vectors against the CPU path.
//! * [`mod@reference`]: the modes once more, straight from their standards, block by block.
//! * [`cases`]: random requests for property tests.
//! * [`host_kernels`]: batches of them on the host compilation of the GPU kernels.
//! * [`matrix`]: every algorithm against every [`suite`] on one backend, from [`random`] requests and
//!   vectors to a [`report`]. A backend is a [`runner`]; [`launch`] makes one of whatever computes
//!   tiles over a pool.
//! * [`residue`]: looking for known keys and data in memory.
#![deny(unsafe_code)]

pub mod arena;
#[cfg(feature = "proptest")]
pub mod cases;
pub mod failure;
pub mod host_kernels;
pub mod known;
pub mod launch;
pub mod matrix;
pub mod pool;
pub mod random;
pub mod reference;
pub mod report;
pub mod request;
pub mod residue;
pub mod rng;
pub mod runner;
pub mod suite;
pub mod vectors;

pub use failure::Failure;
