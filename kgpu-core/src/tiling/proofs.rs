//! Proofs of the cutting. Bounds: requests of up to 48 bytes in blocks of 4 or 1, for the tiles
//! themselves; none for their number.

use super::{Place, Tiles, count};
use crate::abi::{AlgorithmId, IvStep, Op};
use crate::algorithm::{Algorithm, Fallback, KeySizes, Launch, Mode, Output};
use crate::proof::Source;
use crate::prove;
use crate::request::Shape;

#[cfg(feature = "cpu")]
fn no_key(key: &[u8]) -> Result<alloc::boxed::Box<dyn crate::cpu::CpuKey>, crate::cpu::KeyError> {
    Err(crate::cpu::KeyError { len: key.len() })
}

fn algorithm(mode: Mode, block_size: u16) -> Algorithm {
    let digest = mode == Mode::Digest;
    Algorithm {
        id: AlgorithmId(1),
        name: "proof",
        driver: "proof-kgpu",
        mode,
        block_size: if digest { 1 } else { block_size },
        key_sizes: KeySizes::NONE,
        output: if digest {
            Output::PerUnit(4)
        } else {
            Output::SameAsInput
        },
        fallback: Fallback::Skcipher,
        crossover: 0,
        known_answers: &[],
        launch: |_| Launch {
            tiles_per_lane: 1,
            lanes: 1,
        },
        #[cfg(feature = "cpu")]
        cpu: no_key,
        #[cfg(feature = "cpu")]
        device: None,
    }
}

fn any_algorithm(source: &mut impl Source, block_size: u16) -> (Algorithm, Op) {
    let modes = [Mode::Ecb, Mode::Cbc, Mode::Ctr, Mode::Xts, Mode::Digest];
    let algorithm = algorithm(modes[source.index(5)], block_size);
    let ops = algorithm.ops();
    let op = ops[source.index(ops.len() as u64)];
    (algorithm, op)
}

const PLACE: Place = Place {
    src: 0,
    dst: 1 << 20,
    key_slot: 0,
    key_generation: 0,
};

/// Tiles cover the request once and in order, and are as many as said.
fn tiles_cover(source: &mut impl Source) -> bool {
    let (algorithm, op) = any_algorithm(source, 4);
    let low = crate::num::low32;
    let shape = Shape {
        data_unit_size: low(source.below(49)),
        iv_step: IvStep::None,
        ..Shape::single(op, low(source.below(49)), [0; 16])
    };
    let tile_bytes = low(source.below(64));
    if !source.assume(shape.check(&algorithm).is_ok()) {
        return false;
    }
    let unit = shape.data_unit_size;
    let read = |at: u32, to: &mut [u8]| assert!(at as usize + to.len() <= shape.len as usize);
    let (mut at, mut out, mut number) = (0u32, 0u32, 0u32);
    for tile in Tiles::new(&algorithm, shape, PLACE, tile_bytes, read) {
        assert_eq!(tile.src, u64::from(at));
        assert_eq!(tile.dst, PLACE.dst + u64::from(out));
        assert!(tile.len > 0 && tile.len <= shape.len - at);
        let inside = at % unit;
        assert!(inside == 0 || tile.len <= unit - inside);
        assert!(tile.first_block == 0 || algorithm.mode == Mode::Xts);
        at += tile.len;
        out += tile.dst_len;
        number += 1;
    }
    assert_eq!(at, shape.len);
    assert_eq!(Ok(out), shape.output_len(&algorithm));
    assert_eq!(number, count(&algorithm, &shape, tile_bytes));
    true
}

/// The number of tiles of any request that an algorithm takes is at least one and at most one a
/// byte; nothing on the way overflows.
fn counts_fit(source: &mut impl Source) -> bool {
    let (algorithm, op) = any_algorithm(source, 16);
    // Random lengths are seldom whole units: half of them are made so.
    let unit = source.u32();
    let len = if source.bool() {
        source.u32()
    } else {
        unit.wrapping_mul(source.u32())
    };
    let shape = Shape {
        data_unit_size: unit,
        ..Shape::single(op, len, [0; 16])
    };
    if !source.assume(shape.check(&algorithm).is_ok()) {
        return false;
    }
    let number = count(&algorithm, &shape, source.u32());
    assert!(number >= 1 && number <= len);
    true
}

prove!(tiles_cover_requests: tiles_cover, unwind 50, 20_000 cases);
prove!(tile_counts: counts_fit, unwind 2, 5_000 cases);
