//! A request in flight: what it holds of the region, and until when.

use kgpu_core::runs::Run;

use crate::ffi::Job;
use crate::kat::KatRef;

/// Who waits for the answer.
#[derive(Debug)]
pub enum Waiter {
    /// A submitter.
    Job(Job),
    /// The module itself: one of its known answers.
    Kat(KatRef),
}

/// A request in flight.
#[derive(Debug)]
pub struct Flight {
    /// Who waits.
    pub waiter: Waiter,
    /// Pool granules that are ours to give back; none for pool buffers of a caller.
    pub pool: Run,
    /// Pool offset of the result.
    pub dst: u64,
    /// Bytes of the result.
    pub output_len: u32,
    /// Tile table entries.
    pub tiles: Run,
    /// Key slot, if the algorithm has a key.
    pub slot: Option<u32>,
    /// Source bytes.
    pub bytes: u32,
    /// When the module does it itself, in nanoseconds.
    pub deadline: u64,
}
