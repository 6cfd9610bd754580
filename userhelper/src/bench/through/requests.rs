//! Requests made ready once and handed over again and again: their submissions, their tiles, and
//! where their bytes lie in the pool.

use kgpu_core::abi::{Layout, RingSizes, Submission, Tile};
use kgpu_core::algorithm::Output;
use kgpu_core::num::index;
use kgpu_core::runs::GRANULE;
use kgpu_core::tiling::{self, Place, Tiles};

use super::super::subject::Subject;
use super::error::Broken;
use super::material::{Kind, Material};
use crate::region::Lane;

/// What lies in a result's place until the result does.
const POISON: u8 = 0xa5;

/// Where the buffers of a case lie: all sources side by side, then all results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    stride: u64,
    out_stride: u64,
    results_at: u64,
    out_len: u32,
}

impl Places {
    /// The places of `depth` requests of `size` bytes.
    #[must_use]
    pub fn new(subject: &Subject, size: u32, depth: u32, in_place: bool) -> Self {
        let out_len = subject
            .shape(size, 0)
            .output_len(subject.algorithm)
            .unwrap_or(u32::MAX);
        let granules = |bytes: u32| u64::from(bytes).next_multiple_of(u64::from(GRANULE));
        let in_place = in_place && subject.algorithm.output == Output::SameAsInput;
        let stride = granules(size);
        Self {
            stride,
            out_stride: granules(out_len),
            results_at: if in_place {
                0
            } else {
                u64::from(depth) * stride
            },
            out_len,
        }
    }

    /// Bytes of the pool that each request takes.
    #[must_use]
    pub const fn each(&self) -> u64 {
        let out = if self.results_at == 0 {
            0
        } else {
            self.out_stride
        };
        self.stride + out
    }

    fn src(&self, request: usize) -> u64 {
        u64::try_from(request).unwrap_or(u64::MAX) * self.stride
    }

    fn dst(&self, request: usize) -> u64 {
        self.results_at + u64::try_from(request).unwrap_or(u64::MAX) * self.out_stride
    }

    const fn in_place(&self) -> bool {
        self.results_at == 0
    }
}

/// What a case needs of a region.
#[must_use]
pub fn sizes(
    subject: &Subject,
    size: u32,
    depth: u32,
    tile_bytes: u32,
    in_place: bool,
) -> RingSizes {
    let places = Places::new(subject, size, depth, in_place);
    let shape = subject.shape(size, 0);
    RingSizes {
        entries: depth.next_power_of_two().max(2),
        tiles: tiling::count(subject.algorithm, &shape, tile_bytes).saturating_mul(depth),
        keys: 1,
        pool_bytes: places.each() * u64::from(depth),
    }
}

/// One request, ready to be handed over.
#[derive(Debug)]
pub struct Request {
    /// The submission but for its number.
    pub submission: Submission,
    /// Its tiles, in [`Requests::tiles`].
    pub tiles: std::ops::Range<usize>,
}

/// A case's requests.
#[derive(Debug)]
pub struct Requests<'a> {
    /// Them.
    pub list: Vec<Request>,
    /// The tiles of all; their places in the tile table are the same.
    pub tiles: Vec<Tile>,
    /// Bytes of each source.
    pub size: u32,
    material: &'a Material,
    places: Places,
}

/// The key slot and generation of a subject.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyPlace {
    /// The slot.
    pub slot: u32,
    /// Its generation.
    pub generation: u32,
}

impl<'a> Requests<'a> {
    /// `depth` requests of a subject; `layout` has room for them.
    ///
    /// # Errors
    /// When the algorithm has no such requests.
    pub fn new(
        subject: &Subject,
        material: &'a Material,
        places: Places,
        depth: u32,
        key: KeyPlace,
        tile_bytes: u32,
        session: u32,
    ) -> Result<Self, Broken> {
        let algorithm = subject.algorithm;
        let mut this = Self {
            list: Vec::new(),
            tiles: Vec::new(),
            size: material.of(0).shape.len,
            material,
            places,
        };
        for request in 0..index(u64::from(depth)) {
            let Kind { shape, source, .. } = material.of(request);
            let place = Place {
                src: places.src(request),
                dst: places.dst(request),
                key_slot: key.slot,
                key_generation: key.generation,
            };
            let read = |at: u32, to: &mut [u8]| {
                let from = source.iter().skip(index(u64::from(at)));
                for (to, from) in to.iter_mut().zip(from) {
                    *to = *from;
                }
            };
            let first = this.tiles.len();
            this.tiles
                .extend(Tiles::new(algorithm, *shape, place, tile_bytes, read));
            let tiles = first..this.tiles.len();
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            this.list.push(Request {
                submission: Submission {
                    request: 0,
                    session,
                    tile_first: number(first),
                    tile_count: number(tiles.len()),
                    bytes: shape.len,
                    written_len: shape.output_len(algorithm).map_err(Broken::Shape)?,
                    algorithm: algorithm.id.0,
                    op: shape.op.code(),
                    flags: 0,
                },
                tiles,
            });
        }
        Ok(this)
    }

    /// Bytes of results that [`Requests::compare`] looks at.
    #[must_use]
    pub fn result_bytes(&self) -> u64 {
        u64::from(self.places.out_len) * u64::try_from(self.list.len()).unwrap_or(0)
    }

    /// Whether results replace their sources.
    #[must_use]
    pub const fn in_place(&self) -> bool {
        self.places.in_place()
    }

    /// Writes every source, and poison where the results belong.
    ///
    /// # Errors
    /// When the pool can't lend the bytes.
    pub fn write(&self, lane: &mut Lane) -> Result<(), Broken> {
        for request in 0..self.list.len() {
            let source = &self.material.of(request).source;
            lane.write(self.places.src(request), self.size, |to| {
                to.copy_from_slice(source);
            })?;
        }
        if !self.in_place() {
            self.poison(lane)?;
        }
        Ok(())
    }

    /// Writes poison where the results belong.
    ///
    /// # Errors
    /// When the pool can't lend the bytes.
    pub fn poison(&self, lane: &mut Lane) -> Result<(), Broken> {
        for request in 0..self.list.len() {
            let dst = self.places.dst(request);
            lane.write(dst, self.places.out_len, |to| to.fill(POISON))?;
        }
        Ok(())
    }

    /// Compares every result with the CPU path's.
    ///
    /// # Errors
    /// [`Broken::Wrong`].
    pub fn compare(&self, lane: &mut Lane) -> Result<(), Broken> {
        for request in 0..self.list.len() {
            let expected = &self.material.of(request).expected;
            let wrong = lane.read(
                self.places.dst(request),
                self.places.out_len,
                |out| match out == expected {
                    true => None,
                    false => Some(out.iter().zip(expected).take_while(|(a, b)| a == b).count()),
                },
            )?;
            if let Some(at) = wrong {
                return Err(Broken::Wrong { request, at });
            }
        }
        Ok(())
    }
}

/// The region that holds any of several cases, one at a time.
///
/// # Errors
/// [`Broken::Layout`].
pub fn layout(cases: impl Iterator<Item = RingSizes>, keys: u32) -> Result<Layout, Broken> {
    let none = RingSizes {
        entries: 2,
        tiles: 1,
        keys: keys.max(1),
        pool_bytes: kgpu_core::abi::PAGE,
    };
    let most = cases.fold(none, |most, case| RingSizes {
        entries: most.entries.max(case.entries),
        tiles: most.tiles.max(case.tiles),
        keys: most.keys,
        pool_bytes: most
            .pool_bytes
            .max(case.pool_bytes.next_multiple_of(kgpu_core::abi::PAGE)),
    });
    Layout::new(most).map_err(Broken::Layout)
}
