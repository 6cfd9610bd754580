//! Counters by the book: bytes added with carry, for comparison with the word-wise ones.

use kgpu_core::abi::IvStep;

/// Adds to the number whose least significant byte comes first, modulo its width.
fn add<'a>(bytes: impl Iterator<Item = &'a mut u8>, amount: u64) {
    let mut carry = u128::from(amount);
    for byte in bytes {
        carry += u128::from(*byte);
        *byte = u8::try_from(carry & 0xff).unwrap();
        carry >>= 8;
    }
}

/// The IV `units` units on, of which `size` bytes count.
pub fn step(iv: [u8; 16], size: usize, step: IvStep, units: u64) -> [u8; 16] {
    let mut out = iv;
    match step {
        IvStep::None => {}
        IvStep::Le64 => add(out[..8].iter_mut(), units),
        IvStep::Be64 => add(out[size - 8..size].iter_mut().rev(), units),
        IvStep::Le128 => add(out.iter_mut(), units),
        IvStep::Be128 => add(out.iter_mut().rev(), units),
    }
    out
}

/// The counter block `blocks` blocks on: the whole block counts, big-endian.
pub fn counter(iv: [u8; 16], size: usize, blocks: u64) -> [u8; 16] {
    let mut out = iv;
    add(out[..size].iter_mut().rev(), blocks);
    out
}
