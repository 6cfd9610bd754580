//! Arithmetic of XTS tweaks: GF(2^128) modulo x^128 + x^7 + x^2 + x + 1, the first byte lowest
//! (IEEE 1619, 5.2). Nothing branches on a tweak; powers branch on the block's number, no secret.

/// `t` times x.
#[inline(always)]
pub(crate) const fn double(t: u128) -> u128 {
    (t << 1) ^ ((t >> 127).wrapping_neg() & 0x87)
}

/// Elements that are worked on side by side.
pub(crate) const LANES: usize = 8;

/// `LANES` consecutive powers of x, times a common factor: pairs of words as they lie in memory, so
/// that a compiler can use vectors.
#[derive(Clone, Copy, Default)]
pub(crate) struct Run([[u64; 2]; LANES]);

impl Run {
    /// `t`, `t` times x, and so on.
    pub(crate) fn new(mut t: u128) -> Self {
        Self([(); LANES].map(|()| {
            let bytes = t.to_le_bytes();
            t = double(t);
            let [a, b, c, d, e, f, g, h, high @ ..] = bytes;
            [
                u64::from_le_bytes([a, b, c, d, e, f, g, h]),
                u64::from_le_bytes(high),
            ]
        }))
    }

    /// Each element times x to the `LANES`-th.
    #[inline(always)]
    pub(crate) fn next(self) -> Self {
        Self(self.0.map(|[low, high]| {
            // What is pushed out at the top comes back as times_87 of it; it is too short to be
            // pushed out again. The same steps for both words, for the vectors' sake.
            let [into_low, into_high] = [high >> (64 - LANES), low >> (64 - LANES)];
            let back = into_low << 1 ^ into_low << 2 ^ into_low << 7;
            [low << LANES ^ into_low ^ back, high << LANES ^ into_high]
        }))
    }

    /// The elements' bytes.
    #[inline(always)]
    pub(crate) fn bytes(self) -> [[u8; 16]; LANES] {
        self.0
            .map(|[low, high]| (u128::from(low) | u128::from(high) << 64).to_le_bytes())
    }
}

/// `t` times x to the `n`-th.
pub(crate) fn times_x_to(t: u128, n: u32) -> u128 {
    if n == 0 {
        return t;
    }
    // x to the n-th from the top bit of n down: square, and double where a bit is set.
    let mut power = 1;
    for bit in (0..=n.ilog2()).rev() {
        power = square(power);
        if n >> bit & 1 == 1 {
            power = double(power);
        }
    }
    multiply(t, power)
}

/// The product of two elements.
fn multiply(mut a: u128, b: u128) -> u128 {
    let mut product = 0;
    for bit in 0..128 {
        product ^= a & (b >> bit & 1).wrapping_neg();
        a = double(a);
    }
    product
}

/// The square: bits spread out, then reduced.
fn square(a: u128) -> u128 {
    let low = spread(a & u128::from(u64::MAX));
    let high = spread(a >> 64);
    // high times x^128, which is high times (x^7 + x^2 + x + 1): what that pushes out at the top
    // (at most 7 bits) is reduced once more.
    let over = (high >> 121) ^ (high >> 126) ^ (high >> 127);
    low ^ times_87(high) ^ times_87(over)
}

/// `a` times x^7 + x^2 + x + 1, cut to 128 bits.
const fn times_87(a: u128) -> u128 {
    a ^ (a << 1) ^ (a << 2) ^ (a << 7)
}

/// A zero bit behind each of the low 64 bits.
const fn spread(a: u128) -> u128 {
    let a = (a | a << 32) & 0x0000_0000_ffff_ffff_0000_0000_ffff_ffff;
    let a = (a | a << 16) & 0x0000_ffff_0000_ffff_0000_ffff_0000_ffff;
    let a = (a | a << 8) & 0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ff;
    let a = (a | a << 4) & 0x0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f;
    let a = (a | a << 2) & 0x3333_3333_3333_3333_3333_3333_3333_3333;
    (a | a << 1) & 0x5555_5555_5555_5555_5555_5555_5555_5555
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u128 = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;

    #[test]
    fn squares_are_products() {
        let mut t = T;
        for _ in 0..200 {
            assert_eq!(square(t), multiply(t, t));
            t = double(t);
        }
        assert_eq!(square(u128::MAX), multiply(u128::MAX, u128::MAX));
    }

    #[test]
    fn powers_are_repeated_doublings() {
        let mut t = T;
        for n in 0..1000 {
            assert_eq!(times_x_to(T, n), t, "{n}");
            t = double(t);
        }
    }

    #[test]
    fn runs_are_doublings() {
        for start in [T, !T, 1 << 127, u128::MAX] {
            let (mut run, mut t) = (Run::new(start), start);
            for _ in 0..40 {
                for bytes in run.bytes() {
                    assert_eq!(bytes, t.to_le_bytes());
                    t = double(t);
                }
                run = run.next();
            }
        }
    }

    #[test]
    fn high_powers_add_up() {
        let half = times_x_to(T, 1 << 31);
        assert_eq!(
            times_x_to(half, 1 << 31),
            multiply(T, square(times_x_to(1, 1 << 31)))
        );
        assert_eq!(times_x_to(half, (1 << 31) - 1), times_x_to(T, u32::MAX));
    }
}
