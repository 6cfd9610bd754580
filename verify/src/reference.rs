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

/// A block, of which the first bytes are used.
type Bytes = [u8; IV_BYTES_MAX];

/// A cipher under a key, one block at a time.
struct Block(Box<dyn CpuKey>);

impl Block {
    /// Expands a key.
    fn new(ecb: &Algorithm, key: &[u8]) -> Result<Self, Failure> {
        Ok(Self((ecb.cpu)(key)?))
    }

    /// `op` of one block.
    fn apply(&self, op: Op, block: &mut [u8]) -> Result<(), Failure> {
        let work = Work {
            op,
            data_unit_size: u32::try_from(block.len()).unwrap_or(1),
            iv_step: IvStep::None,
            iv: [0; IV_BYTES_MAX],
            first_block: 0,
        };
        Ok(self.0.run(&work, Data::InPlace(block))?)
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
    let halves = key.split_at(key.len() / 2);
    let (data_key, tweak_key) = match algorithm.mode {
        Mode::Xts => (halves.0, Some(halves.1)),
        _ => (key, None),
    };
    let cipher = Block::new(ecb, data_key)?;
    let tweaks = tweak_key.map(|key| Block::new(ecb, key)).transpose()?;
    let size = usize::from(algorithm.block_size);
    let mut out = input.to_vec();
    let unit = num::index(u64::from(shape.data_unit_size));
    let ivs = ivs(&shape.iv, algorithm.iv_size(), shape.iv_step);
    for (iv, data) in ivs.zip(out.chunks_mut(unit)) {
        match (algorithm.mode, &tweaks) {
            (Mode::Ecb, _) => {
                for block in data.chunks_mut(size) {
                    cipher.apply(shape.op, block)?;
                }
            }
            (Mode::Cbc, _) => cbc(&cipher, size, shape.op, iv, data)?,
            (Mode::Ctr, _) => ctr(&cipher, size, iv, data)?,
            (Mode::Xts, Some(tweaks)) => xts(&cipher, tweaks, shape.op, iv, data)?,
            (Mode::Xts, None) | (Mode::Digest, _) => {
                let why = format!("{} is no cipher", algorithm.name);
                return Err(Failure::Impossible(why));
            }
        }
    }
    Ok(out)
}

/// The IVs of a request's units, without end, by counting up byte by byte.
pub(crate) fn ivs(first: &Bytes, size: usize, step: IvStep) -> impl Iterator<Item = Bytes> {
    let mut next = *first;
    std::iter::repeat_with(move || {
        let iv = next;
        let bytes = next.iter_mut().take(size);
        match step {
            IvStep::None => {}
            IvStep::Le64 => count(bytes.take(8)),
            IvStep::Be64 => count(bytes.rev().take(8)),
            IvStep::Le128 => count(bytes),
            IvStep::Be128 => count(bytes.rev()),
        }
        iv
    })
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

/// `a` becomes `a` XOR `b`, as long as the shorter.
fn xor(a: &mut [u8], b: &[u8]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a ^= b;
    }
}

/// SP 800-38A, 6.2.
fn cbc(cipher: &Block, size: usize, op: Op, iv: Bytes, data: &mut [u8]) -> Result<(), Failure> {
    let mut last = iv;
    for block in data.chunks_mut(size) {
        let mut own = [0; IV_BYTES_MAX];
        if op == Op::Encrypt {
            xor(block, &last);
            cipher.apply(op, block)?;
            own.iter_mut()
                .zip(&*block)
                .for_each(|(to, from)| *to = *from);
        } else {
            own.iter_mut()
                .zip(&*block)
                .for_each(|(to, from)| *to = *from);
            cipher.apply(op, block)?;
            xor(block, &last);
        }
        last = own;
    }
    Ok(())
}

/// SP 800-38A, 6.5, the counter being the whole block.
fn ctr(cipher: &Block, size: usize, iv: Bytes, data: &mut [u8]) -> Result<(), Failure> {
    let mut counter = iv;
    for block in data.chunks_mut(size) {
        let mut stream = counter;
        cipher.apply(Op::Encrypt, stream.get_mut(..size).unwrap_or_default())?;
        count(counter.iter_mut().take(size).rev());
        xor(block, &stream);
    }
    Ok(())
}

/// IEEE 1619-2007, 5.3 and 5.4, the multiplication by alpha as 5.2 has it: byte by byte.
fn xts(cipher: &Block, tweaks: &Block, op: Op, iv: Bytes, data: &mut [u8]) -> Result<(), Failure> {
    let mut tweak = iv;
    tweaks.apply(Op::Encrypt, &mut tweak)?;
    for block in data.chunks_mut(IV_BYTES_MAX) {
        xor(block, &tweak);
        cipher.apply(op, block)?;
        xor(block, &tweak);
        let mut carry = 0;
        for byte in &mut tweak {
            let high = *byte >> 7;
            *byte = *byte << 1 | carry;
            carry = high;
        }
        tweak[0] ^= 0x87 * carry;
    }
    Ok(())
}
