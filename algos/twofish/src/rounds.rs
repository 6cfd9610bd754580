//! Twofish's rounds (paper, section 4.2), on several blocks side by side, as a cipher of the
//! `cipher` crate.
//!
//! Why not RustCrypto's `twofish`: it computes every S-box and MDS product anew for each byte
//! (docs/decisions.md, docs/benchmarks.md). The tests compare with it.

use core::fmt;

use cipher::consts::{U4, U16, U32};
use cipher::{
    AlgorithmName, Block, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt,
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, InOut,
    InvalidLength, Key, KeyInit, KeySizeUser, ParBlocks, ParBlocksSizeUser,
};
use zeroize::ZeroizeOnDrop;

use crate::schedule::Schedule;

/// Blocks side by side. Look-ups wait for the one before them, so one block alone leaves a core
/// mostly idle.
type Width = U4;

/// A block as the cipher sees it.
type Words = [u32; 4];

/// Twofish under a key.
#[derive(Clone)]
pub(crate) struct Twofish(Schedule);

impl Twofish {
    /// The function g of a word, and of the word rotated left by 8 bits.
    #[inline(always)]
    fn g(&self, x: u32, y: u32) -> (u32, u32) {
        let [t0, t1, t2, t3] = &self.0.g;
        let [x0, x1, x2, x3] = x.to_le_bytes().map(usize::from);
        let [y0, y1, y2, y3] = y.to_le_bytes().map(usize::from);
        (
            t0[x0] ^ t1[x1] ^ t2[x2] ^ t3[x3],
            t1[y0] ^ t2[y1] ^ t3[y2] ^ t0[y3],
        )
    }

    /// The function F: the pseudo-Hadamard transform of g, and a round key.
    #[inline(always)]
    fn f(&self, x: u32, y: u32, round: [u32; 2]) -> (u32, u32) {
        let (t0, t1) = self.g(x, y);
        let sum = t0.wrapping_add(t1);
        (
            sum.wrapping_add(round[0]),
            sum.wrapping_add(t1).wrapping_add(round[1]),
        )
    }

    /// Encrypts blocks side by side.
    #[inline(always)]
    fn encrypt<const N: usize>(&self, blocks: &mut [Words; N]) {
        for block in &mut *blocks {
            *block = xor(*block, self.0.before);
        }
        for round in &self.0.rounds {
            for block in &mut *blocks {
                let [a, b, c, d] = *block;
                let (f0, f1) = self.f(a, b, *round);
                *block = [(c ^ f0).rotate_right(1), d.rotate_left(1) ^ f1, a, b];
            }
        }
        for block in blocks {
            let [a, b, c, d] = *block;
            *block = xor([c, d, a, b], self.0.after);
        }
    }

    /// Decrypts blocks side by side.
    #[inline(always)]
    fn decrypt<const N: usize>(&self, blocks: &mut [Words; N]) {
        for block in &mut *blocks {
            let [a, b, c, d] = xor(*block, self.0.after);
            *block = [c, d, a, b];
        }
        for round in self.0.rounds.iter().rev() {
            for block in &mut *blocks {
                let [a, b, c, d] = *block;
                let (f0, f1) = self.f(c, d, *round);
                *block = [c, d, a.rotate_left(1) ^ f0, (b ^ f1).rotate_right(1)];
            }
        }
        for block in blocks {
            *block = xor(*block, self.0.before);
        }
    }
}

/// Word by word.
#[inline(always)]
fn xor(a: Words, b: Words) -> Words {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}

/// The words of a block, little-endian.
#[inline(always)]
fn load(block: &Block<Twofish>) -> Words {
    let (words, _) = block.as_chunks::<4>();
    let mut out = [0; 4];
    for (to, from) in out.iter_mut().zip(words) {
        *to = u32::from_le_bytes(*from);
    }
    out
}

/// The block of words.
#[inline(always)]
fn store(block: &mut Block<Twofish>, words: Words) {
    let (to, _) = block.as_chunks_mut::<4>();
    for (to, from) in to.iter_mut().zip(words) {
        *to = from.to_le_bytes();
    }
}

/// Takes several blocks through a function.
#[inline(always)]
fn side_by_side(mut blocks: InOut<'_, '_, ParBlocks<Twofish>>, f: impl FnOnce(&mut [Words; 4])) {
    let mut words = [[0; 4]; 4];
    for (to, from) in words.iter_mut().zip(blocks.get_in()) {
        *to = load(from);
    }
    f(&mut words);
    for (to, from) in blocks.get_out().iter_mut().zip(words) {
        store(to, from);
    }
}

impl BlockCipherEncBackend for Twofish {
    #[inline]
    fn encrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut words = [load(block.get_in())];
        self.encrypt(&mut words);
        store(block.get_out(), words[0]);
    }

    #[inline]
    fn encrypt_par_blocks(&self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        side_by_side(blocks, |words| self.encrypt(words));
    }
}

impl BlockCipherDecBackend for Twofish {
    #[inline]
    fn decrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut words = [load(block.get_in())];
        self.decrypt(&mut words);
        store(block.get_out(), words[0]);
    }

    #[inline]
    fn decrypt_par_blocks(&self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        side_by_side(blocks, |words| self.decrypt(words));
    }
}

impl BlockCipherEncrypt for Twofish {
    #[inline]
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        f.call(self);
    }
}

impl BlockCipherDecrypt for Twofish {
    #[inline]
    fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
        f.call(self);
    }
}

impl KeySizeUser for Twofish {
    type KeySize = U32;
}

impl BlockSizeUser for Twofish {
    type BlockSize = U16;
}

impl ParBlocksSizeUser for Twofish {
    type ParBlocksSize = Width;
}

impl KeyInit for Twofish {
    fn new(key: &Key<Self>) -> Self {
        Self(Schedule::of_256_bits(&key.0))
    }

    fn new_from_slice(key: &[u8]) -> Result<Self, InvalidLength> {
        Schedule::new(key).map(Self).ok_or(InvalidLength)
    }
}

impl AlgorithmName for Twofish {
    fn write_alg_name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Twofish")
    }
}

impl ZeroizeOnDrop for Twofish {}
