//! Serpent as a cipher of the `cipher` crate: blocks side by side, in the widest vectors that the
//! processor has.
//!
//! Why not RustCrypto's `serpent`: it takes one block at a time, and no key below 16 bytes. The tests
//! compare with it.

use core::fmt;

use cipher::consts::{U16, U32};
use cipher::{
    AlgorithmName, Block, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt,
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, InOut,
    InvalidLength, Key, KeyInit, KeySizeUser, ParBlocks, ParBlocksSizeUser,
};
use fearless_simd::{Level, Simd};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::gates::Gates;
use crate::rounds::{self, Lanes, RoundKeys};
use crate::schedule::{KEY_BYTES, expand, pad};

/// Blocks side by side: two vectors of AVX-512, four of AVX2, so that there is always one that does
/// not wait for another.
type Width = U32;

/// The same as a number.
const WIDTH: usize = 32;

/// Serpent under a key.
#[derive(Clone)]
pub(crate) struct Serpent(RoundKeys);

impl Serpent {
    /// Expands 256 bits, and clears them.
    fn expand(mut key: [u8; KEY_BYTES]) -> Self {
        let serpent = Self(expand::<Gates>(&key));
        key.zeroize();
        serpent
    }
}

/// The cipher as the modes run it.
struct Backend<'a>(&'a RoundKeys);

/// The words of blocks.
#[inline(always)]
fn load<const N: usize>(blocks: &[Block<Serpent>; N]) -> Lanes<N> {
    let mut lanes = [[0; N]; 4];
    for (at, block) in blocks.iter().enumerate() {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<4>().0) {
            lane[at] = u32::from_le_bytes(*word);
        }
    }
    lanes
}

/// The blocks of words.
#[inline(always)]
fn store<const N: usize>(blocks: &mut [Block<Serpent>; N], lanes: &Lanes<N>) {
    for (at, block) in blocks.iter_mut().enumerate() {
        for (lane, word) in lanes.iter().zip(block.as_chunks_mut::<4>().0) {
            *word = lane[at].to_le_bytes();
        }
    }
}

impl BlockCipherEncBackend for Backend<'_> {
    #[inline(always)]
    fn encrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut lanes = load(&[*block.get_in()]);
        rounds::encrypt::<Gates, 1>(self.0, &mut lanes);
        store::<1>(core::array::from_mut(block.get_out()), &lanes);
    }

    #[inline(always)]
    fn encrypt_par_blocks(&self, mut blocks: InOut<'_, '_, ParBlocks<Self>>) {
        let mut lanes = load(&blocks.get_in().0);
        rounds::encrypt::<Gates, WIDTH>(self.0, &mut lanes);
        store(&mut blocks.get_out().0, &lanes);
    }
}

impl BlockCipherDecBackend for Backend<'_> {
    #[inline(always)]
    fn decrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut lanes = load(&[*block.get_in()]);
        rounds::decrypt::<Gates, 1>(self.0, &mut lanes);
        store::<1>(core::array::from_mut(block.get_out()), &lanes);
    }

    #[inline(always)]
    fn decrypt_par_blocks(&self, mut blocks: InOut<'_, '_, ParBlocks<Self>>) {
        let mut lanes = load(&blocks.get_in().0);
        rounds::decrypt::<Gates, WIDTH>(self.0, &mut lanes);
        store(&mut blocks.get_out().0, &lanes);
    }
}

// Two-input gates at every level: of them the compiler makes AVX-512's three-input instruction by itself,
// and better ones than of `Luts`.
//
// A mode runs within the call that `vectorize` makes, where all that is inlined into it is compiled
// for AVX-512 or AVX2.

impl BlockCipherEncrypt for Serpent {
    #[inline]
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        let level = Level::new();
        if let Some(avx512) = level.as_avx512() {
            avx512.vectorize(
                #[inline(always)]
                || f.call(&Backend(&self.0)),
            );
        } else if let Some(avx2) = level.as_avx2() {
            avx2.vectorize(
                #[inline(always)]
                || f.call(&Backend(&self.0)),
            );
        } else {
            f.call(&Backend(&self.0));
        }
    }
}

impl BlockCipherDecrypt for Serpent {
    #[inline]
    fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
        let level = Level::new();
        if let Some(avx512) = level.as_avx512() {
            avx512.vectorize(
                #[inline(always)]
                || f.call(&Backend(&self.0)),
            );
        } else if let Some(avx2) = level.as_avx2() {
            avx2.vectorize(
                #[inline(always)]
                || f.call(&Backend(&self.0)),
            );
        } else {
            f.call(&Backend(&self.0));
        }
    }
}

impl KeySizeUser for Serpent {
    type KeySize = U32;
}

impl BlockSizeUser for Serpent {
    type BlockSize = U16;
}

impl BlockSizeUser for Backend<'_> {
    type BlockSize = U16;
}

impl ParBlocksSizeUser for Backend<'_> {
    type ParBlocksSize = Width;
}

impl KeyInit for Serpent {
    fn new(key: &Key<Self>) -> Self {
        Self::expand(key.0)
    }

    /// Takes 0 to 32 bytes.
    fn new_from_slice(key: &[u8]) -> Result<Self, InvalidLength> {
        pad(key).map(Self::expand).ok_or(InvalidLength)
    }
}

impl AlgorithmName for Serpent {
    fn write_alg_name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serpent")
    }
}

impl Drop for Serpent {
    fn drop(&mut self) {
        self.0
            .rounds
            .as_flattened_mut()
            .as_flattened_mut()
            .zeroize();
        self.0.last.zeroize();
    }
}

impl ZeroizeOnDrop for Serpent {}
