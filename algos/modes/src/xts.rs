//! XTS (IEEE 1619-2007, SP 800-38E) on whole blocks: each block is masked, before and after the
//! cipher, with its tweak: the encrypted IV of its data unit, doubled once for each block before it.

use alloc::boxed::Box;
use core::{fmt, mem};

use cipher::array::Array;
use cipher::consts::U16;
use cipher::{
    BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherEncBackend, BlockCipherEncClosure,
    BlockSizeUser, InOut, InOutBuf, ParBlocks, ParBlocksSizeUser,
};
use kgpu_core::abi::Op;
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};

use crate::ModeCipher;
use crate::cipher_trait::debug;
use crate::ecb;
use crate::gf128::{self, LANES, Run};
use crate::tile::{Blocks, whole};
use crate::units::Units;
use crate::wide::{self, Pass};

/// Units whose IVs are encrypted at a time.
const READY: usize = 64;

/// A cipher of 16-byte blocks in XTS mode.
pub struct Xts<C> {
    /// The cipher of the data, under the key's first half.
    data: C,
    /// The cipher of the IVs, under its second half.
    tweak: C,
}

impl<C: ModeCipher + BlockSizeUser<BlockSize = U16>> Xts<C> {
    /// Expands both halves of a key.
    ///
    /// # Errors
    /// [`KeyError`] when the cipher has no key of half that length.
    pub fn boxed(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
        let error = KeyError { len: key.len() };
        if !key.len().is_multiple_of(2) {
            return Err(error);
        }
        let (data, tweak) = key.split_at(key.len() / 2);
        Ok(Box::new(Self {
            data: C::new_from_slice(data).map_err(|_| error)?,
            tweak: C::new_from_slice(tweak).map_err(|_| error)?,
        }))
    }
}

impl<C: ModeCipher> fmt::Debug for Xts<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<C>("Xts", f)
    }
}

impl<C: ModeCipher + BlockSizeUser<BlockSize = U16>> CpuKey for Xts<C> {
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError> {
        let blocks = whole::<U16>(data)?;
        let units = Units::new(work, blocks.len() * 16, 16)?;
        let tweaks = Tweaks::new(&self.tweak, units, work.first_block, blocks.len());
        let masked = Masked { blocks, tweaks };
        match work.op {
            Op::Encrypt => self.data.encrypt_with_backend(masked),
            Op::Decrypt => self.data.decrypt_with_backend(masked),
            Op::Compute => return Err(WorkError::Op(work.op)),
        }
        Ok(())
    }
}

/// The tweaks of a tile's blocks, in order.
struct Tweaks<'a, C> {
    cipher: &'a C,
    units: Units,
    /// The next ones of the unit.
    run: Run,
    /// How many of those are used up.
    used: usize,
    /// Encrypted IVs of the units to come: those from `ready_at` on.
    ready: [Array<u8, U16>; READY],
    ready_at: usize,
    /// The IV of the first unit that is not ready.
    ahead: Units,
    /// Blocks of the tile that are in no ready unit.
    left: usize,
}

impl<'a, C: ModeCipher + BlockSizeUser<BlockSize = U16>> Tweaks<'a, C> {
    /// From the tile's first block, `first_block` blocks into its unit.
    fn new(cipher: &'a C, units: Units, first_block: u32, blocks: usize) -> Self {
        let ahead = units.clone();
        let before = units.blocks() - units.left();
        let mut tweaks = Self {
            cipher,
            units,
            run: Run::default(),
            used: 0,
            ready: [Array::default(); READY],
            ready_at: READY,
            ahead,
            left: blocks + before,
        };
        tweaks.enter(first_block);
        tweaks
    }

    /// Starts a unit with its encrypted IV, `before` blocks behind its start.
    fn enter(&mut self, before: u32) {
        if self.ready_at >= READY {
            let units = self.left.div_ceil(self.units.blocks()).min(READY);
            self.left = self.left.saturating_sub(units * self.units.blocks());
            // Right-aligned, so that the end of the array is the end of what is ready.
            self.ready_at = READY - units.max(1);
            let fresh = self.ready.get_mut(self.ready_at..).unwrap_or_default();
            for iv in &mut *fresh {
                *iv = Array(*self.ahead.iv());
                self.ahead.advance();
            }
            ecb::encrypt(self.cipher, InOutBuf::from(fresh));
        }
        if let Some(tweak) = self.ready.get(self.ready_at) {
            self.run = Run::new(gf128::times_x_to(u128::from_le_bytes(tweak.0), before));
        }
        self.used = 0;
        self.ready_at += 1;
    }

    /// The next tweaks, all of one unit.
    #[inline(always)]
    fn fill_in_unit(&mut self, out: &mut [Array<u8, U16>]) {
        // Rest of a run, whole runs, part of a run.
        let rest = if self.used == 0 { 0 } else { LANES - self.used };
        let (rest, whole) = out.split_at_mut(rest.min(out.len()));
        self.fill_singly(rest);
        let (whole, part) = whole.as_chunks_mut::<LANES>();
        let mut run = self.run;
        for eight in whole {
            *eight = run.bytes().map(Array);
            run = run.next();
        }
        self.run = run;
        self.fill_singly(part);
    }

    /// The next tweaks of a run, not beyond it.
    #[inline(always)]
    fn fill_singly(&mut self, out: &mut [Array<u8, U16>]) {
        for (tweak, bytes) in out.iter_mut().zip(self.run.bytes().iter().skip(self.used)) {
            *tweak = Array(*bytes);
        }
        self.used += out.len();
        if self.used >= LANES {
            self.used = 0;
            self.run = self.run.next();
        }
    }

    /// The next tweaks.
    #[inline(always)]
    fn fill(&mut self, mut out: &mut [Array<u8, U16>]) {
        while !out.is_empty() {
            let mut taken = self.units.take(out.len());
            if taken == 0 {
                self.units.advance();
                self.enter(0);
                taken = self.units.take(out.len());
            }
            let (now, later) = mem::take(&mut out).split_at_mut(taken);
            self.fill_in_unit(now);
            out = later;
        }
    }
}

/// Blocks to be masked around the cipher.
struct Masked<'a, C> {
    blocks: Blocks<'a, U16>,
    tweaks: Tweaks<'a, C>,
}

impl<C> BlockSizeUser for Masked<'_, C> {
    type BlockSize = U16;
}

impl<C: ModeCipher + BlockSizeUser<BlockSize = U16>> BlockCipherEncClosure for Masked<'_, C> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        wide::run(backend, self.blocks, &mut Encrypt(self.tweaks));
    }
}

impl<C: ModeCipher + BlockSizeUser<BlockSize = U16>> BlockCipherDecClosure for Masked<'_, C> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, backend: &B) {
        wide::run(backend, self.blocks, &mut Decrypt(self.tweaks));
    }
}

/// Encryption.
struct Encrypt<'a, C>(Tweaks<'a, C>);

impl<C, B> Pass<B> for Encrypt<'_, C>
where
    C: ModeCipher + BlockSizeUser<BlockSize = U16>,
    B: BlockCipherEncBackend + BlockSizeUser<BlockSize = U16> + ParBlocksSizeUser,
{
    #[inline(always)]
    fn step(&mut self, backend: &B, mut chunk: InOut<'_, '_, ParBlocks<B>>, count: usize) {
        let mut tweaks = ParBlocks::<B>::default();
        self.0.fill(tweaks.get_mut(..count).unwrap_or_default());
        wide::mask(&mut chunk, &tweaks);
        backend.encrypt_par_blocks_inplace(chunk.get_out());
        wide::mask_output(&mut chunk, &tweaks);
    }
}

/// Decryption.
struct Decrypt<'a, C>(Tweaks<'a, C>);

impl<C, B> Pass<B> for Decrypt<'_, C>
where
    C: ModeCipher + BlockSizeUser<BlockSize = U16>,
    B: BlockCipherDecBackend + BlockSizeUser<BlockSize = U16> + ParBlocksSizeUser,
{
    #[inline(always)]
    fn step(&mut self, backend: &B, mut chunk: InOut<'_, '_, ParBlocks<B>>, count: usize) {
        let mut tweaks = ParBlocks::<B>::default();
        self.0.fill(tweaks.get_mut(..count).unwrap_or_default());
        wide::mask(&mut chunk, &tweaks);
        backend.decrypt_par_blocks_inplace(chunk.get_out());
        wide::mask_output(&mut chunk, &tweaks);
    }
}
