//! Random requests by number: the same seed, algorithm and number give the same request, whatever
//! else is checked beside it. Small ones mostly, of every key length, operation and IV step; IVs whose
//! counters are about to wrap; data units from one block to 64 KiB, and some requests up to 1 MiB.

use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX, Mode};
use kgpu_core::num;
use kgpu_core::request::Shape;
use kgpu_core::tiling::{self, TILE_BYTES_DEFAULT};

use crate::pool::Layout;
use crate::request::Request;
use crate::rng::Rng;

/// Consecutive requests of an algorithm that share keys, and how many keys they share.
pub const KEY_GROUP: u64 = 8;
const KEYS: u32 = 2;
/// Most bytes of a request.
pub const BYTES_MAX: u32 = 1 << 20;
/// Most tiles of a request.
pub const TILES_MAX: u32 = 256;

/// What a service counts as a block, so that its units have odd lengths.
const ODD: u32 = 13;

/// The request of a number.
#[must_use]
pub fn request(seed: u64, algorithm: &'static Algorithm, number: u64) -> Request {
    let id = u64::from(algorithm.id.0);
    let mut rng = Rng::of(&[seed, id, number]);
    let key = key(seed, algorithm, number / KEY_GROUP, rng.below(KEYS));
    let (data_unit_size, units) = sizes(&mut rng, algorithm);
    let mut len = data_unit_size.saturating_mul(units);
    if algorithm.partial_last_unit() && rng.below(2) == 0 {
        len -= rng.below(data_unit_size);
    }
    let iv_step = step(&mut rng, algorithm);
    let block = u32::from(algorithm.block_size.max(1));
    let counted = units.max(data_unit_size / block);
    let shape = Shape {
        op: *algorithm
            .ops()
            .get(num::index(u64::from(rng.below(2))))
            .or(algorithm.ops().first())
            .unwrap_or(&Op::Compute),
        len,
        data_unit_size,
        iv: iv(&mut rng, algorithm.iv_size(), counted),
        iv_step,
    };
    let layouts = Layout::all(algorithm);
    let layout = layouts.get(num::index(u64::from(rng.below(2))));
    let mut input = vec![0; num::index(u64::from(len))];
    rng.fill(&mut input);
    Request {
        algorithm,
        key,
        shape,
        input,
        layout: *layout.unwrap_or(&Layout::Apart),
        tile_bytes: tile_bytes(&mut rng, algorithm, &shape),
        seed: rng.next(),
    }
}

/// A key of the group: of any length that the algorithm has, half of them of the lengths that other
/// libraries know too (all, three quarters or half of the longest); now and then all bytes alike.
fn key(seed: u64, algorithm: &Algorithm, group: u64, which: u32) -> Vec<u8> {
    let sizes = algorithm.key_sizes;
    let id = u64::from(algorithm.id.0);
    let mut rng = Rng::of(&[seed, id, group, u64::from(which), u64::MAX]);
    let lens = (sizes.max - sizes.min) / sizes.step.max(1) + 1;
    let any = u32::from(sizes.min) + rng.below(u32::from(lens)) * u32::from(sizes.step);
    let usual = u32::from(sizes.max) / 4 * rng.pick(&[2, 3, 4]);
    let (any, usual) = (num::index(u64::from(any)), num::index(u64::from(usual)));
    let takes_usual = rng.below(2) == 0 && sizes.contains(usual);
    let mut key = vec![0; if takes_usual { usual } else { any }];
    if rng.below(64) == 0 {
        key.fill(rng.pick(&[0, 0xff, 0x5a]));
    } else {
        rng.fill(&mut key);
    }
    key
}

/// Bytes of a data unit, and how many there are.
fn sizes(rng: &mut Rng, algorithm: &Algorithm) -> (u32, u32) {
    let block = match algorithm.mode {
        Mode::Digest => ODD,
        _ => u32::from(algorithm.block_size.max(1)),
    };
    let below = |rng: &mut Rng, bound| 1 + rng.below(bound);
    match rng.below(1000) {
        0..550 => (below(rng, 12) * block, below(rng, 6)),
        550..700 => (below(rng, 3) * block, below(rng, 40)),
        // Sectors, as volumes have them.
        700..850 => (rng.pick(&[512, 1024, 2048, 4096]), below(rng, 6)),
        850..978 => ((rng.below(128) * 2 + 1) * block, below(rng, 2)),
        978..998 => (below(rng, (64 << 10) / block) * block, 1),
        // Up to a mebibyte, in sectors or in one piece.
        _ => {
            let unit = rng.pick(&[512, 4096, 64 << 10, 0]);
            let bytes = below(rng, BYTES_MAX);
            match unit {
                0 => ((bytes / block).max(1) * block, 1),
                unit => (unit, (bytes / unit).max(1)),
            }
        }
    }
}

/// A step that the algorithm's IV allows.
fn step(rng: &mut Rng, algorithm: &Algorithm) -> IvStep {
    let count = u32::try_from(IvStep::ALL.len()).unwrap_or(1);
    let at = num::index(u64::from(rng.below(count)));
    let mut steps = IvStep::ALL.iter().copied().cycle().skip(at);
    let allowed = steps.by_ref().take(IvStep::ALL.len());
    let mut allowed = allowed.filter(|step| algorithm.steps(*step));
    allowed.next().unwrap_or(IvStep::None)
}

/// An IV of `size` bytes, zero-padded: any, or one that is about to carry out of its low 4, 8, 12 or
/// 16 bytes, at either end, while `counted` units or blocks are counted.
fn iv(rng: &mut Rng, size: usize, counted: u32) -> [u8; IV_BYTES_MAX] {
    let mut iv = [0; IV_BYTES_MAX];
    let Some(used) = iv.get_mut(..size) else {
        return iv;
    };
    rng.fill(used);
    let wide = rng.pick(&[0_usize, 0, 4, 8, 12, 16]).min(size);
    let before = u128::from(rng.below(counted.saturating_mul(2).saturating_add(2)));
    // The number that is `before` below the wrap of `wide` bytes.
    let near = u128::MAX - before;
    if rng.below(2) == 0 {
        let bytes = near.to_le_bytes();
        for (to, from) in used.iter_mut().zip(bytes).take(wide) {
            *to = from;
        }
    } else {
        let bytes = near.to_be_bytes();
        for (to, from) in used.iter_mut().rev().zip(bytes.iter().rev()).take(wide) {
            *to = *from;
        }
    }
    iv
}

/// A cut: the usual one in half of the cases, else tiles down to one block, as long as they are not
/// too many.
fn tile_bytes(rng: &mut Rng, algorithm: &Algorithm, shape: &Shape) -> u32 {
    const USUAL: u32 = TILE_BYTES_DEFAULT;
    let mut bytes = rng.pick(&[USUAL, USUAL, USUAL, USUAL, 4096, 1024, 256, 100, 48, 16]);
    while tiling::count(algorithm, shape, bytes) > TILES_MAX {
        bytes *= 4;
    }
    bytes
}
