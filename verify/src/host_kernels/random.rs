//! Random batches for property tests.

use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX};
use kgpu_core::device::ITEM_BYTES;
use kgpu_core::num;
use kgpu_core::request::Shape;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::batch::{Batch, Request};
use crate::cases::ivs;

/// Most bytes of a request: several items and a unit longer than an item, yet soon computed by a test
/// build.
const REQUEST_BYTES: u32 = 4 * ITEM_BYTES;

/// How a request's length is made.
#[derive(Clone, Debug)]
struct Size {
    unit_blocks: u32,
    units: u32,
    cut: u32,
}

/// Lengths around an item's: many short units, units of the length of an item, and longer ones.
fn sizes() -> impl Strategy<Value = Size> {
    prop_oneof![
        4 => (1..12u32, 1..6u32),
        2 => (1..40u32, 1..60u32),
        2 => (250..260u32, 1..3u32),
        1 => (300..700u32, 1..3u32),
        1 => (select(vec![32u32, 64, 256, 512]), 1..4u32),
    ]
    .prop_flat_map(|(unit_blocks, units)| {
        let cut = prop_oneof![Just(0), any::<u32>()];
        cut.prop_map(move |cut| Size {
            unit_blocks,
            units,
            cut,
        })
    })
}

/// A request's shape: `size` given a meaning.
fn shape(
    algorithm: &Algorithm,
    op: Op,
    size: &Size,
    mut iv: [u8; IV_BYTES_MAX],
    step: IvStep,
) -> Shape {
    let block = u32::from(algorithm.block_size);
    // A service's units count bytes; make them about as long as a cipher's, and of odd lengths.
    let scale = if block == 1 { 13 } else { block };
    let data_unit_size = size.unit_blocks * scale;
    let mut len = data_unit_size * size.units.min(REQUEST_BYTES / data_unit_size).max(1);
    if algorithm.partial_last_unit() {
        len -= size.cut % data_unit_size;
    }
    for byte in iv.iter_mut().skip(algorithm.iv_size()) {
        *byte = 0;
    }
    Shape {
        op,
        len,
        data_unit_size,
        iv,
        iv_step: step,
    }
}

/// Requests under up to `keys` keys.
fn requests(
    algorithm: &'static Algorithm,
    op: Op,
    keys: usize,
) -> impl Strategy<Value = Vec<Request>> {
    let steps: Vec<_> = (IvStep::ALL.iter().copied())
        .filter(|step| algorithm.steps(*step))
        .collect();
    // Half of all buffers lie at multiples of 16, where most cells take the fast way.
    let place = prop_oneof![Just([0, 0]), [0..16usize, 0..16usize]];
    let one = (0..keys, sizes(), ivs(), select(steps), place, any::<bool>());
    let one = one.prop_flat_map(move |(key, size, iv, step, misplaced, in_place)| {
        let shape = shape(algorithm, op, &size, iv, step);
        let len = num::index(shape.len.into());
        prop::collection::vec(any::<u8>(), len).prop_map(move |input| Request {
            misplaced,
            in_place,
            ..Request::new(key, shape, input)
        })
    });
    prop::collection::vec(one, 1..6)
}

/// Any batch of any of these algorithms: of all key lengths, and sometimes with a key that is stale.
pub fn batches(algorithms: &[&'static Algorithm]) -> impl Strategy<Value = Batch> + use<> {
    let choices = (
        select(algorithms.to_vec()),
        any::<Index>(),
        prop::collection::vec(prop::collection::vec(any::<u8>(), 64), 1..4),
        prop::collection::vec(any::<Index>(), 4),
        prop::option::weighted(0.2, any::<Index>()),
        prop_oneof![Just(64 << 10), select(vec![16u32, 48, 528, 4096, 6000])],
        1..5u32,
    );
    choices.prop_flat_map(
        |(algorithm, op, mut keys, lens, stale, tile_bytes, blocks)| {
            let op = *op.get(algorithm.ops());
            let sizes: Vec<usize> = algorithm.key_sizes.iter().collect();
            for (key, len) in keys.iter_mut().zip(&lens) {
                key.truncate(*len.get(&sizes));
            }
            let batch = Batch {
                stale: stale.map(|stale| stale.index(keys.len())),
                tile_bytes,
                blocks,
                ..Batch::new(algorithm, op)
            };
            requests(algorithm, op, keys.len()).prop_map(move |requests| Batch {
                requests,
                keys: keys.clone(),
                ..batch.clone()
            })
        },
    )
}
