//! Counter mode (SP 800-38A, 6.5): the counter is the whole block, big-endian, and wraps.

use alloc::boxed::Box;
use core::{fmt, mem, slice};

use cipher::array::{Array, ArraySize};
use cipher::{
    BlockCipherEncBackend, BlockCipherEncClosure, BlockSizeUser, InOut, InOutBuf, ParBlocks,
};
use kgpu_core::abi::Op;
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};

use crate::ModeCipher;
use crate::cipher_trait::{boxed, debug};
use crate::tile::{Blocks, split};
use crate::units::Units;
use crate::wide::{self, Pass};

/// A cipher in CTR mode.
pub struct Ctr<C>(C);

impl<C: ModeCipher> Ctr<C> {
    /// Expands a key.
    ///
    /// # Errors
    /// [`KeyError`] when the cipher has no key of that length.
    pub fn boxed(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
        boxed(key, Self)
    }
}

impl<C: ModeCipher> fmt::Debug for Ctr<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<C>("Ctr", f)
    }
}

impl<C: ModeCipher> CpuKey for Ctr<C> {
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError> {
        if work.op == Op::Compute {
            return Err(WorkError::Op(work.op));
        }
        let len = data.src_len();
        let (blocks, tail) = split::<C::BlockSize>(data)?;
        let mut counters =
            Counters::new::<C::BlockSize>(Units::uncounted(work, len, C::block_size())?);
        self.0.encrypt_with_backend(Stream {
            blocks,
            counters: &mut counters,
        });
        if !tail.is_empty() {
            let mut last = Array::<u8, C::BlockSize>::default();
            counters.fill(slice::from_mut(&mut last));
            self.0.encrypt_block(&mut last);
            xor_bytes(tail, &last);
        }
        Ok(())
    }
}

/// XORs as many bytes of `stream` as there are.
fn xor_bytes(bytes: InOutBuf<'_, '_, u8>, stream: &[u8]) {
    for (mut byte, key) in bytes.into_iter().zip(stream) {
        let sum = *byte.get_in() ^ key;
        *byte.get_out() = sum;
    }
}

/// The counter blocks of a tile, in order.
struct Counters {
    /// Where in which unit.
    units: Units,
    /// The next counter's high half; nothing of it in blocks of 8 bytes.
    high: u64,
    /// Its low half.
    low: u64,
}

impl Counters {
    /// From the tile's first block.
    fn new<BS: ArraySize>(units: Units) -> Self {
        let mut counters = Self {
            units,
            high: 0,
            low: 0,
        };
        counters.enter::<BS>();
        counters
    }

    /// Starts at a unit's IV.
    #[inline(always)]
    fn enter<BS: ArraySize>(&mut self) {
        let iv = u128::from_be_bytes(*self.units.iv()) >> (128 - 8 * BS::U32.min(16));
        (self.high, self.low) = halves(iv);
    }

    /// The next counter blocks.
    #[inline(always)]
    fn fill<BS: ArraySize>(&mut self, mut out: &mut [Array<u8, BS>]) {
        while !out.is_empty() {
            // Up to a carry out of the low half, which is rare: what is between, goes in parallel.
            let carry = usize::try_from(u64::MAX - self.low).unwrap_or(usize::MAX);
            let wanted = out.len().min(carry.saturating_add(1));
            let mut taken = self.units.take(wanted);
            if taken == 0 {
                self.units.advance();
                self.enter::<BS>();
                taken = self.units.take(1);
            }
            let (now, later) = mem::take(&mut out).split_at_mut(taken);
            let (high, low) = (self.high.to_be_bytes(), self.low);
            for (n, block) in (0..).zip(&mut *now) {
                // Zips, because they cannot panic; on blocks of 16 bytes, two stores.
                let low = low.wrapping_add(n).to_be_bytes();
                let bytes = high.iter().chain(&low).skip(16 - BS::USIZE.min(16));
                for (to, from) in block.iter_mut().zip(bytes) {
                    *to = *from;
                }
            }
            let (low, carry) = low.overflowing_add(taken as u64);
            self.low = low;
            self.high = self.high.wrapping_add(u64::from(carry));
            out = later;
        }
    }
}

/// The high and the low half.
#[inline(always)]
fn halves(counter: u128) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, low @ ..] = counter.to_be_bytes();
    (
        u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        u64::from_be_bytes(low),
    )
}

/// Blocks to be XORed with the encrypted counters.
struct Stream<'a, 'c, BS: ArraySize> {
    blocks: Blocks<'a, BS>,
    counters: &'c mut Counters,
}

impl<BS: ArraySize> BlockSizeUser for Stream<'_, '_, BS> {
    type BlockSize = BS;
}

impl<BS: ArraySize> BlockCipherEncClosure for Stream<'_, '_, BS> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = BS>>(self, backend: &B) {
        wide::run(backend, self.blocks, self.counters);
    }
}

impl<B: BlockCipherEncBackend> Pass<B> for Counters {
    #[inline(always)]
    fn step(&mut self, backend: &B, mut chunk: InOut<'_, '_, ParBlocks<B>>, count: usize) {
        let mut stream = ParBlocks::<B>::default();
        self.fill(stream.get_mut(..count).unwrap_or_default());
        backend.encrypt_par_blocks_inplace(&mut stream);
        wide::mask(&mut chunk, &stream);
    }
}
