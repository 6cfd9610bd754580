//! XTS (IEEE 1619-2007, SP 800-38E), with the shared mode's preparation. A thread computes the tweaks of its
//! cells once and keeps them in shared memory while the cipher works.

use core::marker::PhantomData;

use kgpu_core::device::{Grain, Scratch};
use kgpu_kernels::gpu::lane;
use kgpu_kernels::{At, Cipher, Item, Kernel, Traits, Work, times_bits, times_small, times_word};

use crate::Aes;
use crate::direction::{Backward, Direction, Forward};
use crate::stage::{Stage, each, nth, shared_bytes};

/// XTS in one direction.
#[derive(Debug)]
pub struct Xts<D>(PhantomData<D>);

/// XTS encryption.
pub type XtsEncrypt = Xts<Forward>;
/// XTS decryption.
pub type XtsDecrypt = Xts<Backward>;

/// The shared mode, for the preparation: the same in both directions.
type Shared = kgpu_kernels::XtsEncrypt<Aes, 8>;

impl<D> Xts<D> {
    /// Bytes of shared memory of a block.
    #[must_use]
    pub const fn shared_bytes(threads: u32) -> u32 {
        shared_bytes(threads, 1)
    }
}

impl<D> Traits for Xts<D> {
    const GRAIN: Grain = Grain::Cells;
    const SCRATCH: Scratch = Scratch::Units;
    const IN_PLACE: bool = true;
}

/// Puts the tweaks of a thread's cells on the stage.
#[inline(always)]
fn tweaks(item: &Item, at: At<8>, stage: Stage) {
    if item.one_unit() {
        // The thread's cells are 32 apart: α^32 leads from one to the next.
        let mut tweak = times_bits(item.scratch(0), lane());
        each(
            #[inline(always)]
            |j| {
                stage.set(j, tweak);
                tweak = times_word(tweak);
            },
        );
    } else {
        each(
            #[inline(always)]
            |j| {
                let cell = nth(at, j);
                let (_, n) = item.unit_of(cell);
                stage.set(j, times_small(item.unit_scratch(cell), n));
            },
        );
    }
}

impl<D: Direction> Kernel for Xts<D> {
    const PREPARES: bool = true;

    #[inline(always)]
    fn load(work: &Work, preparing: bool) {
        Shared::load(work, preparing);
    }

    #[inline(always)]
    fn prepare(work: &Work) {
        Shared::prepare(work);
    }

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
                        tweaks(item, at, stage);
                        stage.add(&mut cells);
                        cipher.crypt::<D>(&mut cells);
                        stage.add(&mut cells);
                        stage.store(item, at, &cells);
                    },
                );
            },
        );
    }
}
