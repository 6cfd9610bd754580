//! Requests cut into tiles, against what each block of a request is by definition.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests, too, may panic.

#[path = "support/numbers.rs"]
mod numbers;

use kgpu_core::abi::{AlgorithmId, IvStep, Op, Tile};
use kgpu_core::algorithm::{Algorithm, Fallback, KeySizes, Launch, Load, Mode, Output, spread};
use kgpu_core::request::{Shape, ShapeError};
use kgpu_core::tiling::{Place, Tiles, count};
use kgpu_core::{algorithm, iv};
use proptest::prelude::*;

#[cfg(feature = "cpu")]
fn no_cpu(key: &[u8]) -> Result<Box<dyn kgpu_core::cpu::CpuKey>, kgpu_core::cpu::KeyError> {
    Err(kgpu_core::cpu::KeyError { len: key.len() })
}

const fn cipher(id: u16, mode: Mode, block_size: u16) -> Algorithm {
    Algorithm {
        id: AlgorithmId(id),
        name: "test(cipher)",
        driver: "test-cipher-kgpu",
        mode,
        block_size,
        key_sizes: KeySizes {
            min: 16,
            max: 32,
            step: 8,
        },
        output: Output::SameAsInput,
        fallback: Fallback::Skcipher,
        crossover: 0,
        known_answers: &[],
        launch: one_lane,
        #[cfg(feature = "cpu")]
        cpu: no_cpu,
        #[cfg(feature = "cpu")]
        device: None,
    }
}

const fn digest(id: u16, bytes: u32) -> Algorithm {
    Algorithm {
        key_sizes: KeySizes::NONE,
        output: Output::PerUnit(bytes),
        fallback: Fallback::Shash("test"),
        ..cipher(id, Mode::Digest, 1)
    }
}

fn one_lane(load: &Load) -> Launch {
    Launch {
        tiles_per_lane: load.tiles.max(1),
        lanes: 1,
    }
}

static ALGORITHMS: [Algorithm; 10] = [
    cipher(1, Mode::Ecb, 16),
    cipher(2, Mode::Ecb, 8),
    cipher(3, Mode::Cbc, 16),
    cipher(4, Mode::Cbc, 8),
    cipher(5, Mode::Ctr, 16),
    cipher(6, Mode::Ctr, 8),
    cipher(7, Mode::Xts, 16),
    digest(8, 4),
    digest(9, 32),
    cipher(10, Mode::Xts, 32),
];

const PLACE: Place = Place {
    src: 1 << 20,
    dst: 3 << 20,
    key_slot: 5,
    key_generation: 7,
};

/// IVs whose counters are about to carry, and any others.
fn ivs() -> impl Strategy<Value = [u8; 16]> {
    prop_oneof![
        any::<[u8; 16]>(),
        Just([0xff; 16]),
        (any::<[u8; 16]>(), 0usize..16, 0usize..17).prop_map(|(mut iv, from, to)| {
            iv[from.min(to)..to].fill(0xff);
            iv
        }),
    ]
}

#[derive(Debug)]
struct Request {
    algorithm: &'static Algorithm,
    shape: Shape,
    tile_bytes: u32,
}

/// Requests that pass [`Shape::check`], of up to about 16 KiB.
fn requests() -> impl Strategy<Value = Request> {
    let tile_bytes = prop_oneof![
        2 => (6u32..14).prop_map(|log| 1 << log),
        2 => 0u32..600,
        1 => 0u32..20_000,
    ];
    let unit_blocks = prop_oneof![3 => 1u32..10, 1 => 1u32..300];
    (
        0usize..9,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        (unit_blocks, 1u32..20, 0u32..4096),
        ivs(),
        tile_bytes,
    )
        .prop_map(
            |(which, op, step, (blocks, units, short), iv, tile_bytes)| {
                let algorithm = &ALGORITHMS[which];
                let steps: Vec<IvStep> = IvStep::ALL
                    .iter()
                    .copied()
                    .filter(|step| algorithm.steps(*step))
                    .collect();
                let block = u32::from(algorithm.block_size);
                let mut data_unit_size = blocks * block;
                let units = units.min(16_384 / data_unit_size).max(1);
                let mut len = units * data_unit_size;
                if algorithm.partial_last_unit() {
                    len -= short % data_unit_size;
                    if units == 1 && short % 3 == 0 {
                        // A single unit may have any size at all.
                        data_unit_size = len;
                    }
                }
                let mut start = iv;
                start[algorithm.iv_size()..].fill(0);
                Request {
                    algorithm,
                    shape: Shape {
                        op: algorithm.ops()[op.index(algorithm.ops().len())],
                        len,
                        data_unit_size,
                        iv: start,
                        iv_step: steps[step.index(steps.len())],
                    },
                    tile_bytes,
                }
            },
        )
}

/// The request's source: no two blocks of it are equal.
fn source(at: u32, to: &mut [u8]) {
    for (offset, byte) in (at..).zip(to) {
        let word = (offset / 4).wrapping_mul(0x9e37_79b1);
        *byte = word.to_le_bytes()[(offset % 4) as usize];
    }
}

fn block_before(at: u32, size: usize) -> [u8; 16] {
    let mut block = [0; 16];
    source(at - u32::try_from(size).unwrap(), &mut block[..size]);
    block
}

/// What a block is computed with, beside the key and its own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Nothing,
    /// The counter block.
    Counter([u8; 16]),
    /// The unit's tweak IV and the block's number in the unit.
    Tweak([u8; 16], u32),
    /// The IV or the ciphertext block before it.
    Chained([u8; 16]),
    /// The output of the block before it in the tile: only there once that is computed.
    Output,
}

/// By definition of the request: the block at source offset `at`.
fn by_definition(algorithm: &Algorithm, shape: &Shape, at: u32) -> With {
    let size = algorithm.iv_size();
    let (unit, inside) = (at / shape.data_unit_size, at % shape.data_unit_size);
    // Unit after unit, as the sentence "the IV steps from unit to unit" has it.
    let mut iv = shape.iv;
    for _ in 0..unit {
        iv = numbers::step(iv, size, shape.iv_step, 1);
    }
    let number = inside / u32::from(algorithm.block_size);
    match (algorithm.mode, shape.op) {
        (Mode::Ecb | Mode::Digest, _) => With::Nothing,
        (Mode::Ctr, _) => {
            for _ in 0..number {
                iv = numbers::counter(iv, size, 1);
            }
            With::Counter(iv)
        }
        (Mode::Xts, _) => With::Tweak(iv, number),
        (Mode::Cbc, _) if number == 0 => With::Chained(iv),
        (Mode::Cbc, Op::Decrypt) => With::Chained(block_before(at, size)),
        (Mode::Cbc, _) => With::Output,
    }
}

/// As a backend does that sees nothing but the tile: the block at tile offset `at`.
fn by_tile(algorithm: &Algorithm, tile: &Tile, at: u32) -> With {
    let size = algorithm.iv_size();
    let (unit, inside) = (at / tile.data_unit_size, at % tile.data_unit_size);
    let iv_step = IvStep::try_from(tile.iv_step).unwrap();
    let iv = numbers::step(tile.iv, size, iv_step, u64::from(unit));
    let mut number = inside / u32::from(algorithm.block_size);
    match (algorithm.mode, Op::try_from(tile.op).unwrap()) {
        (Mode::Ecb | Mode::Digest, _) => With::Nothing,
        (Mode::Ctr, _) => With::Counter(numbers::counter(iv, size, u64::from(number))),
        (Mode::Xts, _) => {
            if unit == 0 {
                number += tile.first_block;
            }
            With::Tweak(iv, number)
        }
        (Mode::Cbc, _) if number == 0 => With::Chained(iv),
        (Mode::Cbc, Op::Decrypt) => {
            let request_at = u32::try_from(tile.src - PLACE.src).unwrap() + at;
            With::Chained(block_before(request_at, size))
        }
        (Mode::Cbc, _) => With::Output,
    }
}

/// Fails unless tiles are all of a request, in order, and each is what a backend needs for its bytes.
fn are_the_request(request: &Request, tiles: &[Tile]) -> Result<(), TestCaseError> {
    let Request {
        algorithm,
        shape,
        tile_bytes,
    } = *request;
    let unit = shape.data_unit_size;
    let block = u32::from(algorithm.block_size);
    let (mut src, mut dst) = (PLACE.src, PLACE.dst);
    for tile in tiles {
        // In order and without gaps: each byte of source and destination exactly once.
        prop_assert_eq!((tile.src, tile.dst), (src, dst));
        prop_assert!(tile.len > 0);
        src += u64::from(tile.len);
        dst += u64::from(tile.dst_len);

        // Whole units, or a part of one that begins and ends on a block.
        let begin = u32::try_from(tile.src - PLACE.src).unwrap();
        let end = begin + tile.len;
        let ends_unit = end.is_multiple_of(unit) || end == shape.len;
        if !begin.is_multiple_of(unit) || !ends_unit {
            prop_assert!(algorithm.splits_units(shape.op));
            prop_assert_eq!(begin / unit, (end - 1) / unit);
            prop_assert!((begin % unit).is_multiple_of(block));
            prop_assert!(ends_unit || (end % unit).is_multiple_of(block));
        }
        // No more than asked for, unless less is not possible.
        let least = if algorithm.splits_units(shape.op) {
            block.min(unit)
        } else {
            unit
        };
        prop_assert!(tile.len <= tile_bytes.max(least));

        let output = match algorithm.output {
            Output::SameAsInput => tile.len,
            Output::PerUnit(bytes) => tile.len.div_ceil(unit) * bytes,
        };
        prop_assert_eq!(tile.dst_len, output);
        prop_assert_eq!((tile.key_slot, tile.key_generation), (5, 7));
        prop_assert_eq!((tile.algorithm, tile.op), (algorithm.id.0, shape.op.code()));
        prop_assert_eq!((tile.data_unit_size, tile.flags), (unit, 0));
        prop_assert!(algorithm.mode == Mode::Xts || tile.first_block == 0);
        prop_assert_eq!(
            &tile.iv[algorithm.iv_size()..],
            &[0; 16][algorithm.iv_size()..]
        );

        for at in (0..tile.len).step_by(usize::from(algorithm.block_size)) {
            prop_assert_eq!(
                by_tile(algorithm, tile, at),
                by_definition(algorithm, &shape, begin + at),
                "block at {} of {:?}",
                begin + at,
                tile
            );
        }
    }
    prop_assert_eq!(src - PLACE.src, u64::from(shape.len));
    prop_assert_eq!(
        dst - PLACE.dst,
        u64::from(shape.output_len(algorithm).unwrap())
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn tiles_are_the_request(request in requests()) {
        let Request { algorithm, shape, tile_bytes } = request;
        prop_assert_eq!(shape.check(algorithm), Ok(()));
        let tiles: Vec<Tile> = Tiles::new(algorithm, shape, PLACE, tile_bytes, source).collect();
        prop_assert_eq!(tiles.len(), count(algorithm, &shape, tile_bytes) as usize);
        are_the_request(&request, &tiles)?;
    }

    /// A source that lies in pieces: no tile reaches over the end of one.
    #[test]
    fn tiles_of_pieces_are_the_request(
        request in requests(),
        ends in prop::collection::vec(prop_oneof![
            3 => (1u32..40).prop_map(|blocks| blocks * 16),
            2 => Just(4096u32),
            1 => 1u32..5000,
        ], 1..20),
    ) {
        let Request { algorithm, shape, tile_bytes } = request;
        let mut tiles = Tiles::new(algorithm, shape, PLACE, tile_bytes, source);
        let (mut cut, mut at) = (Vec::new(), 0);
        let splits = algorithm.splits_units(shape.op);
        let (unit, block) = (shape.data_unit_size, u32::from(algorithm.block_size));
        for piece in ends.into_iter().cycle() {
            let mut left = piece.min(shape.len - at);
            while left > 0 {
                let src = PLACE.src + u64::from(at);
                let Some(tile) = tiles.next_from(src, left) else {
                    // No tile can end where the piece does.
                    let end = at + left;
                    prop_assert!(!end.is_multiple_of(unit) && end != shape.len);
                    prop_assert!(!splits || !(end % unit).is_multiple_of(block));
                    return Ok(());
                };
                prop_assert!(tile.len <= left);
                at += tile.len;
                left -= tile.len;
                cut.push(tile);
            }
            if at == shape.len {
                break;
            }
        }
        prop_assert!(tiles.next().is_none());
        are_the_request(&request, &cut)?;
    }

    #[test]
    fn a_shape_passes_by_the_rules(
        which in 0usize..ALGORITHMS.len(),
        op in prop::sample::select(Op::ALL),
        step in prop::sample::select(IvStep::ALL),
        (len, unit) in prop_oneof![
            (0u32..200, 0u32..70),
            (0u32..13, 0u32..5).prop_map(|(len, unit)| (len * 16, unit * 16)),
            (any::<u32>(), any::<u32>()),
            (any::<u32>(), 0u32..4),
        ],
        tile_bytes in any::<u32>(),
    ) {
        let algorithm = &ALGORITHMS[which];
        let shape = Shape { op, len, data_unit_size: unit, iv: [0; 16], iv_step: step };
        let service = algorithm.mode == Mode::Digest;
        let block = u32::from(algorithm.block_size);
        let offered = (op == Op::Compute) == service;
        let steps = match (step, algorithm.iv_size()) {
            (IvStep::None, _) | (_, 16) => true,
            (IvStep::Le64 | IvStep::Be64, size) => size >= 8,
            (IvStep::Le128 | IvStep::Be128, _) => false,
        };
        let fits = unit > 0 && match algorithm.mode {
            Mode::Digest => true,
            Mode::Ctr => len <= unit || unit % block == 0,
            Mode::Ecb | Mode::Cbc | Mode::Xts => unit % block == 0 && len % unit == 0,
        };
        let output = match algorithm.output {
            Output::SameAsInput => u64::from(len),
            Output::PerUnit(bytes) if unit > 0 => u64::from(len.div_ceil(unit)) * u64::from(bytes),
            Output::PerUnit(_) => 0,
        };
        let small = output <= u64::from(u32::MAX);
        let verdict = shape.check(algorithm);
        prop_assert_eq!(verdict.is_ok(), offered && len > 0 && steps && fits && small);
        if verdict.is_ok() {
            prop_assert_eq!(shape.output_len(algorithm).map(u64::from), Ok(output));
            // However large: counting never overflows and finds at least one tile.
            let tiles = count(algorithm, &shape, tile_bytes);
            prop_assert!(tiles > 0 && tiles <= len);
        }
    }

    #[test]
    fn ivs_step_as_numbers_do(
        iv in ivs(),
        size in prop::sample::select(&[8usize, 16]),
        step in prop::sample::select(IvStep::ALL),
        units in prop_oneof![0u64..1000, any::<u64>(), Just(u64::MAX)],
    ) {
        prop_assert_eq!(iv::step(&iv, size, step, units), numbers::step(iv, size, step, units));
        prop_assert_eq!(iv::counter(&iv, size, units), numbers::counter(iv, size, units));
        // Stepping is adding: twice is once by the sum.
        let half = iv::step(&iv, size, step, units / 2);
        let whole = iv::step(&half, size, step, units - units / 2);
        prop_assert_eq!(whole, iv::step(&iv, size, step, units));
    }

    #[test]
    fn the_iv_left_behind_goes_on(iv in ivs(), last in any::<[u8; 16]>(), len in 1u32..100_000) {
        for size in [8, 16] {
            let after = |mode| iv::after(mode, &iv, size, u64::from(len), &last);
            let used = u64::from(len).div_ceil(size as u64);
            prop_assert_eq!(after(Mode::Ctr), numbers::counter(iv, size, used));
            prop_assert_eq!(after(Mode::Cbc), last);
            for mode in [Mode::Ecb, Mode::Xts, Mode::Digest] {
                prop_assert_eq!(after(mode), iv);
            }
        }
    }

    #[test]
    fn a_load_is_spread_over_what_there_is(
        tiles in any::<u32>(),
        bytes in any::<u64>(),
        lanes in any::<u32>(),
        least in any::<u64>(),
    ) {
        let launch = spread(&Load { tiles, bytes, lanes }, least);
        prop_assert!(launch.tiles_per_lane >= 1 && launch.tiles_per_lane <= tiles.max(1));
        prop_assert!(launch.lanes >= 1 && launch.lanes <= lanes.min(tiles).max(1));
        if launch.lanes > 1 {
            prop_assert!(bytes / u64::from(launch.lanes) >= least);
        }
    }
}

#[test]
fn each_rule_of_a_shape_has_its_error() {
    let [ecb, cbc8, ctr, xts, crc] = [0, 3, 4, 6, 7].map(|at| &ALGORITHMS[at]);
    let shape = |op, len, data_unit_size, iv_step| Shape {
        op,
        len,
        data_unit_size,
        iv: [0; 16],
        iv_step,
    };
    let length = |len, data_unit_size, block_size| {
        Err(ShapeError::Length {
            len,
            data_unit_size,
            block_size,
        })
    };
    use IvStep::{Be128, Le64, None};
    use Op::{Compute, Decrypt, Encrypt};
    for (algorithm, shape, verdict) in [
        (
            ecb,
            shape(Compute, 16, 16, None),
            Err(ShapeError::Op(Compute)),
        ),
        (
            crc,
            shape(Encrypt, 16, 16, None),
            Err(ShapeError::Op(Encrypt)),
        ),
        (ecb, shape(Encrypt, 0, 16, None), Err(ShapeError::Empty)),
        (ecb, shape(Encrypt, 16, 0, None), Err(ShapeError::Unit)),
        (
            ecb,
            shape(Encrypt, 16, 16, Le64),
            Err(ShapeError::Step(Le64)),
        ),
        (
            cbc8,
            shape(Encrypt, 16, 16, Be128),
            Err(ShapeError::Step(Be128)),
        ),
        (cbc8, shape(Encrypt, 16, 8, Le64), Ok(())),
        (
            crc,
            shape(Compute, 16, 16, Le64),
            Err(ShapeError::Step(Le64)),
        ),
        (ecb, shape(Encrypt, 17, 17, None), length(17, 17, 16)),
        (
            xts,
            shape(Encrypt, 512 + 16, 512, Le64),
            length(528, 512, 16),
        ),
        (xts, shape(Decrypt, 4096, 520, Le64), length(4096, 520, 16)),
        (xts, shape(Decrypt, 4096, 512, Le64), Ok(())),
        // A counter's last unit may be short, and a single unit of any length.
        (ctr, shape(Encrypt, 513, 512, Le64), Ok(())),
        (ctr, shape(Encrypt, 17, 17, None), Ok(())),
        (ctr, shape(Encrypt, 18, 17, None), length(18, 17, 16)),
        (crc, shape(Compute, 1000, 7, None), Ok(())),
        (
            crc,
            shape(Compute, u32::MAX, 4, None),
            Err(ShapeError::Output),
        ),
        (crc, shape(Compute, u32::MAX, 5, None), Ok(())),
    ] {
        assert_eq!(
            shape.check(algorithm),
            verdict,
            "{:?} {shape:?}",
            algorithm.mode
        );
    }
    let single = Shape::single(Encrypt, 48, [3; 16]);
    assert_eq!(
        single,
        Shape {
            iv: [3; 16],
            ..shape(Encrypt, 48, 48, None)
        }
    );
    assert_eq!(single.units(), 1);
    assert_eq!(shape(Compute, 9, 4, None).units(), 3);
    assert_eq!(shape(Compute, 9, 0, None).units(), 0);
}

#[test]
fn key_sizes_are_their_list() {
    let sizes = ALGORITHMS[0].key_sizes;
    assert_eq!(sizes.iter().collect::<Vec<_>>(), [16, 24, 32]);
    for len in 0..64 {
        assert_eq!(sizes.contains(len), [16, 24, 32].contains(&len));
    }
    let any = KeySizes {
        min: 4,
        max: 56,
        step: 1,
    };
    assert!((0..100).all(|len| any.contains(len) == (4..=56).contains(&len)));
    assert!(KeySizes::NONE.contains(0) && !KeySizes::NONE.contains(1));
    assert!(ALGORITHMS[0].has_key() && !ALGORITHMS[7].has_key());
    assert_eq!(algorithm::IV_BYTES_MAX, 16);
}
