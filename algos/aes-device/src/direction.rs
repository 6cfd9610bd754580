//! What differs between encryption and decryption: the networks, and which way rows turn.
//!
//! Decryption is the equivalent inverse cipher (FIPS 197, 5.3.5), whose rounds have encryption's order.

use crate::layout::{DECRYPT_PLANES, ENCRYPT_PLANES, FIRST, LAST};
use crate::planes::{
    Planes, join, shift_rows, shift_to_columns, shift_to_rows, split, unshift_rows,
    unshift_to_columns, unshift_to_rows,
};
use crate::{mix, sbox};

/// Encryption or decryption.
pub trait Direction {
    /// Words of the schedule before the key that is added first.
    const FIRST: u32;
    /// Words of the schedule before the key that is added last.
    const LAST: u32;
    /// Bytes of shared memory before the planes of the rounds' keys.
    const PLANES: u32;

    /// SubBytes or its inverse on one row or column.
    fn substitute(part: [u32; 8]) -> [u32; 8];
    /// ShiftRows or its inverse, by rows.
    fn shift(p: &Planes) -> Planes;
    /// The same, from columns to rows.
    fn shift_to_rows(p: &Planes) -> Planes;
    /// The same, from rows to columns.
    fn shift_to_columns(p: &Planes) -> Planes;
    /// MixColumns or its inverse, and the round key.
    fn mix(p: &Planes, keys: impl Fn(usize) -> [u32; 4]) -> Planes;

    /// SubBytes or its inverse.
    #[inline(always)]
    fn substitute_all(p: &Planes) -> Planes {
        let [a, b, c, d] = split(p);
        join([
            Self::substitute(a),
            Self::substitute(b),
            Self::substitute(c),
            Self::substitute(d),
        ])
    }
}

/// Encryption.
#[derive(Debug)]
pub struct Forward;

/// Decryption.
#[derive(Debug)]
pub struct Backward;

impl Direction for Forward {
    const FIRST: u32 = FIRST;
    const LAST: u32 = LAST;
    const PLANES: u32 = ENCRYPT_PLANES;

    #[inline(always)]
    fn substitute(part: [u32; 8]) -> [u32; 8] {
        sbox::substitute(part)
    }
    #[inline(always)]
    fn shift(p: &Planes) -> Planes {
        shift_rows(p)
    }
    #[inline(always)]
    fn shift_to_rows(p: &Planes) -> Planes {
        shift_to_rows(p)
    }
    #[inline(always)]
    fn shift_to_columns(p: &Planes) -> Planes {
        shift_to_columns(p)
    }
    #[inline(always)]
    fn mix(p: &Planes, keys: impl Fn(usize) -> [u32; 4]) -> Planes {
        mix::mix(p, keys)
    }
}

impl Direction for Backward {
    const FIRST: u32 = LAST;
    const LAST: u32 = FIRST;
    const PLANES: u32 = DECRYPT_PLANES;

    #[inline(always)]
    fn substitute(part: [u32; 8]) -> [u32; 8] {
        sbox::unsubstitute(part)
    }
    #[inline(always)]
    fn shift(p: &Planes) -> Planes {
        unshift_rows(p)
    }
    #[inline(always)]
    fn shift_to_rows(p: &Planes) -> Planes {
        unshift_to_rows(p)
    }
    #[inline(always)]
    fn shift_to_columns(p: &Planes) -> Planes {
        unshift_to_columns(p)
    }
    #[inline(always)]
    fn mix(p: &Planes, keys: impl Fn(usize) -> [u32; 4]) -> Planes {
        mix::unmix(p, keys)
    }
}
