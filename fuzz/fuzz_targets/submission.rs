//! What the helper believes: submissions, tiles, spans and key entries of any bytes, against the
//! rules in other words. What is accepted is then computed in a pool whose other bytes must stay.
#![no_main]

use std::sync::{Arc, LazyLock, Mutex};

use arbitrary::Arbitrary;
use kgpu_algos::{all, by_id};
use kgpu_core::abi::{AlgorithmId, KeyEntry, Layout, Op, RingSizes, Submission, Tile};
use kgpu_core::algorithm::{Algorithm, Mode, Output};
use kgpu_core::cpu::{CpuKey, WorkError};
use kgpu_core::keytable;
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::keys::KeyCache;
use kgpu_userhelper::region::{Lane, Region, Source, Span};
use kgpu_userhelper::validate;
use libfuzzer_sys::fuzz_target;

const SESSION: u32 = 7;
const POOL: u64 = 4 * 4096;
const SIZES: RingSizes = RingSizes {
    entries: 2,
    tiles: 16,
    keys: 4,
    pool_bytes: POOL,
};

/// A number: the right one, one near it, or any.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Near {
    Right,
    Off(i8),
    Any(u64),
}

impl Near {
    fn u64(self, right: u64) -> u64 {
        match self {
            Self::Right => right,
            Self::Off(by) => right.wrapping_add_signed(i64::from(by)),
            Self::Any(value) => value,
        }
    }

    fn u32(self, right: u32) -> u32 {
        u32::try_from(self.u64(u64::from(right)) & 0xffff_ffff).expect("32 bits")
    }

    fn u16(self, right: u16) -> u16 {
        u16::try_from(self.u64(u64::from(right)) & 0xffff).expect("16 bits")
    }

    fn u8(self, right: u8) -> u8 {
        u8::try_from(self.u64(u64::from(right)) & 0xff).expect("8 bits")
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    algorithm: u8,
    decrypt: bool,
    /// Session, first tile, count, algorithm, operation, flags.
    submission: (Near, Near, Near, Near, Near, Near),
    tile: TileInput,
    key: KeyInput,
}

#[derive(Arbitrary, Debug)]
struct TileInput {
    src: u16,
    dst: u16,
    place: (Near, Near),
    blocks: u8,
    unit_blocks: u8,
    len: Near,
    unit: Near,
    dst_len: Near,
    first_block: Near,
    iv: [u8; 16],
    iv_whole: bool,
    iv_step: u8,
    /// Algorithm, operation, flags, key slot, key generation.
    codes: (Near, Near, Near, Near, Near),
    in_place: bool,
}

#[derive(Arbitrary, Debug)]
struct KeyInput {
    slot: u8,
    generation: u32,
    length: u8,
    /// Algorithm, length, reserved field, generation asked for, slot asked for.
    codes: (Near, Near, Near, Near, Near),
    bytes: [u8; 32],
}

struct Bed {
    region: Arc<Region>,
    lane: Lane,
    catalogue: Catalogue,
    /// A key of each algorithm.
    keys: Vec<Box<dyn CpuKey>>,
}

static BED: LazyLock<Mutex<Bed>> = LazyLock::new(|| {
    let layout = Layout::new(SIZES).expect("sizes in bounds");
    let region = Arc::new(Region::in_process(layout, SESSION, 1).expect("memory"));
    let lane = Lane::take(&region).expect("the one lane");
    let bytes: Vec<u8> = (1..=112).collect();
    let key = |algorithm: &&'static Algorithm| {
        let len = algorithm.key_sizes.iter().last().unwrap_or(0);
        (algorithm.cpu)(&bytes[..len]).expect("a key of a length of its own")
    };
    Mutex::new(Bed {
        region,
        lane,
        catalogue: Catalogue::registry(),
        keys: all().iter().map(key).collect(),
    })
});

fn right_op(algorithm: &Algorithm, decrypt: bool) -> Op {
    algorithm.ops()[usize::from(decrypt) % algorithm.ops().len()]
}

fn submission(input: &Input, algorithm: &Algorithm, bed: &Bed) {
    let op = right_op(algorithm, input.decrypt);
    let s = input.submission;
    let submission = Submission {
        request: 0,
        session: s.0.u32(SESSION),
        tile_first: s.1.u32(0),
        tile_count: s.2.u32(1),
        bytes: 0,
        written_len: 0,
        algorithm: s.3.u16(algorithm.id.0),
        op: s.4.u8(op.code()),
        flags: s.5.u8(0),
    };
    let layout = bed.region.layout();
    let told = validate::submission(&submission, SESSION, layout, &bed.catalogue);
    let found = by_id(AlgorithmId(submission.algorithm));
    let offered = found.is_some_and(|a| a.ops().iter().any(|op| op.code() == submission.op));
    let end = u64::from(submission.tile_first) + u64::from(submission.tile_count);
    let good = submission.session == SESSION
        && submission.flags == 0
        && submission.tile_count > 0
        && end <= u64::from(SIZES.tiles)
        && offered;
    assert_eq!(told.is_ok(), good, "{submission:?}: {told:?}");
    if let Ok(accepted) = told {
        assert_eq!(accepted.algorithm.id.0, submission.algorithm);
        assert_eq!(accepted.op.code(), submission.op);
        assert_eq!(
            bed.catalogue.all()[accepted.index].id,
            accepted.algorithm.id
        );
    }
}

/// Whether a tile follows the rules of `docs/abi.md`.
fn good_tile(tile: &Tile, algorithm: &Algorithm, op: Op) -> bool {
    let (len, unit) = (u64::from(tile.len), u64::from(tile.data_unit_size));
    let block = u64::from(algorithm.block_size);
    if tile.algorithm != algorithm.id.0 || tile.op != op.code() || tile.flags > 1 {
        return false;
    }
    if len == 0 || unit == 0 {
        return false;
    }
    let iv_size = algorithm.iv_size();
    let steps = match tile.iv_step {
        0 => true,
        1 | 2 => iv_size >= 8,
        3 | 4 => iv_size == 16,
        _ => false,
    };
    let iv = tile.iv[iv_size..].iter().all(|byte| *byte == 0);
    let shape = match algorithm.mode {
        // Any length; units that are followed by another end on a block.
        Mode::Ctr | Mode::Digest => len <= unit || unit % block == 0,
        // Whole blocks, and whole units or, where they may be split, a part of one.
        Mode::Ecb | Mode::Xts => {
            len % block == 0 && (len < unit || len % unit == 0) && (len < unit || unit % block == 0)
        }
        Mode::Cbc => {
            len % block == 0
                && if len < unit {
                    op == Op::Decrypt
                } else {
                    len % unit == 0 && unit % block == 0
                }
        }
    };
    let inside = u64::from(tile.first_block) * block + len <= unit;
    let first_block = tile.first_block == 0 || (algorithm.mode == Mode::Xts && inside);
    let out = match algorithm.output {
        Output::SameAsInput => len,
        Output::PerUnit(bytes) => len.div_ceil(unit) * u64::from(bytes),
    };
    let key = algorithm.key_sizes.max > 0 || (tile.key_slot == 0 && tile.key_generation == 0);
    steps && iv && shape && first_block && u64::from(tile.dst_len) == out && key
}

fn tile(input: &Input, which: usize, algorithm: &'static Algorithm, bed: &mut Bed) {
    let t = &input.tile;
    let op = right_op(algorithm, input.decrypt);
    let block = u32::from(algorithm.block_size).max(8);
    let len = t.len.u32(u32::from(t.blocks) * block);
    let unit = t.unit.u32(u32::from(t.unit_blocks) * block);
    let right_out = match algorithm.output {
        Output::SameAsInput => len,
        Output::PerUnit(bytes) => len.div_ceil(unit.max(1)).wrapping_mul(bytes),
    };
    let mut iv = t.iv;
    if !t.iv_whole {
        iv[algorithm.iv_size()..].fill(0);
    }
    let src = t.place.0.u64(u64::from(t.src));
    let tile = Tile {
        src,
        dst: if t.in_place {
            src
        } else {
            t.place.1.u64(u64::from(t.dst))
        },
        len,
        dst_len: t.dst_len.u32(right_out),
        key_slot: t.codes.3.u32(0),
        key_generation: t.codes.4.u32(0),
        data_unit_size: unit,
        first_block: t.first_block.u32(0),
        iv,
        algorithm: t.codes.0.u16(algorithm.id.0),
        op: t.codes.1.u8(op.code()),
        iv_step: t.iv_step,
        flags: t.codes.2.u32(0),
    };
    let (index, _) = bed.catalogue.find(algorithm.id).expect("of the registry");
    let accepted = validate::Accepted {
        index,
        algorithm,
        op,
    };
    let told = validate::tile(&tile, &accepted);
    assert_eq!(
        told.is_ok(),
        good_tile(&tile, algorithm, op),
        "{tile:?}: {told:?}"
    );
    let Ok((work, span)) = told else {
        return;
    };
    let (at, out) = ((tile.src, tile.len), (tile.dst, tile.dst_len));
    let guest = tile.flags == 1;
    let from = match span.src {
        Source::Pool(at) if !guest => at,
        Source::Guest(at) if guest => at,
        _ => panic!("{tile:?}: {span:?}"),
    };
    assert_eq!((at, out), ((from, span.len), (span.dst, span.dst_len)));
    if check_span(&span).is_none() {
        return;
    }
    // In the pool: every byte but the destination's stays.
    let region = Arc::clone(&bed.region);
    let pool = u32::try_from(POOL).expect("small");
    let fill = |bytes: &mut [u8]| {
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::try_from(i % 251).expect("a byte");
        }
    };
    bed.lane.write(0, pool, fill).expect("the whole pool");
    let key = &bed.keys[which];
    let ran = bed.lane.with(&span, |data| key.run(&work, data));
    if matches!(algorithm.output, Output::PerUnit(_)) && span.in_place() {
        // A service has no work in place, though its output can be as long as its input by chance.
        let refused = matches!(ran, Ok(Err(WorkError::Destination { .. })));
        assert!(refused, "{tile:?}: {ran:?}");
    } else {
        assert_eq!(ran, Ok(Ok(())), "{tile:?}");
    }
    let from = usize::try_from(span.dst).expect("inside");
    let to = from + usize::try_from(span.dst_len).expect("inside");
    bed.lane
        .read(0, pool, |bytes| {
            let kept =
                |(i, byte): (usize, &u8)| (from..to).contains(&i) || usize::from(*byte) == i % 251;
            assert!(
                bytes.iter().enumerate().all(kept),
                "{tile:?} wrote elsewhere"
            );
        })
        .expect("the whole pool");
    drop(region);
}

/// The span's check against 128-bit arithmetic.
fn check_span(span: &Span) -> Option<()> {
    let range = |at: u64, len: u32| (u128::from(at), u128::from(at) + u128::from(len));
    let Source::Pool(from) = span.src else {
        // This session has no such sources.
        assert!(span.check(usize::try_from(POOL).expect("small"), &[]).is_err());
        return None;
    };
    let (src, dst) = (range(from, span.len), range(span.dst, span.dst_len));
    let inside = |r: (u128, u128)| r.0 < r.1 && r.1 <= u128::from(POOL);
    let apart = src.1 <= dst.0 || dst.1 <= src.0;
    let good = inside(src) && inside(dst) && (src == dst || apart);
    let told = span.check(usize::try_from(POOL).expect("small"), &[]);
    assert_eq!(told.is_ok(), good, "{span:?}");
    good.then_some(())
}

fn key(input: &Input, algorithm: &'static Algorithm, bed: &Bed) {
    let k = &input.key;
    let slot = u32::from(k.slot) % SIZES.keys;
    let lengths: Vec<usize> = algorithm.key_sizes.iter().collect();
    let right = lengths[usize::from(k.length) % lengths.len()];
    let mut entry = KeyEntry::empty(k.generation);
    entry.algorithm = k.codes.0.u16(algorithm.id.0);
    entry.key_len = k.codes.1.u16(u16::try_from(right).expect("short"));
    entry.reserved = k.codes.2.u64(0);
    for (to, from) in entry.key.iter_mut().zip(k.bytes.iter().cycle()) {
        *to = *from;
    }
    keytable::write(bed.region.control(), bed.region.layout(), slot, &entry);
    let asked = (k.codes.4.u32(slot), k.codes.3.u32(k.generation));
    let mut cache = KeyCache::new(bed.region.layout(), &bed.catalogue, None);
    let (at, _) = bed.catalogue.find(algorithm.id).expect("of the registry");
    let told = cache.get(bed.region.control(), algorithm, at, asked.0, asked.1);
    let good = entry.algorithm == algorithm.id.0
        && entry.reserved == 0
        && lengths.contains(&usize::from(entry.key_len))
        && k.generation % 2 == 1
        && asked == (slot, k.generation);
    assert_eq!(
        told.is_ok(),
        good || !algorithm.has_key(),
        "{entry:?} asked {asked:?}"
    );
    assert_eq!(cache.filled(), usize::from(good && algorithm.has_key()));
    keytable::clear(bed.region.control(), bed.region.layout(), slot, 0);
}

fuzz_target!(|input: Input| {
    // Poisoned by a finding only, which ends the process.
    let Ok(mut bed) = BED.lock() else {
        return;
    };
    let which = usize::from(input.algorithm) % all().len();
    let algorithm = all()[which];
    submission(&input, algorithm, &bed);
    tile(&input, which, algorithm, &mut bed);
    key(&input, algorithm, &bed);
});
