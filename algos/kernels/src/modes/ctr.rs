//! Counter mode (SP 800-38A, 6.5), the whole block a big-endian counter.

use core::marker::PhantomData;

use kgpu_core::device::ITEM_CELLS;

use super::{plain, xor};
use crate::counter::{be64_pair, be128};
use crate::gpu::swap;
use crate::{At, Cipher, Item, unroll};

/// CTR; both directions are the same.
#[derive(Debug)]
pub struct Ctr<C, const N: usize>(PhantomData<C>);

plain!(Ctr, Cells, in_place: true, work => {
    let cipher = C::new();
    work.items(C::BLOCK, #[inline(always)] |item| {
        let (unit, n) = item.start();
        // The item's first counter, and its last bits as a number: where they do not overflow, all other
        // bits are the same for the whole item.
        let start = counters(item.iv(unit), n, C::BLOCK);
        let low = swap(start[if C::BLOCK == 8 { 1 } else { 3 }]);
        if item.one_unit() && low.checked_add(2 * ITEM_CELLS).is_some() {
            item.cells::<N>(#[inline(always)] |at| {
                let mut cells = [start; N];
                unroll::<N>(#[inline(always)] |j| {
                    if C::BLOCK == 8 {
                        let low = low + 2 * at.cell(j);
                        cells[j][1] = swap(low);
                        cells[j][2] = start[0];
                        cells[j][3] = swap(low + 1);
                    } else {
                        cells[j][3] = swap(low + at.cell(j));
                    }
                });
                crypt(cipher, item, at, cells);
            });
        } else {
            item.cells::<N>(#[inline(always)] |at| {
                let mut cells = [[0; 4]; N];
                unroll::<N>(#[inline(always)] |j| {
                    let (unit, n) = item.unit_of(at.cell(j));
                    cells[j] = counters(item.iv(unit), n, C::BLOCK);
                });
                crypt(cipher, item, at, cells);
            });
        }
    });
});

/// Adds the encrypted counters to a thread's cells.
#[inline(always)]
fn crypt<C: Cipher<N>, const N: usize>(
    cipher: C,
    item: &Item,
    at: At<N>,
    mut counters: [[u32; 4]; N],
) {
    let mut cells = item.load(at);
    cipher.encrypt(&mut counters);
    unroll::<N>(
        #[inline(always)]
        |j| cells[j] = xor(cells[j], counters[j]),
    );
    item.store(at, &cells);
}

/// The counter blocks of the `n`th cell of a data unit.
#[inline(always)]
fn counters(iv: [u32; 4], n: u32, block: u32) -> [u32; 4] {
    if block == 8 {
        be64_pair(iv, n.wrapping_mul(2))
    } else {
        be128(iv, n)
    }
}
