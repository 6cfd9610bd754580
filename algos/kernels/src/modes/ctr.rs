//! Counter mode (SP 800-38A, 6.5), the whole block a big-endian counter.

use core::marker::PhantomData;

use super::{plain, xor};
use crate::counter::{be64_pair, be128};
use crate::unroll;

/// CTR; both directions are the same.
#[derive(Debug)]
pub struct Ctr<C, const N: usize>(PhantomData<C>);

plain!(Ctr, Cells, in_place: true, work => {
    let cipher = C::new();
    work.items(C::BLOCK, |item| {
        item.cells::<N>(|at| {
            let mut cells = [[0; 4]; N];
            unroll::<N>(|j| {
                let (unit, n) = item.unit_of(at.cell(j));
                let iv = item.iv(unit);
                cells[j] = if C::BLOCK == 8 {
                    be64_pair(iv, n.wrapping_mul(2))
                } else {
                    be128(iv, n)
                };
            });
            let data = item.load(at);
            cipher.encrypt(&mut cells);
            unroll::<N>(|j| cells[j] = xor(cells[j], data[j]));
            item.store(at, &cells);
        });
    });
});
