//! IVs: how one steps from data unit to data unit, and what a chained request leaves behind.

use crate::abi::IvStep;
use crate::algorithm::{IV_BYTES_MAX, Mode};

/// The IV `units` data units after `iv`, of which the first `size` bytes count.
///
/// Counters wrap at their own width and never carry into the bytes beside them: that is what
/// dm-crypt's plain64 and plain64be do.
#[must_use]
pub fn step(iv: &[u8; IV_BYTES_MAX], size: usize, step: IvStep, units: u64) -> [u8; IV_BYTES_MAX] {
    let mut out = *iv;
    match step {
        IvStep::None => {}
        IvStep::Le64 => {
            if let Some(bytes) = out.first_chunk_mut::<8>() {
                *bytes = u64::from_le_bytes(*bytes).wrapping_add(units).to_le_bytes();
            }
        }
        IvStep::Be64 => {
            if let Some(bytes) = out.get_mut(..size).and_then(|iv| iv.last_chunk_mut::<8>()) {
                *bytes = u64::from_be_bytes(*bytes).wrapping_add(units).to_be_bytes();
            }
        }
        IvStep::Le128 => {
            out = u128::from_le_bytes(out)
                .wrapping_add(u128::from(units))
                .to_le_bytes()
        }
        IvStep::Be128 => {
            out = u128::from_be_bytes(out)
                .wrapping_add(u128::from(units))
                .to_be_bytes()
        }
    }
    out
}

/// The counter block `blocks` blocks after `iv`: a big-endian counter as wide as the block
/// (SP 800-38A, appendix B.1, with m = b).
#[must_use]
pub fn counter(iv: &[u8; IV_BYTES_MAX], size: usize, blocks: u64) -> [u8; IV_BYTES_MAX] {
    let counting = if size == 8 {
        IvStep::Be64
    } else {
        IvStep::Be128
    };
    step(iv, size, counting, blocks)
}

/// The IV that lets a chained request go on after `len` bytes whose last ciphertext block is
/// `last`: what the crypto API calls the output IV. ECB has none; XTS and services leave `iv`.
#[must_use]
pub fn after(
    mode: Mode,
    iv: &[u8; IV_BYTES_MAX],
    size: usize,
    len: u64,
    last: &[u8; IV_BYTES_MAX],
) -> [u8; IV_BYTES_MAX] {
    match mode {
        Mode::Cbc => *last,
        Mode::Ctr => counter(iv, size, len.div_ceil(size as u64)),
        Mode::Ecb | Mode::Xts | Mode::Digest => *iv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain64_wraps_without_carry() {
        let mut iv = [0xff; 16];
        iv[8..].fill(7);
        let next = step(&iv, 16, IvStep::Le64, 2);
        assert_eq!(next[..8], [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(next[8..], [7; 8]);
    }

    #[test]
    fn plain64be_counts_at_the_end_of_the_iv() {
        let next = step(&[0; 16], 16, IvStep::Be64, 0x0102);
        assert_eq!(next[14..], [1, 2]);
        let next = step(&[0; 16], 8, IvStep::Be64, 0x0102);
        assert_eq!(next[6..8], [1, 2]);
        assert_eq!(next[8..], [0; 8]);
    }

    #[test]
    fn wide_counters_carry_all_the_way() {
        assert_eq!(step(&[0xff; 16], 16, IvStep::Be128, 1), [0; 16]);
        assert_eq!(step(&[0xff; 16], 16, IvStep::Le128, 1), [0; 16]);
        assert_eq!(counter(&[0xff; 16], 16, 1), [0; 16]);
    }

    #[test]
    fn a_partial_block_uses_up_a_counter() {
        let after = after(Mode::Ctr, &[0; 16], 16, 17, &[9; 16]);
        assert_eq!(after[15], 2);
    }
}
