//! Cipher block chaining (SP 800-38A, 6.2): decryption block by block, encryption data unit by data unit.
#![allow(unsafe_code)]

use kgpu_core::device::{Grain, Scratch};
use kgpu_kernels::gpu::{lds, load16, shared_base, store16, sts, thread, threads};
use kgpu_kernels::{Cipher, Item, Kernel, Traits, Work, load_block, store_block, unroll};

use crate::Aes;
use crate::direction::{Backward, Forward};
use crate::stage::{Stage, each, nth, number, shared_bytes, xor};

/// CBC decryption. Not in place: a block's neighbour is read by another warp.
#[derive(Debug)]
pub struct CbcDecrypt;

impl CbcDecrypt {
    /// Bytes of shared memory of a block.
    #[must_use]
    pub const fn shared_bytes(threads: u32) -> u32 {
        shared_bytes(threads, 1)
    }
}

impl Traits for CbcDecrypt {
    const GRAIN: Grain = Grain::Cells;
    const SCRATCH: Scratch = Scratch::None;
    const IN_PLACE: bool = false;
}

/// What a cell is chained to: the one before it, or its data unit's IV.
#[inline(always)]
fn chained(item: &Item, cell: u32) -> [u32; 4] {
    let (unit, n) = item.unit_of(cell);
    if n == 0 {
        item.iv(unit)
    } else {
        item.load_before(cell)
    }
}

impl Kernel for CbcDecrypt {
    const PREPARES: bool = false;

    #[inline(always)]
    fn load(work: &Work, _preparing: bool) {
        Aes::load(&work.schedule(Aes::KEY_WORDS, false));
    }

    #[inline(always)]
    fn prepare(_work: &Work) {}

    #[inline(always)]
    fn compute(work: &Work) {
        let (cipher, stage) = (Aes::new(), Stage::new(0));
        work.items(
            Aes::BLOCK,
            #[inline(always)]
            |item| {
                item.cells::<8>(
                    #[inline(always)]
                    |at| {
                        let mut cells = stage.fetch(item, at);
                        // Now, while the cells before are still in a near cache.
                        each(
                            #[inline(always)]
                            |j| stage.set(j, chained(item, nth(at, j))),
                        );
                        cipher.crypt::<Backward>(&mut cells);
                        stage.add(&mut cells);
                        stage.store(item, at, &cells);
                    },
                );
            },
        );
    }
}

/// CBC encryption: each thread takes eight data units at a time. What it knows of them lies in shared
/// memory: the blocks encrypted last (at first the IVs), and where sources and destinations are.
#[derive(Debug)]
pub struct CbcEncrypt;

impl CbcEncrypt {
    /// Bytes of shared memory of a block: two stages, and a word for each data unit.
    #[must_use]
    pub const fn shared_bytes(threads: u32) -> u32 {
        shared_bytes(threads, 2) + threads * 8 * 4
    }
}

impl Traits for CbcEncrypt {
    const GRAIN: Grain = Grain::Units;
    const SCRATCH: Scratch = Scratch::None;
    const IN_PLACE: bool = true;
}

/// The data units of a thread.
#[derive(Clone, Copy)]
struct Chains {
    last: Stage,
    places: Stage,
    blocks: u32,
    /// Blocks of the longest.
    most: u32,
    /// All have as many blocks, and all addresses are multiples of 16.
    even: bool,
}

#[inline(always)]
const fn address(low: u32, high: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

impl Chains {
    /// The data units from `first` on, `threads` apart; `first` must be one of the span's.
    #[inline(always)]
    fn new(work: &Work, first: u32) -> Self {
        let (last, places) = (Stage::new(0), Stage::new(1));
        let blocks = shared_base() + shared_bytes(threads(), 2) + 4 * thread();
        let (mut most, mut least, mut addresses) = (0, u32::MAX, 0);
        each(
            #[inline(always)]
            |j| {
                // Where there are no more, the first once more: the same bytes go to the same place.
                let index = first + j * threads();
                let index = if index < work.span().items {
                    index
                } else {
                    first
                };
                let unit = work.chain(index, Aes::BLOCK);
                let [src, dst] = [unit.src, unit.dst].map(|at| [low(at), low(at >> 32)]);
                last.set(j, unit.iv);
                places.set(j, [src[0], src[1], dst[0], dst[1]]);
                sts(blocks + 4 * j * threads(), unit.blocks);
                most = unit.blocks.max(most);
                least = unit.blocks.min(least);
                addresses |= src[0] | dst[0];
            },
        );
        Self {
            last,
            places,
            blocks,
            most,
            even: most == least && addresses & 15 == 0,
        }
    }

    /// Whether the `j`th has a block at `done`.
    #[inline(always)]
    fn has(self, j: u32, done: u32) -> bool {
        done < lds::<0>(self.blocks + 4 * j * threads())
    }

    /// The blocks at `done`, added to those encrypted last.
    #[inline(always)]
    fn load(self, done: u32) -> [[u32; 4]; 8] {
        let mut cells = [[0; 4]; 8];
        let offset = u64::from(done) * 16;
        if self.even {
            unroll::<8>(
                #[inline(always)]
                |j| {
                    let [a, b, _, _] = self.places.get(number(j));
                    // SAFETY: all units have a block at `done`, which is below `most`; they are aligned.
                    cells[j] = unsafe { load16(address(a, b) + offset) };
                },
            );
            self.last.add(&mut cells);
            return cells;
        }
        each(
            #[inline(always)]
            |j| {
                if self.has(j, done) {
                    let [a, b, _, _] = self.places.get(j);
                    // SAFETY: the unit has this block.
                    let block = unsafe { load_block(address(a, b) + offset, Aes::BLOCK) };
                    self.last.set(j, xor(block, self.last.get(j)));
                }
            },
        );
        self.last.all()
    }

    /// Stores the blocks at `done`.
    #[inline(always)]
    fn store(self, done: u32, cells: &[[u32; 4]; 8]) {
        self.last.set_all(cells);
        let offset = u64::from(done) * 16;
        if self.even {
            unroll::<8>(
                #[inline(always)]
                |j| {
                    let [_, _, c, d] = self.places.get(number(j));
                    // SAFETY: as in `load`.
                    unsafe { store16(address(c, d) + offset, cells[j]) }
                },
            );
            return;
        }
        each(
            #[inline(always)]
            |j| {
                if self.has(j, done) {
                    let [_, _, c, d] = self.places.get(j);
                    // SAFETY: as in `load`.
                    unsafe { store_block(address(c, d) + offset, Aes::BLOCK, self.last.get(j)) }
                }
            },
        );
    }
}

/// The low half of an address.
#[allow(clippy::cast_possible_truncation)]
#[inline(always)]
const fn low(address: u64) -> u32 {
    address as u32
}

impl Kernel for CbcEncrypt {
    const PREPARES: bool = false;

    #[inline(always)]
    fn load(work: &Work, _preparing: bool) {
        Aes::load(&work.schedule(Aes::KEY_WORDS, false));
    }

    #[inline(always)]
    fn prepare(_work: &Work) {}

    #[inline(always)]
    fn compute(work: &Work) {
        let cipher = Aes::new();
        // Neighbouring units go to neighbouring threads, so that few units occupy many threads.
        let mut first = thread();
        while first < work.span().items {
            let chains = Chains::new(work, first);
            let mut done = 0;
            while done < chains.most {
                let mut cells = chains.load(done);
                cipher.crypt::<Forward>(&mut cells);
                chains.store(done, &cells);
                done += 1;
            }
            first += 8 * threads();
        }
    }
}
