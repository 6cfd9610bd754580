//! Round keys: in shared memory behind the tables, from where a thread reads them once or as it goes.

use super::number;
use crate::gpu::{lds4, shared_base, sts4, thread, threads};
use crate::launch::Schedule;

/// `Q` times four words that all threads share.
pub trait Keys<const Q: usize>: Copy {
    /// The words at `offset` in shared memory, a multiple of 16.
    fn new(offset: u32) -> Self;

    /// Four words.
    fn quad(&self, index: usize) -> [u32; 4];
}

/// Brings the first `4 * quads` words of a schedule to `offset` in shared memory; called by all threads of
/// the block.
#[inline(always)]
pub fn load(schedule: &Schedule, quads: u32, offset: u32) {
    let mut quad = thread();
    while quad < quads {
        sts4(shared_base() + offset + 16 * quad, schedule.cell(4 * quad));
        quad += threads();
    }
}

/// Four words from shared memory.
#[inline(always)]
fn read(address: u32, index: usize) -> [u32; 4] {
    lds4::<0>(address + 16 * number(index))
}

/// Round keys that stay in registers: nothing to load in a round, but `4 * Q` registers fewer for the rest.
#[derive(Clone, Copy)]
pub struct Registers<const Q: usize>([[u32; 4]; Q]);

impl<const Q: usize> core::fmt::Debug for Registers<Q> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Registers").finish_non_exhaustive()
    }
}

impl<const Q: usize> Keys<Q> for Registers<Q> {
    #[inline(always)]
    fn new(offset: u32) -> Self {
        Self(core::array::from_fn(|at| read(shared_base() + offset, at)))
    }

    #[inline(always)]
    fn quad(&self, index: usize) -> [u32; 4] {
        self.0[index]
    }
}

/// Round keys that each round reads from shared memory: all lanes the same words, so one access serves a
/// warp.
#[derive(Clone, Copy, Debug)]
pub struct Shared(u32);

impl<const Q: usize> Keys<Q> for Shared {
    #[inline(always)]
    fn new(offset: u32) -> Self {
        Self(shared_base() + offset)
    }

    #[inline(always)]
    fn quad(&self, index: usize) -> [u32; 4] {
        read(self.0, index)
    }
}
