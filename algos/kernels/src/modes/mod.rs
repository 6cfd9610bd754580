//! The modes over any cipher: ECB, CBC and CTR (SP 800-38A), XTS (IEEE 1619-2007).

mod cbc;
mod ctr;
mod ecb;
mod xts;

pub use cbc::{CbcDecrypt, CbcEncrypt, load_block, store_block};
pub use ctr::Ctr;
pub use ecb::{EcbDecrypt, EcbEncrypt};
pub use xts::{XtsDecrypt, XtsEncrypt};

/// A mode without preparation: its traits, and a load of the one key.
macro_rules! plain {
    ($name:ident, $grain:ident, in_place: $in_place:literal, $work:ident => $compute:expr) => {
        impl<C: crate::Cipher<N>, const N: usize> crate::Traits for $name<C, N> {
            const GRAIN: kgpu_core::device::Grain = kgpu_core::device::Grain::$grain;
            const SCRATCH: kgpu_core::device::Scratch = kgpu_core::device::Scratch::None;
            const IN_PLACE: bool = $in_place;
        }

        impl<C: crate::Cipher<N>, const N: usize> crate::Kernel for $name<C, N> {
            const PREPARES: bool = false;

            #[inline(always)]
            fn load(work: &crate::Work, _preparing: bool) {
                C::load(&work.schedule(C::KEY_WORDS, false));
            }

            #[inline(always)]
            fn prepare(_work: &crate::Work) {}

            #[inline(always)]
            fn compute($work: &crate::Work) {
                $compute
            }
        }
    };
}
use plain;

/// The bitwise sum of two cells.
#[inline(always)]
pub(crate) fn xor(a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]]
}
