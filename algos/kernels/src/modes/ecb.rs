//! Electronic codebook (SP 800-38A, 6.1).

use core::marker::PhantomData;

use super::plain;

/// ECB encryption.
#[derive(Debug)]
pub struct EcbEncrypt<C, const N: usize>(PhantomData<C>);

/// ECB decryption.
#[derive(Debug)]
pub struct EcbDecrypt<C, const N: usize>(PhantomData<C>);

plain!(EcbEncrypt, Cells, in_place: true, work => {
    let cipher = C::new();
    work.items(C::BLOCK, #[inline(always)] |item| {
        item.loaded::<N>(C::SPARE, #[inline(always)] |at, mut cells| {
            cipher.encrypt(&mut cells);
            item.store(at, &cells);
        });
    });
});

plain!(EcbDecrypt, Cells, in_place: true, work => {
    let cipher = C::new();
    work.items(C::BLOCK, #[inline(always)] |item| {
        item.loaded::<N>(C::SPARE, #[inline(always)] |at, mut cells| {
            cipher.decrypt(&mut cells);
            item.store(at, &cells);
        });
    });
});
