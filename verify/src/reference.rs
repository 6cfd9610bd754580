//! The modes once more, straight from their standards: one block after the other, nothing shared
//! with the code under test but the cipher's single block.
//!
//! The block function is the registry's own ECB of one block, which published vectors pin; so a
//! new cipher gets its reference without being named here.

use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX, Mode};
use kgpu_core::cpu::{CpuKey, Data, Work};
use kgpu_core::num;
use kgpu_core::request::Shape;

use crate::Failure;

/// The ECB of the cipher under `algorithm`'s mode: `xts(twofish)` has `ecb(twofish)`.
#[must_use]
pub fn ecb_of(algorithm: &Algorithm, all: &[&'static Algorithm]) -> Option<&'static Algorithm> {
    let (_, cipher) = algorithm.name.split_once('(')?;
    all.iter().copied().find(|ecb| {
        ecb.mode == Mode::Ecb && ecb.name.split_once('(').is_some_and(|n| n.1 == cipher)
    })
}

/// A cipher under a key, one block at a time.
struct Block(Box<dyn CpuKey>);

impl Block {
    /// Expands a key.
    fn new(ecb: &Algorithm, key: &[u8]) -> Result<Self, Failure> {
        Ok(Self((ecb.cpu)(key)?))
    }

    /// `op` of one block.
    fn apply(&self, op: Op, block: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut block = block.to_vec();
        let work = Work {
            op,
            data_unit_size: u32::try_from(block.len()).unwrap_or(1),
            iv_step: IvStep::None,
            iv: [0; IV_BYTES_MAX],
            first_block: 0,
        };
        self.0.run(&work, Data::InPlace(&mut block))?;
        Ok(block)
    }
}

/// What `algorithm` must make of `input`, from the ECB of its cipher.
///
/// # Errors
/// [`Failure::Key`] and [`Failure::Work`] from the block function, [`Failure::Impossible`] for
/// services.
pub fn compute(
    algorithm: &Algorithm,
    ecb: &Algorithm,
    key: &[u8],
    shape: &Shape,
    input: &[u8],
) -> Result<Vec<u8>, Failure> {
    let unit = num::index(u64::from(shape.data_unit_size));
    let mut out = Vec::with_capacity(input.len());
    for (number, data) in (0..).zip(input.chunks(unit)) {
        let iv = step(&shape.iv, algorithm.iv_size(), shape.iv_step, number);
        let size = usize::from(algorithm.block_size);
        let unit = match algorithm.mode {
            Mode::Ecb => by_block(data, size, |block| {
                Block::new(ecb, key)?.apply(shape.op, block)
            })?,
            Mode::Cbc => cbc(&Block::new(ecb, key)?, shape.op, &iv, data)?,
            Mode::Ctr => ctr(&Block::new(ecb, key)?, &iv, data)?,
            Mode::Xts => xts(ecb, key, shape.op, &iv, data)?,
            Mode::Digest => {
                let why = format!("{} is no cipher", algorithm.name);
                return Err(Failure::Impossible(why));
            }
        };
        out.extend(unit);
    }
    Ok(out)
}

/// The IV of a unit, by counting up byte by byte.
fn step(iv: &[u8; IV_BYTES_MAX], size: usize, step: IvStep, units: u64) -> Vec<u8> {
    let mut iv: Vec<u8> = iv.iter().copied().take(size).collect();
    for _ in 0..units {
        match step {
            IvStep::None => {}
            IvStep::Le64 => count(iv.iter_mut().take(8)),
            IvStep::Be64 => count(iv.iter_mut().rev().take(8)),
            IvStep::Le128 => count(iv.iter_mut()),
            IvStep::Be128 => count(iv.iter_mut().rev()),
        }
    }
    iv
}

/// Adds one to a number whose bytes come lowest first.
fn count<'a>(bytes: impl Iterator<Item = &'a mut u8>) {
    for byte in bytes {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
}

/// `a` XOR `b`, as long as the shorter.
fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// Each block through a function.
fn by_block(
    data: &[u8],
    size: usize,
    mut f: impl FnMut(&[u8]) -> Result<Vec<u8>, Failure>,
) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(data.len());
    for block in data.chunks(size) {
        out.extend(f(block)?);
    }
    Ok(out)
}

/// SP 800-38A, 6.2.
fn cbc(cipher: &Block, op: Op, iv: &[u8], data: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut last = iv.to_vec();
    by_block(data, iv.len(), |block| {
        if op == Op::Encrypt {
            last = cipher.apply(op, &xor(block, &last))?;
            Ok(last.clone())
        } else {
            let out = xor(&cipher.apply(op, block)?, &last);
            last = block.to_vec();
            Ok(out)
        }
    })
}

/// SP 800-38A, 6.5, the counter being the whole block.
fn ctr(cipher: &Block, iv: &[u8], data: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut counter = iv.to_vec();
    by_block(data, iv.len(), |block| {
        let stream = cipher.apply(Op::Encrypt, &counter)?;
        count(counter.iter_mut().rev());
        Ok(xor(block, &stream))
    })
}

/// IEEE 1619-2007, 5.3 and 5.4, the multiplication by alpha as 5.2 has it: byte by byte.
fn xts(ecb: &Algorithm, key: &[u8], op: Op, iv: &[u8], data: &[u8]) -> Result<Vec<u8>, Failure> {
    let (key1, key2) = key.split_at(key.len() / 2);
    let cipher = Block::new(ecb, key1)?;
    let mut tweak = Block::new(ecb, key2)?.apply(Op::Encrypt, iv)?;
    by_block(data, iv.len(), |block| {
        let out = xor(&cipher.apply(op, &xor(block, &tweak))?, &tweak);
        let mut carry = 0;
        for byte in &mut tweak {
            let high = *byte >> 7;
            *byte = *byte << 1 | carry;
            carry = high;
        }
        if let Some(first) = tweak.first_mut() {
            *first ^= 0x87 * carry;
        }
        Ok(out)
    })
}
