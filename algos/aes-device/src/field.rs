//! GF(2^8) as FIPS 197 has it (4.2), in constant time; for the key expansion and the tests.

/// Twice an element.
#[must_use]
pub(crate) const fn double(a: u8) -> u8 {
    (a << 1) ^ (0x1b & 0u8.wrapping_sub(a >> 7))
}

/// The product of two elements.
#[cfg(test)]
pub(crate) fn times(a: u8, b: u8) -> u8 {
    let (mut sum, mut a) = (0, a);
    for bit in 0..8 {
        sum ^= a & 0u8.wrapping_sub(b >> bit & 1);
        a = double(a);
    }
    sum
}

/// The multiplicative inverse; 0 for 0.
#[cfg(test)]
pub(crate) fn inverse(a: u8) -> u8 {
    (1..255).fold(1, |power, _| times(power, a))
}
