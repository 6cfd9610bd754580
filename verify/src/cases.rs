//! Random requests for property tests: every algorithm, key length, operation and IV step, IVs that
//! are about to carry, and lengths around the widths that ciphers work in.

use std::fmt;

use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX};
use kgpu_core::request::Shape;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A request with all it needs.
#[derive(Clone)]
pub struct Case {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// Key.
    pub key: Vec<u8>,
    /// What is asked for.
    pub shape: Shape,
    /// Its source bytes.
    pub input: Vec<u8>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        write!(
            f,
            "{} with key {}, {:?}, input {}",
            self.algorithm.name,
            hex(&self.key),
            self.shape,
            hex(&self.input)
        )
    }
}

/// The choices that a case is made of, before an algorithm gives them meaning.
#[derive(Clone, Debug)]
struct Choices {
    key_len: Index,
    key: Vec<u8>,
    op: Index,
    step: Index,
    iv: [u8; IV_BYTES_MAX],
    unit_blocks: u32,
    units: u32,
    cut: u32,
}

/// Longest key of any algorithm, in bytes.
const KEY_BYTES: usize = kgpu_core::abi::KEY_BYTES_MAX;

/// IVs: any, and those whose counters, of whatever width and order, are about to carry.
pub fn ivs() -> impl Strategy<Value = [u8; IV_BYTES_MAX]> {
    let low = 0xf0..=0xffu8;
    prop_oneof![
        any::<[u8; IV_BYTES_MAX]>(),
        (any::<[u8; IV_BYTES_MAX]>(), low.clone(), 0..=IV_BYTES_MAX).prop_map(
            |(mut iv, low, n)| {
                iv.iter_mut().take(n).for_each(|byte| *byte = 0xff);
                iv[0] = low;
                iv
            }
        ),
        (
            any::<[u8; IV_BYTES_MAX]>(),
            low,
            0..=IV_BYTES_MAX,
            select(vec![8, 16])
        )
            .prop_map(|(mut iv, low, n, size)| {
                let used = iv.iter_mut().take(size).rev();
                used.take(n).for_each(|byte| *byte = 0xff);
                iv[size - 1] = low;
                iv
            }),
    ]
}

/// Blocks of a unit and units of a request. Few long ones: ciphers without instructions of their own
/// are slow in test builds.
fn sizes() -> impl Strategy<Value = (u32, u32)> {
    prop_oneof![
        6 => (1..12u32, 1..6u32),
        2 => (1..4u32, 1..40u32),
        1 => (12..150u32, 1..2u32),
    ]
}

/// Any request of any of these algorithms.
pub fn cases(algorithms: &[&'static Algorithm]) -> impl Strategy<Value = Case> + use<> {
    let choices = (
        any::<Index>(),
        prop::collection::vec(any::<u8>(), KEY_BYTES),
        any::<Index>(),
        any::<Index>(),
        ivs(),
        sizes(),
        any::<u32>(),
    )
        .prop_map(
            |(key_len, key, op, step, iv, (unit_blocks, units), cut)| Choices {
                key_len,
                key,
                op,
                step,
                iv,
                unit_blocks,
                units,
                cut,
            },
        );
    (select(algorithms.to_vec()), choices).prop_flat_map(|(algorithm, choices)| {
        let case = case(algorithm, &choices);
        let len = case.input.len();
        prop::collection::vec(any::<u8>(), len).prop_map(move |input| Case {
            input,
            ..case.clone()
        })
    })
}

/// Gives choices meaning; the input is zeros.
fn case(algorithm: &'static Algorithm, choices: &Choices) -> Case {
    let lens: Vec<usize> = algorithm.key_sizes.iter().collect();
    let mut key = choices.key.clone();
    key.truncate(*choices.key_len.get(&lens));
    let steps: Vec<IvStep> = IvStep::ALL
        .iter()
        .copied()
        .filter(|step| algorithm.steps(*step))
        .collect();
    // A service's units count bytes; make them about as long as a cipher's.
    let block = u32::from(algorithm.block_size);
    let scale = if block == 1 { 13 } else { block };
    let data_unit_size = choices.unit_blocks * scale;
    let mut len = data_unit_size * choices.units;
    if algorithm.partial_last_unit() {
        len -= choices.cut % data_unit_size;
    }
    let mut iv = choices.iv;
    iv.iter_mut()
        .skip(algorithm.iv_size())
        .for_each(|byte| *byte = 0);
    let shape = Shape {
        op: *choices.op.get(algorithm.ops()),
        len,
        data_unit_size,
        iv,
        iv_step: *choices.step.get(&steps),
    };
    Case {
        algorithm,
        key,
        shape,
        input: vec![0; kgpu_core::num::index(u64::from(len))],
    }
}

/// The operation that undoes another, if one does.
#[must_use]
pub const fn inverse(op: Op) -> Option<Op> {
    match op {
        Op::Encrypt => Some(Op::Decrypt),
        Op::Decrypt => Some(Op::Encrypt),
        Op::Compute => None,
    }
}
