//! Electronic codebook (SP 800-38A, 6.1).

use core::marker::PhantomData;

use kgpu_core::device::{Grain, Scratch};
use kgpu_kernels::{Cipher, Kernel, Traits, Work};

use crate::Aes;
use crate::direction::{Backward, Direction, Forward};
use crate::stage::{Stage, shared_bytes};

/// ECB in one direction.
#[derive(Debug)]
pub struct Ecb<D>(PhantomData<D>);

/// ECB encryption.
pub type EcbEncrypt = Ecb<Forward>;
/// ECB decryption.
pub type EcbDecrypt = Ecb<Backward>;

impl<D> Ecb<D> {
    /// Bytes of shared memory of a block.
    #[must_use]
    pub const fn shared_bytes(threads: u32) -> u32 {
        shared_bytes(threads, 1)
    }
}

impl<D> Traits for Ecb<D> {
    const GRAIN: Grain = Grain::Cells;
    const SCRATCH: Scratch = Scratch::None;
    const IN_PLACE: bool = true;
}

impl<D: Direction> Kernel for Ecb<D> {
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
                        cipher.crypt::<D>(&mut cells);
                        stage.store(item, at, &cells);
                    },
                );
            },
        );
    }
}
