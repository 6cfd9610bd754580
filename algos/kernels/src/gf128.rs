//! Multiplication by powers of α in GF(2^128) as XTS has it (IEEE 1619-2007, 5.2): bit i of the
//! little-endian number is the coefficient of α^i, and α^128 = α^7 + α^2 + α + 1.
//!
//! Runs on tweaks, which are secret: no branch and no address depends on their bits.

use kgpu_core::num::low32;

/// What bits beyond 127, shifted down to bit 0, come back as: up to 32 of them.
#[inline(always)]
const fn reduce(over: u32) -> (u32, u32) {
    let over = over as u64;
    let back = over ^ (over << 1) ^ (over << 2) ^ (over << 7);
    (low32(back), low32(back >> 32))
}

/// Times α^32.
#[inline(always)]
#[must_use]
pub const fn times_word(t: [u32; 4]) -> [u32; 4] {
    let (low, high) = reduce(t[3]);
    [low, t[0] ^ high, t[1], t[2]]
}

/// Times α^`bits`, below 32.
#[inline(always)]
#[must_use]
pub const fn times_bits(t: [u32; 4], bits: u32) -> [u32; 4] {
    let (low, high) = reduce(upper(0, t[3], bits));
    [
        (t[0] << bits) ^ low,
        upper(t[1], t[0], bits) ^ high,
        upper(t[2], t[1], bits),
        upper(t[3], t[2], bits),
    ]
}

/// The upper word of a pair that is shifted up: one funnel shift.
#[inline(always)]
const fn upper(high: u32, low: u32, bits: u32) -> u32 {
    low32(((((high as u64) << 32) | low as u64) << bits) >> 32)
}

/// Times α^`n`, for small `n`: a step for every 32.
#[inline(always)]
#[must_use]
pub fn times_small(t: [u32; 4], n: u32) -> [u32; 4] {
    let mut t = times_bits(t, n & 31);
    let mut words = n >> 5;
    while words > 0 {
        t = times_word(t);
        words -= 1;
    }
    t
}

/// The product of two elements; the second is public.
#[inline(always)]
const fn times(t: [u32; 4], by: [u32; 4]) -> [u32; 4] {
    let (mut product, mut t) = ([0u32; 4], t);
    let mut at = 0;
    while at < 4 {
        let (mut bits, mut left) = (by[at], 32);
        while left > 0 {
            let mask = 0u32.wrapping_sub(bits & 1);
            product[0] ^= t[0] & mask;
            product[1] ^= t[1] & mask;
            product[2] ^= t[2] & mask;
            product[3] ^= t[3] & mask;
            t = times_bits(t, 1);
            bits >>= 1;
            left -= 1;
        }
        at += 1;
    }
    product
}

/// α^(2^i) for i from 7 to 31.
const POWERS: [[u32; 4]; 25] = {
    let mut powers = [[0; 4]; 25];
    // α^128.
    let mut power = [0x87, 0, 0, 0];
    let mut i = 0;
    while i < 25 {
        powers[i] = power;
        power = times(power, power);
        i += 1;
    }
    powers
};

/// Times α^`n`, for any `n`.
#[inline(always)]
#[must_use]
pub(crate) fn times_power(t: [u32; 4], n: u32) -> [u32; 4] {
    let mut t = times_small(t, n & 127);
    let mut left = n >> 7;
    for power in &POWERS {
        if left == 0 {
            break;
        }
        if left & 1 != 0 {
            t = times(t, *power);
        }
        left >>= 1;
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_repeated_doublings() {
        let start = [0x8000_0001, 0x1234_5678, 0x9abc_def0, 0xfedc_ba98];
        let mut t = start;
        for n in 0..40_000 {
            assert_eq!(times_power(start, n), t, "{n}");
            if n < 2048 {
                assert_eq!(times_small(start, n), t, "{n}");
            }
            t = times_bits(t, 1);
        }
        assert_eq!(times_bits([0, 0, 0, 1 << 31], 1), [0x87, 0, 0, 0]);
        assert_eq!(times_word([0, 0, 0, 1]), [0x87, 0, 0, 0]);
    }
}
