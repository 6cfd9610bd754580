//! The S-boxes as circuits of two-input gates (and, or, xor, and-not), for processors.
//!
//! Found by a beam search over sets of functions of four bits, which says nothing about whether there are
//! smaller ones.

use super::sbox::{Substitution, Words};

/// The S-boxes in 14 to 16 operations each.
#[derive(Clone, Copy, Debug)]
pub struct Gates;

impl Substitution for Gates {
    #[inline(always)]
    fn s0([a, b, c, d]: Words) -> Words {
        let t0 = d ^ a;
        let t1 = t0 & b;
        let t2 = t1 ^ a;
        let t3 = d | a;
        let t4 = t3 ^ b;
        let t5 = t4 ^ c;
        let t6 = t0 ^ c;
        let t7 = !(t6 ^ t2);
        let t8 = t7 | t5;
        let t9 = t8 ^ t2;
        let t10 = t8 ^ t6;
        let t11 = t6 & t2;
        let t12 = t11 ^ t4;
        [t10, t9, t12, t5]
    }

    #[inline(always)]
    fn s1([a, b, c, d]: Words) -> Words {
        let a = !a;
        let c = !c;
        let t0 = d ^ c;
        let t1 = b & a;
        let t2 = t1 ^ t0;
        let t3 = b ^ a;
        let t4 = d & !t3;
        let t5 = t3 ^ t2;
        let t6 = t1 ^ c;
        let t7 = t4 ^ a;
        let t8 = t7 | t6;
        let t9 = t8 ^ t5;
        let t10 = t9 ^ t6;
        let t11 = t10 ^ t7;
        let t12 = t11 | t9;
        let t13 = t12 ^ t10;
        [t13, t9, t2, t11]
    }

    #[inline(always)]
    fn s2([a, b, c, d]: Words) -> Words {
        let c = !c;
        let d = !d;
        let t0 = a & !c;
        let t1 = t0 ^ d;
        let t2 = c ^ b;
        let t3 = t2 ^ t1;
        let t4 = t3 ^ a;
        let t5 = t1 | b;
        let t6 = t5 ^ t4;
        let t7 = t6 ^ t1;
        let t8 = t1 & !c;
        let t9 = t8 | t7;
        let t10 = t9 & t5;
        let t11 = t7 | t4;
        let t12 = t11 & !t8;
        [t3, t10, t12, t6]
    }

    #[inline(always)]
    fn s3([a, b, c, d]: Words) -> Words {
        let t0 = c & !d;
        let t1 = t0 | a;
        let t2 = b & !c;
        let t3 = d & !b;
        let t4 = t1 ^ b;
        let t5 = t4 & !t3;
        let t6 = t5 ^ c;
        let t7 = t4 | t2;
        let t8 = t7 ^ d;
        let t9 = t8 | t4;
        let t10 = t9 ^ a;
        let t11 = t10 ^ t6;
        let t12 = t8 ^ t6;
        let t13 = t12 & t10;
        let t14 = t13 ^ t4;
        [t14, t6, t11, t8]
    }

    #[inline(always)]
    fn s4([a, b, c, d]: Words) -> Words {
        let a = !a;
        let c = !c;
        let t0 = d ^ a;
        let t1 = b ^ a;
        let t2 = t0 & !t1;
        let t3 = t2 ^ c;
        let t4 = t3 ^ d;
        let t5 = t4 & t1;
        let t6 = t4 & !b;
        let t7 = t6 ^ t0;
        let t8 = t5 ^ b;
        let t9 = t6 | t0;
        let t10 = t9 ^ t8;
        let t11 = t8 & !t7;
        let t12 = t11 ^ t3;
        [t4, t12, t10, t7]
    }

    #[inline(always)]
    fn s5([a, b, c, d]: Words) -> Words {
        let d = !d;
        let t0 = b ^ a;
        let t1 = d ^ b;
        let t2 = t1 & !t0;
        let t3 = t2 ^ c;
        let t4 = t3 ^ a;
        let t5 = t4 & d;
        let t6 = t5 ^ t0;
        let t7 = t4 | t1;
        let t8 = t7 ^ b;
        let t9 = t6 & !t8;
        let t10 = t9 ^ t3;
        let t11 = t0 & !t5;
        let t12 = t11 ^ t8;
        [t4, t6, t12, t10]
    }

    #[inline(always)]
    fn s6([a, b, c, d]: Words) -> Words {
        let d = !d;
        let t0 = !(a & !d);
        let t1 = t0 ^ b;
        let t2 = t1 ^ c;
        let t3 = d ^ a;
        let t4 = t3 ^ c;
        let t5 = t2 & !t3;
        let t6 = t5 ^ d;
        let t7 = t6 & !b;
        let t8 = t7 ^ t4;
        let t9 = t6 ^ b;
        let t10 = t9 ^ t3;
        let t11 = t8 & !t10;
        let t12 = t11 ^ t6;
        let t13 = t12 ^ t10;
        [t13, t2, t12, t8]
    }

    #[inline(always)]
    fn s7([a, b, c, d]: Words) -> Words {
        let t0 = c & !b;
        let t1 = t0 ^ d;
        let t2 = a & !t1;
        let t3 = t2 ^ c;
        let t4 = t3 ^ b;
        let t5 = t4 ^ t1;
        let t6 = t5 ^ a;
        let t7 = t6 | t2;
        let t8 = t7 ^ t3;
        let t9 = !(c & !t1);
        let t10 = t9 ^ t7;
        let t11 = t4 & !t10;
        let t12 = t11 ^ t1;
        let t13 = t12 ^ t10;
        [t13, t8, t12, t4]
    }

    #[inline(always)]
    fn i0([a, b, c, d]: Words) -> Words {
        let a = !a;
        let b = !b;
        let t0 = b & a;
        let t1 = t0 ^ c;
        let t2 = t1 ^ d;
        let t3 = b ^ a;
        let t4 = t3 ^ t2;
        let t5 = d & !t3;
        let t6 = t5 ^ b;
        let t7 = t6 & !t1;
        let t8 = t7 ^ t4;
        let t9 = t8 ^ t6;
        let t10 = t9 ^ t1;
        let t11 = t10 | t8;
        let t12 = t11 ^ t1;
        [t10, t12, t2, t8]
    }

    #[inline(always)]
    fn i1([a, b, c, d]: Words) -> Words {
        let b = !b;
        let t0 = d ^ b;
        let t1 = a & t0;
        let t2 = t1 ^ b;
        let t3 = d & b;
        let t4 = t3 ^ a;
        let t5 = t4 ^ c;
        let t6 = t0 ^ c;
        let t7 = t6 ^ t2;
        let t8 = t7 & t5;
        let t9 = !(t8 ^ t2);
        let t10 = t8 ^ t6;
        let t11 = t6 | t2;
        let t12 = t11 ^ t4;
        [t10, t9, t12, t5]
    }

    #[inline(always)]
    fn i2([a, b, c, d]: Words) -> Words {
        let d = !d;
        let t0 = c ^ b;
        let t1 = t0 ^ d;
        let t2 = t0 ^ a;
        let t3 = c & !t1;
        let t4 = t1 & !b;
        let t5 = t4 ^ t3;
        let t6 = t2 & !t5;
        let t7 = t6 ^ t3;
        let t8 = t4 ^ a;
        let t9 = t8 ^ d;
        let t10 = t8 ^ t6;
        let t11 = t9 & t10;
        let t12 = t11 ^ t5;
        [t9, t7, t10, t12]
    }

    #[inline(always)]
    fn i3([a, b, c, d]: Words) -> Words {
        let t0 = b & !c;
        let t1 = t0 ^ a;
        let t2 = t1 | d;
        let t3 = t2 ^ b;
        let t4 = t3 ^ c;
        let t5 = t4 ^ t1;
        let t6 = b & !t1;
        let t7 = t5 ^ d;
        let t8 = t2 & !t7;
        let t9 = t8 ^ t3;
        let t10 = t8 ^ t6;
        let t11 = t10 & t4;
        let t12 = t11 ^ t5;
        let t13 = t12 ^ t10;
        [t4, t13, t9, t12]
    }

    #[inline(always)]
    fn i4([a, b, c, d]: Words) -> Words {
        let a = !a;
        let t0 = d | c;
        let t1 = t0 & !a;
        let t2 = t1 ^ b;
        let t3 = t2 & !a;
        let t4 = t3 ^ c;
        let t5 = t4 ^ d;
        let t6 = t4 & !d;
        let t7 = t6 ^ t2;
        let t8 = a | t5;
        let t9 = t8 ^ d;
        let t10 = t9 ^ t7;
        let t11 = t2 & t9;
        let t12 = t5 ^ a;
        let t13 = t12 ^ t11;
        [t10, t5, t13, t7]
    }

    #[inline(always)]
    fn i5([a, b, c, d]: Words) -> Words {
        let t0 = d & a;
        let t1 = t0 ^ c;
        let t2 = a & !c;
        let t3 = b & !t1;
        let t4 = !(b & !t2);
        let t5 = t4 ^ t1;
        let t6 = t3 ^ a;
        let t7 = t6 ^ d;
        let t8 = t7 ^ b;
        let t9 = a & !t5;
        let t10 = t9 ^ t7;
        let t11 = t6 ^ t1;
        let t12 = t10 & !t8;
        let t13 = t12 ^ t11;
        [t8, t10, t13, t5]
    }

    #[inline(always)]
    fn i6([a, b, c, d]: Words) -> Words {
        let b = !b;
        let t0 = c & !a;
        let t1 = t0 ^ d;
        let t2 = t1 ^ b;
        let t3 = c ^ a;
        let t4 = t3 & b;
        let t5 = t4 | t1;
        let t6 = t5 ^ a;
        let t7 = !(t5 & t3);
        let t8 = b | c;
        let t9 = t8 ^ t6;
        let t10 = t8 ^ t7;
        let t11 = t10 ^ t2;
        let t12 = t11 & t9;
        let t13 = t12 ^ t1;
        [t11, t2, t13, t9]
    }

    #[inline(always)]
    fn i7([a, b, c, d]: Words) -> Words {
        let a = !a;
        let t0 = b & !a;
        let t1 = c | b;
        let t2 = d & !t0;
        let t3 = a & !d;
        let t4 = t2 ^ c;
        let t5 = t1 & !t4;
        let t6 = t5 ^ a;
        let t7 = t4 & !t3;
        let t8 = t7 ^ b;
        let t9 = t8 ^ t6;
        let t10 = t6 & !t4;
        let t11 = t10 ^ d;
        let t12 = t11 ^ t8;
        let t13 = t11 & !t9;
        let t14 = t13 ^ t4;
        [t6, t12, t8, t14]
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn are_as_published() {
        crate::sbox::tests::are_as_published::<super::Gates>();
    }
}
