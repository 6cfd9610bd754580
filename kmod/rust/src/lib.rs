//! The Rust core of the kgpu kernel module: it validates, tiles, batches, routes and replays.
//!
//! A request comes in through [`submit`], waits in the queue, and is handled by the [`engine`], one
//! kernel thread that owns the ring, the requests in flight and their deadlines. [`device`] and [`guest`] are
//! the helper's side: a file that a process opens, and a virtio device of a guest. Everything unsafe,
//! and every call from or to the C glue, is in [`ffi`].
#![cfg_attr(not(any(test, feature = "mock")), no_std)]
// For `Arc::try_new`: there is no stable way to it, and the kernel's build has the unstable ones.
#![cfg_attr(kgpu_kernel, feature(allocator_api))]
#![deny(unsafe_code)]

extern crate alloc;

pub mod attach;
pub mod chain;
pub mod counters;
pub mod device;
pub mod engine;
pub mod errno;
pub mod ffi;
pub mod flight;
pub mod guest;
pub mod held;
pub mod job;
pub mod kat;
pub mod kept;
#[cfg(feature = "mock")]
pub mod mock;
pub mod params;
pub mod power;
pub mod report;
pub mod session;
pub mod share;
pub mod submit;
pub mod tfm;

/// Number of algorithms.
pub const ALGORITHMS: usize = kgpu_algos::COUNT;

/// The algorithm at an index of the registry; the module's tables are indexed alike.
#[must_use]
pub fn algorithm(index: usize) -> Option<&'static kgpu_core::algorithm::Algorithm> {
    kgpu_algos::all().get(index).copied()
}
