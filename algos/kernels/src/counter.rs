//! IVs on the device: how one steps from data unit to data unit, and counter blocks.

use kgpu_core::abi::IvStep;

use crate::gpu::swap;

/// `(low, high) + n`, and what is carried out of it.
#[inline(always)]
const fn add64(low: u32, high: u32, n: u32) -> (u32, u32, u32) {
    let (low, carry) = low.overflowing_add(n);
    let (high, carry) = high.overflowing_add(carry as u32);
    (low, high, carry as u32)
}

/// A 64-bit big-endian number in two words of its bytes, plus `n`.
#[inline(always)]
fn be64(high: u32, low: u32, n: u32) -> (u32, u32) {
    let (low, high, _) = add64(swap(low), swap(high), n);
    (swap(high), swap(low))
}

/// A 128-bit big-endian number in the words of its bytes, plus `n`: the counter block `n` blocks on
/// (SP 800-38A, appendix B.1, with m = b).
#[inline(always)]
pub(crate) fn be128(iv: [u32; 4], n: u32) -> [u32; 4] {
    let (d, c, carry) = add64(swap(iv[3]), swap(iv[2]), n);
    let (b, a, _) = add64(swap(iv[1]), swap(iv[0]), carry);
    [swap(a), swap(b), swap(c), swap(d)]
}

/// Two 8-byte counter blocks, `n` and `n + 1` blocks after the one in the first two words.
#[inline(always)]
pub(crate) fn be64_pair(iv: [u32; 4], n: u32) -> [u32; 4] {
    let (low, high, _) = add64(swap(iv[1]), swap(iv[0]), n);
    let (next, over, _) = add64(low, high, 1);
    [swap(high), swap(low), swap(over), swap(next)]
}

/// The IV `units` data units after `iv`, an IV of `block` bytes; see `kgpu_core::iv::step`.
#[inline(always)]
#[must_use]
pub fn step(iv: [u32; 4], block: u32, code: u32, units: u32) -> [u32; 4] {
    const LE64: u32 = IvStep::Le64.code() as u32;
    const BE64: u32 = IvStep::Be64.code() as u32;
    const LE128: u32 = IvStep::Le128.code() as u32;
    const BE128: u32 = IvStep::Be128.code() as u32;
    let [a, b, c, d] = iv;
    match code {
        LE64 => {
            let (a, b, _) = add64(a, b, units);
            [a, b, c, d]
        }
        BE64 if block == 8 => {
            let (a, b) = be64(a, b, units);
            [a, b, c, d]
        }
        BE64 => {
            let (c, d) = be64(c, d, units);
            [a, b, c, d]
        }
        LE128 => {
            let (a, b, carry) = add64(a, b, units);
            let (c, d, _) = add64(c, d, carry);
            [a, b, c, d]
        }
        BE128 => be128(iv, units),
        _ => iv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bytes: [u8; 16]) -> [u32; 4] {
        core::array::from_fn(|i| u32::from_le_bytes(core::array::from_fn(|b| bytes[4 * i + b])))
    }

    #[test]
    fn steps_as_the_host_does() {
        let ivs: [[u8; 16]; 4] = [
            [0xff; 16],
            core::array::from_fn(|i| u8::try_from(i * 15).unwrap()),
            [0; 16],
            [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe],
        ];
        for iv in ivs {
            for way in IvStep::ALL {
                for n in [0, 1, 2, 255, 65536, u32::MAX] {
                    for size in [8, 16] {
                        if size == 8 && matches!(way, IvStep::Le128 | IvStep::Be128) {
                            continue;
                        }
                        let expected = kgpu_core::iv::step(&iv, size, *way, n.into());
                        let block = u32::try_from(size).unwrap();
                        let got = step(words(iv), block, way.code().into(), n);
                        assert_eq!(got, words(expected), "{way:?} {n} {size}");
                    }
                }
            }
            let pair = be64_pair(words(iv), 7);
            for (i, n) in [(0, 7), (1, 8)] {
                let expected = words(kgpu_core::iv::counter(&iv, 8, n));
                assert_eq!(pair[2 * i..2 * i + 2], expected[..2]);
            }
        }
    }
}
