//! XTS (IEEE 1619-2007, SP 800-38E) over data units of whole blocks of 16 bytes.
//!
//! The preparation encrypts each data unit's IV under the second key, and brings it forward to the
//! item's first cell where a unit is longer than an item; from there each cell's tweak is a few shifts
//! away. The first key is in shared memory for the computation only, the second for the preparation.

use core::marker::PhantomData;

use kgpu_core::device::{Grain, ITEM_CELLS, Scratch};

use super::xor;
use crate::counter::step;
use crate::gf128::{times_bits, times_power, times_small, times_word};
use crate::gpu::{lane, thread, threads};
use crate::{At, Cipher, Item, Kernel, Traits, Work, unroll};

/// XTS encryption.
#[derive(Debug)]
pub struct XtsEncrypt<C, const N: usize>(PhantomData<C>);

/// XTS decryption.
#[derive(Debug)]
pub struct XtsDecrypt<C, const N: usize>(PhantomData<C>);

/// A number of cells, at most 8.
#[allow(clippy::cast_possible_truncation)]
#[inline(always)]
const fn number(j: usize) -> u32 {
    j as u32
}

/// Fills the span's scratch cells with tweaks.
#[inline(always)]
fn prepare<C: Cipher<N>, const N: usize>(work: &Work) {
    let each = number(N);
    let cipher = C::new();
    let mut first = thread() * each;
    while first < work.span().scratch_cells {
        let mut cells = [[0; 4]; N];
        unroll::<N>(
            #[inline(always)]
            |j| {
                let (tile, index) = work.scratch_tile(first + number(j));
                let unit = if tile.unit_items == 0 {
                    index
                } else {
                    index.checked_div(tile.unit_items).unwrap_or(0)
                };
                cells[j] = step(tile.iv, C::BLOCK, tile.iv_step, unit);
            },
        );
        cipher.encrypt(&mut cells);
        unroll::<N>(
            #[inline(always)]
            |j| work.set_scratch(first + number(j), cells[j]),
        );
        // One by one: written out, this would take more registers than the whole cipher.
        let mut index = first;
        while index < first + each {
            forward(work, index);
            index += 1;
        }
        first += threads() * each;
    }
}

/// Brings a tweak forward from its data unit's start to its item's.
#[inline(always)]
fn forward(work: &Work, index: u32) {
    let (tile, cell) = work.scratch_tile(index);
    let items = cell.checked_rem(tile.unit_items).unwrap_or(0);
    let before = tile.first_block + items * ITEM_CELLS;
    if before > 0 && index < work.span().scratch_cells {
        let tweak = work.scratch(work.span().scratch + index);
        work.set_scratch(index, times_power(tweak, before));
    }
}

/// Adds the tweaks of a thread's cells.
#[inline(always)]
fn whiten<const N: usize>(item: &Item, at: At<N>, cells: &mut [[u32; 4]; N]) {
    if item.one_unit() {
        // The thread's cells are 32 apart: α^32 leads from one to the next.
        let tweak = times_bits(item.scratch(0), lane());
        let mut tweak = skip(tweak, at.cell(0) >> 5);
        unroll::<N>(
            #[inline(always)]
            |j| {
                if j > 0 {
                    tweak = times_word(tweak);
                }
                cells[j] = xor(cells[j], tweak);
            },
        );
    } else {
        unroll::<N>(
            #[inline(always)]
            |j| {
                let index = at.cell(j);
                let (_, n) = item.unit_of(index);
                cells[j] = xor(cells[j], times_small(item.unit_scratch(index), n));
            },
        );
    }
}

/// The tweaks of a thread's cells, given that of the first where the item is of one unit; that of the
/// next cells takes its place.
#[inline(always)]
fn tweaks<const N: usize>(item: &Item, at: At<N>, next: &mut [u32; 4]) -> [[u32; 4]; N] {
    let mut tweaks = [[0; 4]; N];
    if item.one_unit() {
        unroll::<N>(
            #[inline(always)]
            |j| {
                tweaks[j] = *next;
                *next = times_word(*next);
            },
        );
    } else {
        unroll::<N>(
            #[inline(always)]
            |j| {
                let index = at.cell(j);
                tweaks[j] = times_small(item.unit_scratch(index), item.unit_of(index).1);
            },
        );
    }
    tweaks
}

#[inline(always)]
fn skip(tweak: [u32; 4], words: u32) -> [u32; 4] {
    times_small(tweak, 32 * words)
}

macro_rules! xts {
    ($name:ident, $crypt:ident) => {
        impl<C: Cipher<N>, const N: usize> Traits for $name<C, N> {
            const GRAIN: Grain = Grain::Cells;
            const SCRATCH: Scratch = Scratch::Units;
            const IN_PLACE: bool = true;
        }

        impl<C: Cipher<N>, const N: usize> Kernel for $name<C, N> {
            const PREPARES: bool = true;

            #[inline(always)]
            fn load(work: &Work, preparing: bool) {
                C::load(&work.schedule(C::KEY_WORDS, preparing));
            }

            #[inline(always)]
            fn prepare(work: &Work) {
                prepare::<C, N>(work);
            }

            #[inline(always)]
            fn compute(work: &Work) {
                let cipher = C::new();
                work.items(
                    C::BLOCK,
                    #[inline(always)]
                    |item| {
                        if C::SPARE {
                            let mut next = times_bits(item.scratch(0), lane());
                            return item.loaded::<N>(
                                true,
                                #[inline(always)]
                                |at, mut cells| {
                                    let tweaks = tweaks(item, at, &mut next);
                                    unroll::<N>(
                                        #[inline(always)]
                                        |j| cells[j] = xor(cells[j], tweaks[j]),
                                    );
                                    cipher.$crypt(&mut cells);
                                    unroll::<N>(
                                        #[inline(always)]
                                        |j| cells[j] = xor(cells[j], tweaks[j]),
                                    );
                                    item.store(at, &cells);
                                },
                            );
                        }
                        item.cells::<N>(
                            #[inline(always)]
                            |at| {
                                let mut cells = item.load(at);
                                whiten(item, at, &mut cells);
                                cipher.$crypt(&mut cells);
                                whiten(item, at, &mut cells);
                                item.store(at, &cells);
                            },
                        );
                    },
                );
            }
        }
    };
}

xts!(XtsEncrypt, encrypt);
xts!(XtsDecrypt, decrypt);
