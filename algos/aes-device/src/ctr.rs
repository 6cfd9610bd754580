//! Counter mode (SP 800-38A, 6.5), the first two rounds computed once for many counters.
//!
//! Blocks whose counters agree in all but the last byte differ in one byte before round 1, and so in one
//! column before round 2. What round 2 makes of that column depends, but for the key, on the last byte and,
//! through ShiftRows, on bytes 0, 5 and 10 of the counter. Round 2 adds what it makes of each column. So for
//! windows of 256 counters with these three bytes in common, the state after two rounds is
//!
//! S(last byte, window) = S(last byte, first window) + S(0, window) + S(0, first window).
//!
//! A warp keeps the planes of the first term in shared memory; the second is computed for each item in a
//! preparation, eight items a thread. The other eight, ten or twelve rounds remain.
//!
//! The counters are public; which path an item takes depends on them and on lengths alone.

use kgpu_core::device::{Grain, Scratch};
use kgpu_kernels::gpu::{each_lane, lds4, shared_base, sts, sts4, thread, threads, warp};
use kgpu_kernels::{At, Cipher, Item, Kernel, Traits, Work, unroll};

use crate::Aes;
use crate::cipher::spread;
use crate::direction::{Direction, Forward};
use crate::layout::{FIRST, LAST, PLANES_BYTES};
use crate::planes::{Planes, shift_to_rows, slice, to_columns, unslice};
use crate::stage::{Stage, each, nth, number, shared_bytes, xor};

/// Bytes of shared memory that a warp has besides its stage: the planes of what a window adds, and
/// S(0, first window).
const WARP_BYTES: u32 = PLANES_BYTES + 16;

/// Counter mode; both directions are the same.
#[derive(Debug)]
pub struct Ctr;

impl Ctr {
    /// Bytes of shared memory of a block.
    #[must_use]
    pub const fn shared_bytes(threads: u32) -> u32 {
        shared_bytes(threads, 1) + threads / 32 * WARP_BYTES
    }
}

impl Traits for Ctr {
    const GRAIN: Grain = Grain::Counters;
    const SCRATCH: Scratch = Scratch::Items(1);
    const IN_PLACE: bool = true;
}

/// What a warp keeps of a window: each thread its planes after two rounds, four of them as a cell of the
/// stage, which is free between the making of counters and items that are not whole.
#[derive(Clone, Copy)]
struct Kept {
    stage: Stage,
    /// Where the planes are of what a window adds, the same for all lanes; behind them S(0, first window).
    window: u32,
}

impl Kept {
    #[inline(always)]
    fn new(stage: Stage) -> Self {
        Self {
            stage,
            window: shared_base() + shared_bytes(threads(), 1) + warp() * WARP_BYTES,
        }
    }

    /// Keeps S(0, first window).
    #[inline(always)]
    fn begin(self, window: [u32; 4]) {
        sts4(self.window + PLANES_BYTES, window);
    }

    /// Keeps planes after two rounds.
    #[inline(always)]
    fn keep(self, planes: &Planes) {
        unroll::<8>(
            #[inline(always)]
            |q| {
                let four = [0, 1, 2, 3].map(|i: usize| planes[4 * q + i]);
                self.stage.set(number(q), four);
            },
        );
    }

    /// The planes of another window, of which S(0, window) is given.
    #[inline(always)]
    fn moved(self, window: [u32; 4]) -> Planes {
        let added = xor(window, lds4::<0>(self.window + PLANES_BYTES));
        each_lane(
            #[inline(always)]
            |plane| sts(self.window + 4 * plane, spread(added, plane)),
        );
        let mut planes = [0; 32];
        unroll::<8>(
            #[inline(always)]
            |q| {
                let added = lds4::<0>(self.window + 16 * number(q));
                let sum = xor(self.stage.get(number(q)), added);
                unroll::<4>(
                    #[inline(always)]
                    |i| planes[4 * q + i] = sum[i],
                );
            },
        );
        planes
    }
}

/// The bytes of a counter that windows must have in common with the first.
#[inline(always)]
const fn signature(counter: [u32; 4]) -> u32 {
    counter[0] & 0xff | counter[1] & 0xff00 | counter[2] & 0x00ff_0000
}

/// The first counter of an item whose counters are a window.
#[inline(always)]
fn window(item: &Item) -> Option<[u32; 4]> {
    let counter = item.counter(0);
    (item.one_unit() && counter[3] >> 24 == 0).then_some(counter)
}

/// SubBytes and ShiftRows of the first round, and the rest of it.
#[inline(always)]
fn first_round(cipher: Aes, cells: &mut [[u32; 4]; 8]) -> Planes {
    cipher.whiten(FIRST, cells);
    let planes = shift_to_rows(&Forward::substitute_all(&slice(cells)));
    cipher.mix::<Forward>(&planes, 0)
}

impl Kernel for Ctr {
    const PREPARES: bool = true;

    #[inline(always)]
    fn load(work: &Work, _preparing: bool) {
        Aes::load(&work.schedule(Aes::KEY_WORDS, false));
    }

    /// S(0, window) of each item of the span; something else of items that are no window.
    #[inline(always)]
    fn prepare(work: &Work) {
        let (cipher, stage) = (Aes::new(), Stage::new(0));
        let mut first = 8 * thread();
        while first < work.span().scratch_cells {
            each(
                #[inline(always)]
                |j| stage.set(j, work.scratch_item(first + j, Aes::BLOCK).counter(0)),
            );
            let planes = Forward::substitute_all(&first_round(cipher, &mut stage.all()));
            let planes = cipher.mix::<Forward>(&Forward::shift(&planes), PLANES_BYTES);
            let cells = unslice(&to_columns(&planes));
            unroll::<8>(
                #[inline(always)]
                |j| work.set_scratch(first + number(j), cells[j]),
            );
            first += 8 * threads();
        }
    }

    #[inline(always)]
    fn compute(work: &Work) {
        let (cipher, stage) = (Aes::new(), Stage::new(0));
        let kept = Kept::new(stage);
        let last = cipher.last_mix();
        let mut held = None;
        work.items(
            Aes::BLOCK,
            #[inline(always)]
            |item| {
                item.cells::<8>(
                    #[inline(always)]
                    |at| {
                        let window = window(item);
                        let signature = window.map(signature);
                        let (mut planes, mut key) = if signature.is_some() && signature == held {
                            (kept.moved(item.scratch(0)), PLANES_BYTES)
                        } else {
                            held = signature;
                            if window.is_some() {
                                kept.begin(item.scratch(0));
                            }
                            counters(item, at, window, stage);
                            (first_round(cipher, &mut stage.all()), 0)
                        };
                        loop {
                            planes = Forward::substitute_all(&planes);
                            if key == last {
                                break;
                            }
                            let shifted = Forward::shift(&planes);
                            planes = cipher.mix::<Forward>(&shifted, key + PLANES_BYTES);
                            if key == 0 {
                                kept.keep(&planes);
                            }
                            key += PLANES_BYTES;
                        }
                        let stream = unslice(&Forward::shift_to_columns(&planes));
                        add(cipher, item, at, stage, stream);
                        if !item.is_whole() {
                            held = None;
                        }
                    },
                );
            },
        );
    }
}

/// Puts the counters of a thread's cells on the stage.
#[inline(always)]
fn counters(item: &Item, at: At<8>, window: Option<[u32; 4]>, stage: Stage) {
    each(
        #[inline(always)]
        |j| {
            let cell = nth(at, j);
            let counter = match window {
                // Also where the item has no such cell: others will start from these planes.
                Some([a, b, c, d]) => [a, b, c, d | cell << 24],
                None => item.counter(cell),
            };
            stage.set(j, counter);
        },
    );
}

/// Adds a key stream, which is still without the last round key, to the thread's cells.
#[inline(always)]
fn add(cipher: Aes, item: &Item, at: At<8>, stage: Stage, mut stream: [[u32; 4]; 8]) {
    if item.is_whole() {
        // The key and the data in one operation.
        let mut cells = item.load(at);
        cipher.whiten(LAST, &mut stream);
        unroll::<8>(
            #[inline(always)]
            |j| cells[j] = xor(cells[j], stream[j]),
        );
        return item.store(at, &cells);
    }
    cipher.whiten(LAST, &mut stream);
    stage.set_all(&stream);
    each(
        #[inline(always)]
        |j| {
            let cell = nth(at, j);
            item.store_cell(cell, xor(item.load_cell(cell), stage.get(j)));
        },
    );
}
