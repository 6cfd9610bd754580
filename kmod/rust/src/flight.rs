//! A request in flight: what it holds of the region, and until when.

use kgpu_core::runs::Run;

use crate::chain::Chain;
use crate::kat::KatRef;

/// Who waits for the answer.
#[derive(Debug)]
pub enum Waiter {
    /// Submitters, each of a request of its own: the ring's request stands for all.
    Jobs(Chain),
    /// The module itself: one of its known answers.
    Kat(KatRef),
}

/// A request in flight.
#[derive(Debug)]
pub struct Flight {
    /// Who waits.
    pub waiter: Waiter,
    /// Requests that it stands for.
    pub count: u32,
    /// Pool granules of a known answer. What submitters' requests hold of the pool is with them.
    pub pool: Run,
    /// Pool offset of a known answer's result.
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
