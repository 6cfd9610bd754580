//! The device side of an algorithm's interface: what a launch on a GPU reads ([`Tile`], [`Span`],
//! [`Header`]), how it is laid out from work ([`plan`]), and what an algorithm tells of its kernels
//! ([`Code`]). No kernels here, and nothing that calls a driver.
//!
//! One launch computes tiles of one algorithm and operation, of many requests and keys. Its work is
//! counted in *items*, the piece that 32 threads of a warp take at a time; a *span* is a run of items
//! under one key, which is what one block of threads takes at a time.

#[cfg(feature = "cpu")]
mod code;
mod layout;
pub mod plan;

#[cfg(feature = "cpu")]
pub use code::{Args, Card, Code, Entry, HostKernel, ScheduleFn};
pub use layout::{Grain, HEADER_WORDS, Header, Scratch, Span, Stats, Tile};

/// Bytes of a cell, the piece that is loaded and stored at once: one block of 16 bytes or two of 8.
pub const CELL_BYTES: u32 = 16;
/// Cells of an item at most: 4 KiB.
pub const ITEM_CELLS: u32 = 256;
/// Bytes of an item at most.
pub const ITEM_BYTES: u32 = CELL_BYTES * ITEM_CELLS;
