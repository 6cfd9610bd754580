//! Cipher block chaining (SP 800-38A, 6.2): decryption block by block in parallel, encryption data unit
//! by data unit.
#![allow(unsafe_code)]

use core::marker::PhantomData;

use super::{plain, xor};
use crate::gpu::{load16, store16, thread, threads};
use crate::item::{load_bytes, store_bytes};
use crate::{Chain, Item, unroll};

/// CBC decryption. Not in place: a block's neighbour is read by another warp.
#[derive(Debug)]
pub struct CbcDecrypt<C, const N: usize>(PhantomData<C>);

/// CBC encryption: each thread takes `N` data units at a time.
#[derive(Debug)]
pub struct CbcEncrypt<C, const N: usize>(PhantomData<C>);

plain!(CbcDecrypt, Cells, in_place: false, work => {
    let cipher = C::new();
    work.items(C::BLOCK, #[inline(always)] |item| {
        item.loaded::<N>(C::SPARE, #[inline(always)] |at, source| {
            let mut before = [[0; 4]; N];
            if C::SPARE {
                unroll::<N>(#[inline(always)] |j| before[j] = chained(item, at.cell(j), source[j], C::BLOCK));
            }
            let mut cells = source;
            cipher.decrypt(&mut cells);
            unroll::<N>(#[inline(always)] |j| {
                let before = if C::SPARE {
                    before[j]
                } else {
                    chained(item, at.cell(j), item.load_cell(at.cell(j)), C::BLOCK)
                };
                cells[j] = xor(cells[j], before);
            });
            item.store(at, &cells);
        });
    });
});

/// What a cell's blocks are chained to: the block before each, or its data unit's IV.
#[inline(always)]
fn chained(item: &Item, cell: u32, own: [u32; 4], block: u32) -> [u32; 4] {
    let (unit, n) = item.unit_of(cell);
    let before = if n == 0 {
        let iv = item.iv(unit);
        if block == 8 { [0, 0, iv[0], iv[1]] } else { iv }
    } else {
        item.load_before(cell)
    };
    if block == 8 {
        [before[2], before[3], own[0], own[1]]
    } else {
        before
    }
}

plain!(CbcEncrypt, Units, in_place: true, work => {
    let each = number(N);
    let cipher = C::new();
    let block = u64::from(C::BLOCK);
    // Neighbouring units go to neighbouring threads, so that few units occupy many threads.
    let mut first = thread();
    while first < work.span().items {
        let mut chains = [Chain::default(); N];
        let mut most = 0;
        unroll::<N>(#[inline(always)] |j| {
            chains[j] = work.chain(first + number(j) * threads(), C::BLOCK);
            most = most.max(chains[j].blocks);
        });
        let mut done = 0;
        while done < most {
            let mut cells = [[0; 4]; N];
            unroll::<N>(#[inline(always)] |j| {
                let chain = &chains[j];
                if done < chain.blocks {
                    // SAFETY: a block of the chain's unit, which is part of a tile.
                    cells[j] = xor(unsafe { load_block(chain.src, C::BLOCK) }, chain.iv);
                }
            });
            cipher.encrypt(&mut cells);
            unroll::<N>(#[inline(always)] |j| {
                let chain = &mut chains[j];
                if done < chain.blocks {
                    // SAFETY: as above.
                    unsafe { store_block(chain.dst, C::BLOCK, cells[j]) };
                    chain.iv = cells[j];
                    chain.src += block;
                    chain.dst += block;
                }
            });
            done += 1;
        }
        first += threads() * each;
    }
});

/// A number of chains, at most 8.
#[allow(clippy::cast_possible_truncation)]
#[inline(always)]
const fn number(j: usize) -> u32 {
    j as u32
}

/// A block at any address, zero-padded to a cell.
///
/// # Safety
/// Its bytes must be readable.
#[inline(always)]
pub unsafe fn load_block(address: u64, block: u32) -> [u32; 4] {
    if block == 16 && address & 15 == 0 {
        // SAFETY: the caller's promise; aligned.
        return unsafe { load16(address) };
    }
    // SAFETY: the caller's promise.
    unsafe { load_bytes(address, block) }
}

/// Stores a block at any address.
///
/// # Safety
/// Its bytes must be writable.
#[inline(always)]
pub unsafe fn store_block(address: u64, block: u32, cell: [u32; 4]) {
    if block == 16 && address & 15 == 0 {
        // SAFETY: the caller's promise; aligned.
        return unsafe { store16(address, cell) };
    }
    // SAFETY: the caller's promise.
    unsafe { store_bytes(address, block, cell) }
}
