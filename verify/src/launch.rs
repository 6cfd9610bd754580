//! Runs requests on something that computes tiles over a pool, without a ring: a whole batch lies in
//! one pool and all its tiles of one algorithm and operation, of many requests and keys, are one
//! launch. The CPU path is such a thing, and so are a GPU's kernels when they run on the host.

use kgpu_core::abi::{Op, Tile};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::cpu::{CpuKey, Data, Work};
use kgpu_core::num;
use kgpu_core::tiling::{Place as TilePlace, Tiles};

use crate::Failure;
use crate::arena::{Arena, Place};
use crate::request::Request;
use crate::rng::Rng;
use crate::runner::{Ran, RunError, Runner};

/// Bytes of the pool.
const POOL: usize = 16 << 20;

/// Generation that every key of a launch has.
pub const GENERATION: u32 = 1;

/// Computes tiles over a pool.
pub trait Launcher {
    /// The backend's name.
    fn backend(&self) -> &str;

    /// Computes tiles of one algorithm and operation, in any order. Offsets in them are the pool's,
    /// of any alignment; a tile's `key_slot` counts in `keys`, and its `key_generation` is
    /// [`GENERATION`]. For each tile `computed` has a place, to be set to 1 by whatever computes it,
    /// and set by nothing else: that is the proof.
    ///
    /// # Errors
    /// Why it could not, in words; the requests of all these tiles have failed then.
    fn launch(
        &mut self,
        algorithm: &'static Algorithm,
        op: Op,
        keys: &[&[u8]],
        tiles: &[Tile],
        pool: &mut [u8],
        computed: &mut [u32],
    ) -> Result<(), String>;
}

/// The runner of a launcher.
#[derive(Debug)]
pub struct Launched<L> {
    launcher: L,
    pool: Vec<u8>,
}

/// One launch's tiles, and the request that each is of.
#[derive(Debug)]
struct Group<'a> {
    algorithm: &'static Algorithm,
    op: Op,
    keys: Vec<&'a [u8]>,
    tiles: Vec<(Tile, usize)>,
}

/// How a request fared.
#[derive(Clone, Debug, Default)]
struct Fate {
    proven: u32,
    failed: Option<String>,
}

impl<L: Launcher> Launched<L> {
    /// The runner of `launcher`.
    pub fn new(launcher: L) -> Self {
        Self {
            launcher,
            pool: vec![0; POOL],
        }
    }

    /// Runs placed requests in as many launches as there are algorithms and operations.
    fn launch(&mut self, placed: &[(&Request, Place)]) -> Vec<Fate> {
        let mut fates = vec![Fate::default(); placed.len()];
        for mut group in groups(placed) {
            shuffle(&mut group.tiles, placed);
            let tiles: Vec<Tile> = group.tiles.iter().map(|(tile, _)| *tile).collect();
            let mut computed = vec![0; tiles.len()];
            let outcome = self.launcher.launch(
                group.algorithm,
                group.op,
                &group.keys,
                &tiles,
                &mut self.pool,
                &mut computed,
            );
            for ((_, of), computed) in group.tiles.iter().zip(computed) {
                if let Some(fate) = fates.get_mut(*of) {
                    fate.proven += computed;
                    if let Err(why) = &outcome {
                        fate.failed = Some(why.clone());
                    }
                }
            }
        }
        fates
    }
}

/// Sorts the tiles of placed requests by algorithm and operation, and numbers the keys.
fn groups<'a>(placed: &[(&'a Request, Place)]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (of, (request, place)) in placed.iter().enumerate() {
        let (algorithm, op) = (request.algorithm, request.shape.op);
        let same = |group: &Group<'_>| group.algorithm.id == algorithm.id && group.op == op;
        let at = groups.iter().position(same).unwrap_or_else(|| {
            groups.push(Group {
                algorithm,
                op,
                keys: Vec::new(),
                tiles: Vec::new(),
            });
            groups.len() - 1
        });
        let Some(group) = groups.get_mut(at) else {
            continue;
        };
        let key = &request.key[..];
        let slot = group.keys.iter().position(|known| *known == key);
        let slot = slot.unwrap_or_else(|| {
            group.keys.push(key);
            group.keys.len() - 1
        });
        let cut = cut(request, place, slot);
        group.tiles.extend(cut.into_iter().map(|tile| (tile, of)));
    }
    groups
}

/// The tiles of a request.
fn cut(request: &Request, place: &Place, slot: usize) -> Vec<Tile> {
    let read = |at: u32, to: &mut [u8]| {
        let at = num::index(u64::from(at));
        if let Some(from) = request.input.get(at..at + to.len()) {
            to.copy_from_slice(from);
        }
    };
    let keyed = request.algorithm.has_key();
    let place = TilePlace {
        src: u64::try_from(place.src).unwrap_or(u64::MAX),
        dst: u64::try_from(place.dst).unwrap_or(u64::MAX),
        key_slot: if keyed {
            u32::try_from(slot).unwrap_or(u32::MAX)
        } else {
            0
        },
        key_generation: if keyed { GENERATION } else { 0 },
    };
    Tiles::new(
        request.algorithm,
        request.shape,
        place,
        request.tile_bytes,
        read,
    )
    .collect()
}

/// Puts tiles in an order that the requests' seeds decide: Fisher and Yates.
fn shuffle(tiles: &mut [(Tile, usize)], placed: &[(&Request, Place)]) {
    let seeds: Vec<u64> = placed.iter().map(|(request, _)| request.seed).collect();
    let mut rng = Rng::of(&seeds);
    for at in (1..tiles.len()).rev() {
        let bound = u32::try_from(at + 1).unwrap_or(u32::MAX);
        tiles.swap(at, num::index(u64::from(rng.below(bound))));
    }
}

impl<L: Launcher> Runner for Launched<L> {
    fn backend(&self) -> &str {
        self.launcher.backend()
    }

    fn run(
        &mut self,
        requests: &[&Request],
        done: &mut dyn FnMut(usize, Ran<'_>),
    ) -> Result<(), RunError> {
        let mut at = 0;
        while at < requests.len() {
            let mut arena = Arena::new(self.pool.len());
            let rest = requests.iter().skip(at);
            let placed: Vec<(&Request, Place)> = rest
                .map_while(|request| Some((*request, arena.place(request)?)))
                .collect();
            if placed.is_empty() {
                return Err(RunError("a request does not fit into the pool".into()));
            }
            for (request, place) in &placed {
                if let Some(window) = self.pool.get_mut(place.window.clone()) {
                    place.write(request, window);
                }
            }
            let fates = self.launch(&placed);
            for ((request, place), fate) in placed.iter().zip(fates) {
                let window = self.pool.get(place.window.clone()).unwrap_or_default();
                match (fate.failed, place.read(request, window)) {
                    (None, Ok(output)) => done(
                        at,
                        Ran::Done {
                            output,
                            proven: fate.proven,
                        },
                    ),
                    (Some(why), _) | (None, Err(why)) => done(at, Ran::Failed(&why)),
                }
                at += 1;
            }
        }
        Ok(())
    }
}

/// The CPU path, tile by tile.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuPath;

impl Launcher for CpuPath {
    fn backend(&self) -> &str {
        "cpu path"
    }

    fn launch(
        &mut self,
        algorithm: &'static Algorithm,
        _: Op,
        keys: &[&[u8]],
        tiles: &[Tile],
        pool: &mut [u8],
        computed: &mut [u32],
    ) -> Result<(), String> {
        let expand = |key: &&[u8]| (algorithm.cpu)(key);
        let keys: Vec<Box<dyn CpuKey>> = keys
            .iter()
            .map(expand)
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        for (tile, computed) in tiles.iter().zip(computed) {
            let slot = num::index(u64::from(tile.key_slot));
            let key = keys.get(slot).ok_or("a tile names no key")?;
            run_tile(key.as_ref(), tile, pool).map_err(|failure| failure.to_string())?;
            *computed = 1;
        }
        Ok(())
    }
}

/// Runs one tile over a pool, source and destination in either order.
fn run_tile(key: &dyn CpuKey, tile: &Tile, pool: &mut [u8]) -> Result<(), Failure> {
    let work = Work::try_from(tile)?;
    let (src, dst) = (num::index(tile.src), num::index(tile.dst));
    let len = num::index(u64::from(tile.len));
    let dst_len = num::index(u64::from(tile.dst_len));
    let outside = || Failure::Impossible("a tile lies outside the pool".into());
    let data = if src == dst {
        Data::InPlace(pool.get_mut(src..src + len).ok_or_else(outside)?)
    } else {
        let (low, high) = pool
            .split_at_mut_checked(src.max(dst))
            .ok_or_else(outside)?;
        let (source, target) = if src < dst {
            (low.get_mut(src..src + len), high.get_mut(..dst_len))
        } else {
            (high.get_mut(..len), low.get_mut(dst..dst + dst_len))
        };
        Data::Apart {
            src: source.ok_or_else(outside)?,
            dst: target.ok_or_else(outside)?,
        }
    };
    key.run(&work, data)?;
    Ok(())
}
