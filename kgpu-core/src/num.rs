//! Integer conversions whose losslessness is a fact of the platform, stated once.

use static_assertions::assert_eq_size;

// CAST: kgpu supports 64-bit machines only; every conversion below rests on this line.
assert_eq_size!(usize, u64);

/// A byte count or index as `usize`. Lossless: `usize` is 64 bits wide (asserted above).
#[allow(clippy::cast_possible_truncation)]
#[must_use]
pub const fn index(value: u64) -> usize {
    value as usize
}

/// The low 32 bits of `value`: for hashes and wrapping generations, where that is what is meant.
#[allow(clippy::cast_possible_truncation)]
#[must_use]
pub const fn low32(value: u64) -> u32 {
    value as u32
}
