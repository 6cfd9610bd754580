//! The S-boxes as networks of three-input functions: one instruction each on GPUs.
//!
//! Found by search: exhaustive up to seven functions, so that none of these networks can be shorter; those
//! of eight by random search.

use super::lut3::lut3;
use super::sbox::{Substitution, Words};

/// The S-boxes in seven functions each, S3, S7 and their inverses in eight.
#[derive(Clone, Copy, Debug)]
pub struct Luts;

impl Substitution for Luts {
    #[inline(always)]
    fn s0([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x36>(d, b, a);
        let t1 = lut3::<0x3c>(t0, c, a);
        let t2 = lut3::<0x5c>(d, b, a);
        let t3 = lut3::<0x8e>(d, b, a);
        let t4 = lut3::<0xc9>(t3, t2, c);
        let t5 = lut3::<0x96>(t4, t3, t1);
        let t6 = lut3::<0xa9>(t5, t4, t0);
        [t4, t5, t6, t1]
    }

    #[inline(always)]
    fn s1([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0xb4>(c, b, a);
        let t1 = lut3::<0xc3>(t0, d, a);
        let t2 = lut3::<0x1c>(d, b, a);
        let t3 = lut3::<0xca>(d, b, a);
        let t4 = lut3::<0x93>(t3, t2, c);
        let t5 = lut3::<0x35>(t4, t3, t0);
        let t6 = lut3::<0x96>(t4, t3, t0);
        [t5, t6, t1, t4]
    }

    #[inline(always)]
    fn s2([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x16>(c, b, a);
        let t1 = lut3::<0x87>(t0, d, b);
        let t2 = lut3::<0x36>(d, b, a);
        let t3 = lut3::<0x78>(d, c, a);
        let t4 = lut3::<0x96>(t3, c, b);
        let t5 = lut3::<0x78>(t3, t2, t0);
        let t6 = lut3::<0x2d>(t3, t2, t1);
        [t4, t6, t5, t1]
    }

    #[inline(always)]
    fn s3([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x6a>(a, d, b);
        let t1 = lut3::<0xc5>(a, t0, c);
        let t2 = lut3::<0x72>(d, b, a);
        let t3 = lut3::<0x36>(t2, t0, c);
        let t4 = lut3::<0x53>(t2, t1, c);
        let t5 = lut3::<0x78>(t4, t0, d);
        let t6 = lut3::<0x96>(t4, t3, a);
        let t7 = lut3::<0x9a>(t6, t5, t2);
        [t7, t6, t5, t3]
    }

    #[inline(always)]
    fn s4([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x96>(d, b, a);
        let t1 = lut3::<0xe2>(d, b, a);
        let t2 = lut3::<0x36>(d, c, a);
        let t3 = lut3::<0x69>(t2, t1, b);
        let t4 = lut3::<0xc9>(t3, t0, b);
        let t5 = lut3::<0xc5>(t3, t1, t0);
        let t6 = lut3::<0x9c>(t5, t2, t0);
        [t3, t6, t5, t4]
    }

    #[inline(always)]
    fn s5([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x1e>(c, b, a);
        let t1 = lut3::<0x96>(d, b, a);
        let t2 = lut3::<0xc6>(t1, t0, a);
        let t3 = lut3::<0x95>(t2, t0, d);
        let t4 = lut3::<0x4b>(t2, t1, b);
        let t5 = lut3::<0x36>(t4, t1, d);
        let t6 = lut3::<0x93>(t4, t1, t0);
        [t4, t5, t6, t3]
    }

    #[inline(always)]
    fn s6([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x96>(c, b, a);
        let t1 = lut3::<0x2d>(t0, d, a);
        let t2 = lut3::<0x5c>(t0, d, a);
        let t3 = lut3::<0x9a>(t0, d, c);
        let t4 = lut3::<0x4b>(t3, t2, b);
        let t5 = lut3::<0x95>(t3, t2, t0);
        let t6 = lut3::<0xa6>(t5, t4, t2);
        [t4, t1, t5, t6]
    }

    #[inline(always)]
    fn s7([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x2d>(d, b, c);
        let t1 = lut3::<0xd2>(b, t0, a);
        let t2 = lut3::<0x96>(t1, c, a);
        let t3 = lut3::<0x28>(c, b, a);
        let t4 = lut3::<0x39>(t3, t1, t0);
        let t5 = lut3::<0x59>(t4, t0, a);
        let t6 = lut3::<0x9a>(t5, t2, t0);
        let t7 = lut3::<0xd1>(t5, t2, t0);
        [t6, t4, t7, t2]
    }

    #[inline(always)]
    fn i0([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x1e>(c, b, a);
        let t1 = lut3::<0xc3>(t0, d, a);
        let t2 = lut3::<0x34>(d, b, a);
        let t3 = lut3::<0x5c>(d, b, a);
        let t4 = lut3::<0xc9>(t3, t2, c);
        let t5 = lut3::<0xa3>(t4, t3, t0);
        let t6 = lut3::<0x96>(t4, t3, t0);
        [t4, t5, t1, t6]
    }

    #[inline(always)]
    fn i1([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x2e>(d, b, a);
        let t1 = lut3::<0x9a>(d, b, a);
        let t2 = lut3::<0x3c>(t1, c, a);
        let t3 = lut3::<0xe8>(d, b, a);
        let t4 = lut3::<0x93>(t3, t0, c);
        let t5 = lut3::<0x69>(t4, t3, t2);
        let t6 = lut3::<0x65>(t5, t4, t1);
        [t4, t5, t6, t2]
    }

    #[inline(always)]
    fn i2([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x3c>(c, b, a);
        let t1 = lut3::<0x5a>(d, b, a);
        let t2 = lut3::<0x3a>(d, c, b);
        let t3 = lut3::<0xa9>(t2, t1, t0);
        let t4 = lut3::<0x69>(t3, t2, a);
        let t5 = lut3::<0x56>(t4, t2, t1);
        let t6 = lut3::<0x95>(t5, t3, t2);
        [t5, t4, t3, t6]
    }

    #[inline(always)]
    fn i3([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x97>(a, d, b);
        let t1 = lut3::<0x59>(a, t0, b);
        let t2 = lut3::<0x46>(d, c, b);
        let t3 = lut3::<0x68>(t0, d, c);
        let t4 = lut3::<0x1a>(t3, t1, a);
        let t5 = lut3::<0x74>(t3, t2, d);
        let t6 = lut3::<0x39>(t4, t0, c);
        let t7 = lut3::<0x9e>(t6, t2, t1);
        [t4, t5, t6, t7]
    }

    #[inline(always)]
    fn i4([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x1e>(c, b, a);
        let t1 = lut3::<0x3e>(d, c, a);
        let t2 = lut3::<0xd2>(t1, b, a);
        let t3 = lut3::<0x6a>(t2, d, a);
        let t4 = lut3::<0x96>(t3, t0, d);
        let t5 = lut3::<0x95>(t3, t2, t0);
        let t6 = lut3::<0x59>(t5, t4, t3);
        [t5, t2, t6, t4]
    }

    #[inline(always)]
    fn i5([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x34>(c, b, a);
        let t1 = lut3::<0x87>(t0, d, a);
        let t2 = lut3::<0x9c>(d, c, a);
        let t3 = lut3::<0x65>(t1, b, a);
        let t4 = lut3::<0x96>(t3, t2, b);
        let t5 = lut3::<0x39>(t3, t2, t1);
        let t6 = lut3::<0x9a>(t5, t4, t3);
        [t4, t5, t6, t1]
    }

    #[inline(always)]
    fn i6([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0xc6>(c, b, a);
        let t1 = lut3::<0x5c>(d, c, a);
        let t2 = lut3::<0x3c>(t0, d, a);
        let t3 = lut3::<0x69>(t2, c, a);
        let t4 = lut3::<0x27>(t2, t1, b);
        let t5 = lut3::<0x1b>(t2, t1, b);
        let t6 = lut3::<0x95>(t3, t1, t0);
        [t4, t3, t6, t5]
    }

    #[inline(always)]
    fn i7([a, b, c, d]: Words) -> Words {
        let t0 = lut3::<0x86>(c, b, d);
        let t1 = lut3::<0x47>(c, d, a);
        let t2 = lut3::<0xd6>(d, b, a);
        let t3 = lut3::<0x69>(t2, t0, b);
        let t4 = lut3::<0x9a>(t2, t1, t0);
        let t5 = lut3::<0x61>(t1, t0, d);
        let t6 = lut3::<0x72>(t5, t2, t0);
        let t7 = lut3::<0xc6>(t5, t2, t1);
        [t3, t7, t4, t6]
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn are_as_published() {
        crate::sbox::tests::are_as_published::<super::Luts>();
    }
}
