//! How a request is cut: any shape that an algorithm takes, any tile size. The tiles cover the
//! request once and in order, the helper takes each, their IVs are those of long addition, and
//! computed alone in any order they make what the whole request makes.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use kgpu_algos::all;
use kgpu_core::abi::{IvStep, Op, Tile};
use kgpu_core::algorithm::{Algorithm, Mode, Output};
use kgpu_core::cpu::{CpuKey, Data, Work};
use kgpu_core::request::Shape;
use kgpu_core::tiling::{Place, Tiles, count};
use kgpu_userhelper::region::{Source, Span};
use kgpu_userhelper::validate;
use libfuzzer_sys::fuzz_target;

/// Tiles of a long request that are looked at; all of a shorter one's are.
const LOOK: usize = 256;
/// Most bytes of a request that is also computed.
const COMPUTE: u32 = 2048;

#[derive(Arbitrary, Debug)]
enum Length {
    /// Blocks, and bytes more.
    Small {
        blocks: u8,
        odd: u8,
    },
    Any(u32),
}

impl Length {
    fn of(&self, block: u32) -> u32 {
        match self {
            Self::Small { blocks, odd } => u32::from(*blocks) * block + u32::from(odd % 16),
            Self::Any(len) => *len,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    algorithm: u8,
    op: u8,
    len: Length,
    unit: Length,
    /// The length is this many units instead.
    units: Option<u8>,
    tile_bytes: TileBytes,
    iv: [u8; 16],
    iv_step: u8,
    src: u32,
    gap: u8,
    order: u16,
    seed: u8,
}

#[derive(Arbitrary, Debug)]
enum TileBytes {
    Log(u8),
    Small(u16),
    Any(u32),
}

static KEYS: LazyLock<Vec<Box<dyn CpuKey>>> = LazyLock::new(|| {
    let bytes: Vec<u8> = (1..=112).collect();
    let key = |algorithm: &&'static Algorithm| {
        let len = algorithm.key_sizes.iter().last().unwrap_or(0);
        (algorithm.cpu)(&bytes[..len]).expect("a key of a length of its own")
    };
    all().iter().map(key).collect()
});

/// `number` added to a number of these bytes, least significant first, by hand.
fn add(bytes: &mut dyn Iterator<Item = &mut u8>, mut number: u64) {
    let mut carry = 0;
    for byte in bytes {
        let sum = u16::from(*byte) + u16::try_from(number & 0xff).expect("a byte") + carry;
        *byte = u8::try_from(sum & 0xff).expect("a byte");
        carry = sum >> 8;
        number >>= 8;
    }
}

/// The IV of a unit.
fn unit_iv(shape: &Shape, size: usize, unit: u64) -> [u8; 16] {
    let mut iv = shape.iv;
    match shape.iv_step {
        IvStep::None => {}
        IvStep::Le64 => add(&mut iv[..8].iter_mut(), unit),
        IvStep::Be64 => add(&mut iv[size - 8..size].iter_mut().rev(), unit),
        IvStep::Le128 => add(&mut iv.iter_mut(), unit),
        IvStep::Be128 => add(&mut iv.iter_mut().rev(), unit),
    }
    iv
}

/// Number of tiles, in numbers that cannot overflow: unit by unit where units are cut.
fn tiles_of(algorithm: &Algorithm, shape: &Shape, tile_bytes: u32) -> u64 {
    let (len, unit) = (u64::from(shape.len), u64::from(shape.data_unit_size));
    let most = u64::from(tile_bytes);
    if unit <= most {
        return len.div_ceil(most / unit * unit);
    }
    if !algorithm.splits_units(shape.op) {
        return len.div_ceil(unit);
    }
    let block = u64::from(algorithm.block_size);
    let piece = (most / block * block).max(block);
    len / unit * unit.div_ceil(piece) + (len % unit).div_ceil(piece)
}

fn source(at: u32, seed: u8, to: &mut [u8]) {
    for (i, byte) in (u64::from(at)..).zip(to) {
        let mixed = (i + u64::from(seed)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        *byte = mixed.to_le_bytes()[7];
    }
}

/// One tile, against where it must lie and what its IV must be.
fn check(tile: &Tile, at: (u32, u32), request: (&Algorithm, &Shape, &Place), input: &Input) {
    let (algorithm, shape, place) = request;
    let unit = shape.data_unit_size;
    assert_eq!(tile.src, place.src + u64::from(at.0));
    assert_eq!(tile.dst, place.dst + u64::from(at.1));
    assert!(tile.len > 0 && tile.len <= shape.len - at.0);
    assert_eq!(
        (tile.key_slot, tile.key_generation),
        (place.key_slot, place.key_generation)
    );
    assert_eq!(tile.data_unit_size, unit);
    let out = match algorithm.output {
        Output::SameAsInput => tile.len,
        Output::PerUnit(bytes) => tile.len.div_ceil(unit) * bytes,
    };
    assert_eq!(tile.dst_len, out);
    let inside = at.0 % unit;
    // Whole units from a unit's start, or a part within one.
    assert!(
        inside == 0 || tile.len <= unit - inside,
        "a tile straddles a unit's end"
    );
    let size = algorithm.iv_size();
    let mut iv = unit_iv(shape, size, u64::from(at.0 / unit));
    let blocks = inside / u32::from(algorithm.block_size);
    match algorithm.mode {
        Mode::Ctr => add(&mut iv[..size].iter_mut().rev(), u64::from(blocks)),
        Mode::Cbc if inside > 0 => {
            iv = [0; 16];
            let back = u32::try_from(size).expect("small");
            source(at.0 - back, input.seed, &mut iv[..size]);
        }
        _ => {}
    }
    assert_eq!(tile.iv, iv, "IV at {}", at.0);
    let counted = if algorithm.mode == Mode::Xts {
        blocks
    } else {
        0
    };
    assert_eq!(tile.first_block, counted);
    if tile.len > unit {
        assert_eq!(tile.iv_step, shape.iv_step.code());
    }
    let accepted = validate::Accepted {
        index: 0,
        algorithm: all()[usize::from(input.algorithm) % all().len()],
        op: shape.op,
    };
    let (_, span) = validate::tile(tile, &accepted).expect("the helper takes it");
    let told = Span {
        src: Source::Pool(tile.src),
        dst: tile.dst,
        len: tile.len,
        dst_len: tile.dst_len,
    };
    assert_eq!(span, told);
}

/// All tiles alone, in some order, make what the request makes as a whole.
fn compute(tiles: &[Tile], shape: &Shape, which: usize, place: &Place, input: &Input) {
    let algorithm = all()[which];
    let len = usize::try_from(shape.len).expect("small");
    let out = usize::try_from(shape.output_len(algorithm).expect("checked")).expect("small");
    let mut src = vec![0; len];
    source(0, input.seed, &mut src);
    let run = |work: &Work, src: &[u8], dst: &mut [u8]| {
        let data = Data::Apart { src, dst };
        assert_eq!(KEYS[which].run(work, data), Ok(()));
    };
    let (mut whole, mut parts) = (vec![0; out], vec![0; out]);
    let work = Work {
        op: shape.op,
        data_unit_size: shape.data_unit_size,
        iv_step: shape.iv_step,
        iv: shape.iv,
        first_block: 0,
    };
    run(&work, &src, &mut whole);
    let mut order: Vec<&Tile> = tiles.iter().collect();
    let turn = usize::from(input.order) % order.len();
    order.rotate_left(turn);
    if input.order % 2 == 1 {
        order.reverse();
    }
    for tile in order {
        let range = |at: u64, from: u64, len: u32| {
            let at = usize::try_from(at - from).expect("inside");
            at..at + usize::try_from(len).expect("inside")
        };
        let from = range(tile.src, place.src, tile.len);
        let to = range(tile.dst, place.dst, tile.dst_len);
        let work = Work::try_from(tile).expect("a tile of ours");
        run(&work, &src[from], &mut parts[to]);
    }
    assert!(whole == parts, "tiles make something else");
}

fuzz_target!(|input: Input| {
    let which = usize::from(input.algorithm) % all().len();
    let algorithm = all()[which];
    let ops = algorithm.ops();
    let block = u32::from(algorithm.block_size).max(8);
    let unit = input.unit.of(block);
    let mut iv = input.iv;
    iv[algorithm.iv_size()..].fill(0);
    let shape = Shape {
        op: ops[usize::from(input.op) % ops.len()],
        len: input.units.map_or(input.len.of(block), |units| {
            unit.wrapping_mul(u32::from(units))
        }),
        data_unit_size: unit,
        iv,
        iv_step: IvStep::ALL[usize::from(input.iv_step) % IvStep::ALL.len()],
    };
    for op in Op::ALL {
        assert_eq!(algorithm.offers(*op), ops.contains(op));
    }
    if shape.check(algorithm).is_err() {
        return;
    }
    let tile_bytes = match input.tile_bytes {
        TileBytes::Log(log) => 1 << (log % 32),
        TileBytes::Small(bytes) => u32::from(bytes),
        TileBytes::Any(bytes) => bytes,
    };
    let has_key = u32::from(algorithm.has_key());
    let place = Place {
        src: u64::from(input.src),
        dst: u64::from(input.src) + u64::from(shape.len) + u64::from(input.gap),
        key_slot: 5 * has_key,
        key_generation: 7 * has_key,
    };
    let number = u64::from(count(algorithm, &shape, tile_bytes));
    assert_eq!(
        number,
        tiles_of(algorithm, &shape, tile_bytes),
        "{shape:?} {tile_bytes}"
    );
    let read = |at: u32, to: &mut [u8]| {
        assert!(
            u64::from(at) + to.len() as u64 <= u64::from(shape.len),
            "reads beyond the source"
        );
        source(at, input.seed, to);
    };
    let mut at = (0, 0);
    let mut seen = Vec::new();
    for tile in Tiles::new(algorithm, shape, place, tile_bytes, read).take(LOOK) {
        check(&tile, at, (algorithm, &shape, &place), &input);
        at = (at.0 + tile.len, at.1 + tile.dst_len);
        seen.push(tile);
    }
    let looked = seen.len() as u64;
    assert_eq!(looked, number.min(LOOK as u64));
    if looked < number {
        assert!(at.0 < shape.len);
        return;
    }
    assert_eq!(Ok(at.1), shape.output_len(algorithm));
    assert_eq!(at.0, shape.len, "the tiles do not cover the request");
    if shape.len <= COMPUTE {
        compute(&seen, &shape, which, &place, &input);
    }
});
