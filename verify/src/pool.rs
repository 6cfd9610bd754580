//! Requests through the tile interface, as the helper's CPU backend runs them: bytes in a pool,
//! tiles that say where. Guard bytes around each buffer show a tile that writes beside it.

use kgpu_core::abi::Tile;
use kgpu_core::algorithm::Algorithm;
use kgpu_core::cpu::{CpuKey, Data, Work};
use kgpu_core::num;
use kgpu_core::request::Shape;
use kgpu_core::tiling::{Place, TILE_BYTES_DEFAULT, Tiles, count};

use crate::Failure;

/// Bytes around buffers, and what they hold.
const GUARD: usize = 64;
const GUARD_BYTE: u8 = 0xa5;

/// Where the output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Over the input.
    InPlace,
    /// Beside it.
    Apart,
}

impl Layout {
    /// The layouts that an algorithm knows: outputs of another length never go over the input.
    #[must_use]
    pub const fn all(algorithm: &Algorithm) -> &'static [Self] {
        match algorithm.output {
            kgpu_core::algorithm::Output::SameAsInput => &[Self::InPlace, Self::Apart],
            kgpu_core::algorithm::Output::PerUnit(_) => &[Self::Apart],
        }
    }
}

/// How a request is cut and put together again.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where the output goes.
    pub layout: Layout,
    /// Most bytes of a tile.
    pub tile_bytes: u32,
    /// Seed of the order in which tiles are run; 0 runs them as they come.
    pub order: u64,
}

impl Plan {
    /// In order, in tiles of the default size.
    #[must_use]
    pub const fn whole(layout: Layout) -> Self {
        Self {
            layout,
            tile_bytes: TILE_BYTES_DEFAULT,
            order: 0,
        }
    }
}

/// Runs a request: checks it, expands the key, cuts tiles, runs them, and returns the output.
///
/// # Errors
/// Whatever is wrong with the request, and [`Failure::Differs`] when a tile writes where it must
/// not.
pub fn run(
    algorithm: &Algorithm,
    key: &[u8],
    shape: &Shape,
    input: &[u8],
    plan: Plan,
) -> Result<Vec<u8>, Failure> {
    let key = (algorithm.cpu)(key)?;
    run_expanded(algorithm, key.as_ref(), shape, input, plan)
}

/// The same with a key that is expanded already.
///
/// # Errors
/// As [`run`].
pub fn run_expanded(
    algorithm: &Algorithm,
    key: &dyn CpuKey,
    shape: &Shape,
    input: &[u8],
    plan: Plan,
) -> Result<Vec<u8>, Failure> {
    shape.check(algorithm)?;
    let out_len = num::index(u64::from(shape.output_len(algorithm)?));
    let src = GUARD;
    let dst = match plan.layout {
        Layout::InPlace => src,
        Layout::Apart => src + input.len() + GUARD,
    };
    let mut pool = vec![GUARD_BYTE; dst + out_len.max(input.len()) + GUARD];
    slice(&mut pool, src, input.len())?.copy_from_slice(input);

    let read = |at: u32, to: &mut [u8]| {
        let at = num::index(u64::from(at));
        if let Some(from) = input.get(at..at + to.len()) {
            to.copy_from_slice(from);
        }
    };
    let place = Place {
        src: src as u64,
        dst: dst as u64,
        key_slot: 0,
        key_generation: 0,
    };
    let mut tiles: Vec<Tile> =
        Tiles::new(algorithm, *shape, place, plan.tile_bytes, read).collect();
    let counted = num::index(u64::from(count(algorithm, shape, plan.tile_bytes)));
    if counted != tiles.len() {
        let why = format!("{counted} tiles were announced, {} came", tiles.len());
        return Err(Failure::Impossible(why));
    }
    shuffle(&mut tiles, plan.order);
    for tile in &tiles {
        run_tile(key, tile, &mut pool)?;
    }

    let out = slice(&mut pool, dst, out_len)?.to_vec();
    // All but the output must be as it was.
    slice(&mut pool, src, input.len())?.fill(GUARD_BYTE);
    slice(&mut pool, dst, out_len)?.fill(GUARD_BYTE);
    match pool.iter().position(|byte| *byte != GUARD_BYTE) {
        None => Ok(out),
        Some(at) => Err(Failure::Differs {
            what: format!("the bytes around the buffers of {}", algorithm.name),
            at,
        }),
    }
}

/// Runs one tile over the pool.
fn run_tile(key: &dyn CpuKey, tile: &Tile, pool: &mut [u8]) -> Result<(), Failure> {
    let work = Work::try_from(tile)?;
    let (src, dst) = (num::index(tile.src), num::index(tile.dst));
    let len = num::index(u64::from(tile.len));
    let dst_len = num::index(u64::from(tile.dst_len));
    let data = if src == dst {
        Data::InPlace(slice(pool, src, len)?)
    } else {
        // The pool is laid out with all sources before all destinations.
        let (low, high) = pool.split_at_mut_checked(dst).ok_or_else(outside)?;
        Data::Apart {
            src: slice(low, src, len)?,
            dst: slice(high, 0, dst_len)?,
        }
    };
    key.run(&work, data)?;
    Ok(())
}

/// A tile that does not lie in the pool.
fn outside() -> Failure {
    Failure::Impossible("a tile lies outside the pool".into())
}

/// Part of the pool.
fn slice(pool: &mut [u8], at: usize, len: usize) -> Result<&mut [u8], Failure> {
    pool.get_mut(at..at + len).ok_or_else(outside)
}

/// Fisher and Yates' shuffle by a small linear congruential generator.
fn shuffle<T>(items: &mut [T], seed: u64) {
    if seed == 0 {
        return;
    }
    let mut state = seed;
    for at in (1..items.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        items.swap(at, num::index(state >> 33) % (at + 1));
    }
}
