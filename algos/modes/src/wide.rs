//! Runs of blocks in the width a cipher works in parallel.

use cipher::array::{Array, ArraySize};
use cipher::consts::U4;
use cipher::typenum::Unsigned;
use cipher::{InOut, InOutBuf, ParBlocks, ParBlocksSizeUser};

/// One step of a mode over as many blocks as the backend takes at a time.
pub(crate) trait Pass<B: ParBlocksSizeUser> {
    /// Works on `chunk`, of which the first `count` blocks are the tile's; the rest may be anything.
    fn step(&mut self, backend: &B, chunk: InOut<'_, '_, ParBlocks<B>>, count: usize);
}

/// Takes a pass over the blocks.
///
/// What does not fill a chunk is padded in a buffer of its own, because on wide backends one
/// parallel step costs less than a few single ones.
//
// Always inlined, like all passes: a cipher's backend calls this in a function compiled for the
// processor's own instructions, and only what is inlined there gets to use them.
#[inline(always)]
pub(crate) fn run<B: ParBlocksSizeUser, P: Pass<B>>(
    backend: &B,
    blocks: InOutBuf<'_, '_, Array<u8, B::BlockSize>>,
    pass: &mut P,
) {
    let (chunks, mut tail) = blocks.into_chunks::<B::ParBlocksSize>();
    for chunk in chunks {
        pass.step(backend, chunk, B::ParBlocksSize::USIZE);
    }
    if !tail.is_empty() {
        let mut padded = ParBlocks::<B>::default();
        for (to, from) in padded.iter_mut().zip(tail.get_in()) {
            *to = from.clone();
        }
        pass.step(backend, InOut::from(&mut padded), tail.len());
        for (to, from) in tail.get_out().iter_mut().zip(padded) {
            *to = from;
        }
    }
}

/// The output of each block is its input XOR a mask.
//
// Four blocks at a time: as one array it would go through a copy of the whole chunk, and block by
// block the cipher's wide loads would wait for the narrow stores.
#[inline(always)]
pub(crate) fn mask<BS: ArraySize, N: ArraySize>(
    chunk: &mut InOut<'_, '_, Array<Array<u8, BS>, N>>,
    masks: &Array<Array<u8, BS>, N>,
) {
    let (fours, rest) = chunk.reborrow().into_buf().into_chunks::<U4>();
    let (four_masks, rest_masks) = Array::slice_as_chunks(masks);
    for (mut four, masks) in fours.into_iter().zip(four_masks) {
        four.xor_in2out(masks);
    }
    for (mut block, mask) in rest.into_iter().zip(rest_masks) {
        block.xor_in2out(mask);
    }
}

/// The same in the output alone.
#[inline(always)]
pub(crate) fn mask_output<BS: ArraySize, N: ArraySize>(
    chunk: &mut InOut<'_, '_, Array<Array<u8, BS>, N>>,
    masks: &Array<Array<u8, BS>, N>,
) {
    mask(&mut InOut::from(chunk.get_out()), masks);
}
