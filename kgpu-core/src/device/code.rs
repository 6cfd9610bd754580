//! What an algorithm tells of its kernels.

use super::{Grain, Scratch, Span, Stats, Tile};
use crate::abi::Op;
use crate::cpu::KeyError;

/// Expands a key to the words behind a schedule's header, all of which it writes. Algorithms without a
/// key have the schedule of the empty one.
///
/// # Errors
/// [`KeyError`] when the algorithm has no key of that length.
pub type ScheduleFn = fn(key: &[u8], words: &mut [u32]) -> Result<(), KeyError>;

/// The parameters of every kernel, in this order.
#[derive(Clone, Copy, Debug)]
pub struct Args {
    /// The launch's tiles.
    pub tiles: *const Tile,
    /// Its spans.
    pub spans: *const Span,
    /// How many spans.
    pub span_count: u32,
    /// The schedules' base.
    pub keys: *const u8,
    /// Scratch memory.
    pub scratch: *mut u8,
    /// Where the launch tells of itself.
    pub stats: *mut Stats,
}

/// Runs a kernel on the host: `blocks` blocks one after the other.
///
/// # Safety
/// All that [`Args`] and the tiles point to must be valid, as for a launch on the device.
pub type HostKernel = unsafe fn(entry: &Entry, blocks: u32, args: &Args);

/// One kernel of an algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name in the device module: `kgpu_xts_twofish_encrypt_r32`.
    pub name: &'static str,
    /// What it computes.
    pub op: Op,
    /// What it counts as an item.
    pub grain: Grain,
    /// What it needs scratch memory for.
    pub scratch: Scratch,
    /// Whether destinations may be the sources.
    pub in_place: bool,
    /// Threads of a block, a multiple of 32.
    pub threads: u32,
    /// Blocks that a multiprocessor should hold.
    pub blocks_per_sm: u32,
    /// Bytes of dynamic shared memory of a block.
    pub shared_bytes: u32,
    /// Bytes under each key, on average, from which it is better than the entries behind it.
    pub bytes_per_key: u64,
    /// The same source, compiled for the host.
    pub host: HostKernel,
}

/// What a device can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// Multiprocessors.
    pub sms: u32,
    /// Bytes of shared memory that a block can have.
    pub shared_per_block: u32,
    /// Bytes of shared memory of a multiprocessor.
    pub shared_per_sm: u32,
    /// Threads of a multiprocessor.
    pub threads_per_sm: u32,
}

/// The device side of an algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Words of a schedule, its header included, a multiple of 4.
    pub schedule_words: usize,
    /// Expands a key.
    pub schedule: ScheduleFn,
    /// Its kernels. Of those for an operation the first that fits the card and the load is taken.
    pub entries: &'static [Entry],
}

impl Code {
    /// The kernel for a load: the first whose shared memory the card has and that wants no more
    /// bytes under each key, else the last that the card has memory for.
    #[must_use]
    pub fn choose(&self, op: Op, card: &Card, bytes: u64, keys: u32) -> Option<&'static Entry> {
        let per_key = bytes / u64::from(keys.max(1));
        let fitting = || {
            self.entries
                .iter()
                .filter(move |entry| entry.op == op && entry.shared_bytes <= card.shared_per_block)
        };
        fitting()
            .find(|entry| entry.bytes_per_key <= per_key)
            .or_else(|| fitting().next_back())
    }
}

impl Entry {
    /// Blocks of this kernel that a card runs at the same time, not counting registers.
    #[must_use]
    pub fn blocks(&self, card: &Card) -> u32 {
        // A block occupies a little more than it asks for.
        let by_shared = card.shared_per_sm / (self.shared_bytes + 1024);
        let by_threads = card.threads_per_sm / self.threads.max(1);
        card.sms * self.blocks_per_sm.min(by_shared).min(by_threads).max(1)
    }
}
