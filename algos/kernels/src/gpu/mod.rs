//! The few operations that differ between the GPU and the host: who a thread is, barriers, shared
//! memory, and instructions with no name in Rust.
//!
//! Shared memory holds no Rust object: an address outside of it faults the kernel on the device and
//! panics on the host, and can touch nothing else. That is why reading and writing it is safe.
#![allow(unsafe_code)]

#[cfg(target_arch = "nvptx64")]
mod device;
#[cfg(not(target_arch = "nvptx64"))]
mod host;
#[cfg(target_arch = "nvptx64")]
pub use device::*;
#[cfg(not(target_arch = "nvptx64"))]
pub use host::*;

/// The thread's place in its warp, 0 to 31.
#[inline(always)]
#[must_use]
pub fn lane() -> u32 {
    thread() & 31
}

/// The thread's warp in its block.
#[inline(always)]
#[must_use]
pub fn warp() -> u32 {
    thread() >> 5
}

/// Warps of a block.
#[inline(always)]
#[must_use]
pub fn warps() -> u32 {
    threads() >> 5
}

/// The bytes of a word in the opposite order.
#[inline(always)]
#[must_use]
pub fn swap(word: u32) -> u32 {
    // One instruction; and two of them in a row are none, as the compiler knows.
    word.swap_bytes()
}
