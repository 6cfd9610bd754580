//! Cipher block chaining (SP 800-38A, 6.2): each block is XORed with the ciphertext before it, the
//! first of a data unit with the unit's IV.

use alloc::boxed::Box;
use core::fmt;

use cipher::array::{Array, ArraySize};
use cipher::typenum::Unsigned;
use cipher::{
    BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherEncBackend, BlockCipherEncClosure,
    BlockSizeUser, InOut, ParBlocks,
};
use kgpu_core::abi::Op;
use kgpu_core::algorithm::IV_BYTES_MAX;
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};

use crate::ModeCipher;
use crate::cipher_trait::{boxed, debug};
use crate::tile::{Blocks, whole};
use crate::units::Units;
use crate::wide::{self, Pass};

/// A cipher in CBC mode.
pub struct Cbc<C>(C);

impl<C: ModeCipher> Cbc<C> {
    /// Expands a key.
    ///
    /// # Errors
    /// [`KeyError`] when the cipher has no key of that length.
    pub fn boxed(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
        boxed(key, Self)
    }
}

impl<C: ModeCipher> fmt::Debug for Cbc<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<C>("Cbc", f)
    }
}

impl<C: ModeCipher> CpuKey for Cbc<C> {
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError> {
        let blocks = whole::<C::BlockSize>(data)?;
        let units = Units::uncounted(work, blocks.len() * C::block_size(), C::block_size())?;
        let chain = Chain { blocks, units };
        match work.op {
            Op::Encrypt => self.0.encrypt_with_backend(chain),
            Op::Decrypt => self.0.decrypt_with_backend(chain),
            Op::Compute => return Err(WorkError::Op(work.op)),
        }
        Ok(())
    }
}

/// Blocks to be chained.
struct Chain<'a, BS: ArraySize> {
    blocks: Blocks<'a, BS>,
    units: Units,
}

impl<BS: ArraySize> BlockSizeUser for Chain<'_, BS> {
    type BlockSize = BS;
}

/// The bytes of an IV that make a block.
#[inline(always)]
fn block<BS: ArraySize>(iv: &[u8; IV_BYTES_MAX]) -> Array<u8, BS> {
    let mut block = Array::default();
    for (to, from) in block.iter_mut().zip(iv) {
        *to = *from;
    }
    block
}

/// Units below which chains side by side do not pay: a parallel step of the widest backend costs
/// about as much as this many single ones.
const SIDE_BY_SIDE: usize = 4;

impl<BS: ArraySize> BlockCipherEncClosure for Chain<'_, BS> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = BS>>(self, backend: &B) {
        let Self { blocks, mut units } = self;
        let wide = B::ParBlocksSize::USIZE;
        let mut rest = blocks;
        while !rest.is_empty() {
            let per_unit = units.blocks();
            let chains = (rest.len() / per_unit).min(wide);
            if chains >= SIDE_BY_SIDE {
                let (now, later) = rest.split_at(chains * per_unit);
                side_by_side(backend, now, chains, &mut units);
                rest = later;
            } else {
                let len = per_unit.min(rest.len());
                let (now, later) = rest.split_at(len);
                let mut last = block(units.iv());
                for mut one in now {
                    one.reborrow().xor_in2out(&last);
                    backend.encrypt_block_inplace(one.get_out());
                    last = one.get_out().clone();
                }
                units.advance();
                rest = later;
            }
        }
    }
}

/// Encrypts several units at the same time: the n-th blocks of all of them, then the next.
#[inline(always)]
fn side_by_side<BS: ArraySize, B: BlockCipherEncBackend<BlockSize = BS>>(
    backend: &B,
    mut blocks: Blocks<'_, BS>,
    chains: usize,
    units: &mut Units,
) {
    let per_unit = units.blocks();
    let mut last = ParBlocks::<B>::default();
    for iv in last.iter_mut().take(chains) {
        *iv = block(units.iv());
        units.advance();
    }
    for at in 0..per_unit {
        for (chain, last) in last.iter_mut().take(chains).enumerate() {
            InOut::from(last).xor_in2out(blocks.get(chain * per_unit + at).get_in());
        }
        backend.encrypt_par_blocks_inplace(&mut last);
        for (chain, last) in last.iter().take(chains).enumerate() {
            *blocks.get(chain * per_unit + at).get_out() = last.clone();
        }
    }
}

impl<BS: ArraySize> BlockCipherDecClosure for Chain<'_, BS> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = BS>>(self, backend: &B) {
        let last = block(self.units.iv());
        let mut pass = Decrypt {
            units: self.units,
            last,
        };
        wide::run(backend, self.blocks, &mut pass);
    }
}

/// Decryption, which needs the ciphertext alone and so runs in parallel.
struct Decrypt<BS: ArraySize> {
    units: Units,
    /// What the next block is XORed with, unless it starts a unit.
    last: Array<u8, BS>,
}

impl<B: BlockCipherDecBackend> Pass<B> for Decrypt<B::BlockSize> {
    #[inline(always)]
    fn step(&mut self, backend: &B, mut chunk: InOut<'_, '_, ParBlocks<B>>, count: usize) {
        let input = chunk.get_in();
        let mut masks = ParBlocks::<B>::default();
        // Each block is masked with the one before it...
        let before = core::iter::once(&self.last).chain(input);
        for (mask, before) in masks.iter_mut().zip(before) {
            *mask = before.clone();
        }
        if let Some(last) = input.get(count.wrapping_sub(1)) {
            self.last = last.clone();
        }
        // ... and the first of a unit with the unit's IV.
        let mut at = self.units.take(count);
        while at < count {
            self.units.advance();
            if let Some(mask) = masks.get_mut(at) {
                *mask = block(self.units.iv());
            }
            at += self.units.take(count - at);
        }
        backend.decrypt_par_blocks(chunk.reborrow());
        wide::mask_output(&mut chunk, &masks);
    }
}
