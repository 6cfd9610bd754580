//! CUDA devices: which there are, and the backend's device on one of them.
//!
//! `cust` and `cust_raw` call the driver, which `kgpu-cuda-shim` opens at run time; without one everything here
//! says so. All CUDA calls of the helper are in this folder.

mod call;
mod device;
mod found;
mod leftovers;
mod link;
mod opener;

pub use found::{Absent, Found, devices};
pub use leftovers::Leftovers;
pub use opener::CudaOpener;

/// The name on the command line and in logs.
pub const NAME: &str = "cuda";
/// The number in completions.
pub const CODE: u16 = 2;
