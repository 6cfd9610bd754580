//! Electronic codebook (SP 800-38A, 6.1): each block on its own.

use alloc::boxed::Box;
use core::fmt;

use cipher::array::ArraySize;
use cipher::{
    BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherEncBackend, BlockCipherEncClosure,
    BlockSizeUser, InOut, ParBlocks,
};
use kgpu_core::abi::Op;
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};

use crate::ModeCipher;
use crate::cipher_trait::{boxed, debug};
use crate::tile::{Blocks, whole};
use crate::units::Units;
use crate::wide::{self, Pass};

/// A cipher in ECB mode.
pub struct Ecb<C>(C);

impl<C: ModeCipher> Ecb<C> {
    /// Expands a key.
    ///
    /// # Errors
    /// [`KeyError`] when the cipher has no key of that length.
    pub fn boxed(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
        boxed(key, Self)
    }
}

impl<C: ModeCipher> fmt::Debug for Ecb<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<C>("Ecb", f)
    }
}

impl<C: ModeCipher> CpuKey for Ecb<C> {
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError> {
        let blocks = whole::<C::BlockSize>(data)?;
        Units::uncounted(work, blocks.len() * C::block_size(), C::block_size())?;
        match work.op {
            Op::Encrypt => encrypt(&self.0, blocks),
            Op::Decrypt => self.0.decrypt_with_backend(Plain(blocks)),
            Op::Compute => return Err(WorkError::Op(work.op)),
        }
        Ok(())
    }
}

/// Encrypts each block on its own: ECB, and the IVs of XTS.
pub(crate) fn encrypt<C: ModeCipher>(cipher: &C, blocks: Blocks<'_, C::BlockSize>) {
    cipher.encrypt_with_backend(Plain(blocks));
}

/// The blocks, to be worked on by a backend.
struct Plain<'a, BS: ArraySize>(Blocks<'a, BS>);

impl<BS: ArraySize> BlockSizeUser for Plain<'_, BS> {
    type BlockSize = BS;
}

impl<BS: ArraySize> BlockCipherEncClosure for Plain<'_, BS> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = BS>>(self, backend: &B) {
        wide::run(backend, self.0, &mut Encrypt);
    }
}

impl<BS: ArraySize> BlockCipherDecClosure for Plain<'_, BS> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = BS>>(self, backend: &B) {
        wide::run(backend, self.0, &mut Decrypt);
    }
}

/// Encryption.
struct Encrypt;

impl<B: BlockCipherEncBackend> Pass<B> for Encrypt {
    #[inline(always)]
    fn step(&mut self, backend: &B, chunk: InOut<'_, '_, ParBlocks<B>>, _: usize) {
        backend.encrypt_par_blocks(chunk);
    }
}

/// Decryption.
struct Decrypt;

impl<B: BlockCipherDecBackend> Pass<B> for Decrypt {
    #[inline(always)]
    fn step(&mut self, backend: &B, chunk: InOut<'_, '_, ParBlocks<B>>, _: usize) {
        backend.decrypt_par_blocks(chunk);
    }
}
