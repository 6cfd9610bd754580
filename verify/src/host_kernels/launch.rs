//! One launch of one kernel: schedules, tiles and spans as a backend makes them, and what must be true
//! afterwards besides the outputs.
#![allow(unsafe_code)]

use kgpu_core::abi;
use kgpu_core::algorithm::{Algorithm, Output};
use kgpu_core::device::{
    Args, CELL_BYTES, Code, Entry, Grain, HEADER_WORDS, Header, Span, Stats, Tile, plan,
};
use kgpu_core::iv;
use kgpu_core::num;
use kgpu_core::tiling::{Place, Tiles};
use zerocopy::{FromBytes, IntoBytes};

use super::arena::{Arena, Buffer, Layout, POISON};
use super::batch::{Batch, Request};
use crate::Failure;
use crate::failure::same;

/// Generation of the first key; each has another.
const GENERATION: u32 = 7;

/// All buffers of a launch.
struct Buffers {
    /// Schedules, in the order of the keys.
    schedules: Vec<Buffer>,
    /// Source and destination of each request, the same in place.
    data: Vec<(Buffer, Buffer)>,
    scratch: Buffer,
}

/// Whether a request's output goes over its input.
const fn in_place(entry: &Entry, algorithm: &Algorithm, request: &Request) -> bool {
    entry.in_place && request.in_place && matches!(algorithm.output, Output::SameAsInput)
}

/// The generation of a key.
fn generation(key: usize) -> u32 {
    num::low32(key as u64).wrapping_add(GENERATION)
}

/// Runs a batch on a kernel: the outputs, `None` where the key was stale and nothing was written.
///
/// # Errors
/// What cannot be run, and what a kernel did besides its outputs.
pub(super) fn run(
    batch: &Batch,
    code: &Code,
    entry: &Entry,
) -> Result<Vec<Option<Vec<u8>>>, Failure> {
    let impossible = |why: String| Failure::Impossible(format!("{}: {why}", entry.name));
    let mut layout = Layout::default();
    let schedule_bytes = code.schedule_words * size_of::<u32>();
    let schedules: Vec<_> = (batch.keys.iter().map(|_| layout.add(schedule_bytes, 0))).collect();
    let mut data = Vec::new();
    for request in &batch.requests {
        let [before_src, before_dst] = request.misplaced;
        let src = layout.add(request.input.len(), before_src);
        let dst = if in_place(entry, batch.algorithm, request) {
            src
        } else {
            let len = num::index(request.shape.output_len(batch.algorithm)?.into());
            layout.add(len, before_dst)
        };
        data.push((src, dst));
    }

    // The schedules' base is the arena's start, so that keys lie at any cell.
    let mut tiles = tiles(batch, entry, &schedules, &data)?;
    let block = u32::from(batch.algorithm.block_size);
    let totals = plan::items(&mut tiles, entry.grain, entry.scratch, block)
        .map_err(|error| impossible(error.to_string()))?;
    let mut spans = vec![Span::default(); tiles.len() + num::index(batch.blocks.into())];
    let warps = entry.threads / 32;
    let count = plan::spans(
        &tiles,
        &totals,
        entry.scratch,
        batch.blocks,
        warps,
        &mut spans,
    )
    .map_err(|error| impossible(error.to_string()))?;
    spans.truncate(count);

    let scratch = layout.add(num::index((totals.scratch_cells * CELL_BYTES).into()), 0);
    let buffers = Buffers {
        schedules,
        data,
        scratch,
    };
    let mut arena = layout.arena();
    for (index, key) in batch.keys.iter().enumerate() {
        let bytes = arena.bytes(buffers.schedules[index])?;
        expand(batch, code, index, key, bytes)?;
    }
    for (request, (src, _)) in batch.requests.iter().zip(&buffers.data) {
        arena.bytes(*src)?.copy_from_slice(&request.input);
    }

    let mut stats = Stats::default();
    let base = arena.expose();
    for tile in &mut tiles {
        tile.src += base;
        tile.dst += base;
    }
    let at = |address: u64| core::ptr::with_exposed_provenance_mut::<u8>(num::index(address));
    let args = Args {
        tiles: tiles.as_ptr(),
        spans: spans.as_ptr(),
        span_count: num::low32(spans.len() as u64),
        keys: at(base),
        scratch: at(buffers.scratch.address(base)),
        stats: &raw mut stats,
    };
    // SAFETY: the tiles' buffers, the schedules and the scratch memory lie in the arena, which no
    // reference points into now; tiles and spans are laid out for the entry; all live until it returns.
    unsafe { (entry.host)(entry, batch.blocks, &args) };

    check_stats(batch, &spans, &stats).map_err(impossible)?;
    let mut outputs = Vec::new();
    for (request, (src, dst)) in batch.requests.iter().zip(&buffers.data) {
        let stale = batch.stale == Some(request.key);
        let over = src.address(0) == dst.address(0);
        if stale || !over {
            let what = || format!("{}: the source of {request:?}", entry.name);
            same(what, arena.bytes(*src)?, &request.input)?;
        }
        let output = arena.bytes(*dst)?.to_vec();
        if stale && !over && output.iter().any(|byte| *byte != POISON) {
            return Err(impossible(format!("wrote under a stale key: {request:?}")));
        }
        outputs.push((!stale).then_some(output));
    }
    check_guards(&mut arena, &buffers)?;
    Ok(outputs)
}

/// The kernel must have told of all items, or of the spans that it left out.
fn check_stats(batch: &Batch, spans: &[Span], stats: &Stats) -> Result<(), String> {
    let stale = batch.stale.map(generation);
    let (mut expected, mut left_out) = (0, 0);
    for span in spans {
        if Some(span.generation) == stale {
            left_out += 1;
        } else {
            expected += span.items;
        }
    }
    if (stats.items, stats.stale) == (expected, left_out) {
        return Ok(());
    }
    Err(format!(
        "told of {stats:?}, not of {expected} items and {left_out} stale spans: {batch:?}"
    ))
}

/// Nothing but buffers may have been written.
fn check_guards(arena: &mut Arena, buffers: &Buffers) -> Result<(), Failure> {
    let data = buffers.data.iter().flat_map(|(src, dst)| [*src, *dst]);
    let all: Vec<_> = (buffers.schedules.iter().copied())
        .chain(data)
        .chain([buffers.scratch])
        .collect();
    arena.check_guards(&all)
}

/// Writes a key's schedule, header and all.
fn expand(
    batch: &Batch,
    code: &Code,
    index: usize,
    key: &[u8],
    bytes: &mut [u8],
) -> Result<(), Failure> {
    let unlike = || Failure::Impossible("the arena is not made of words".into());
    let words = <[u32]>::mut_from_bytes(bytes).map_err(|_| unlike())?;
    let (head, body) = words
        .split_at_mut_checked(HEADER_WORDS)
        .ok_or_else(unlike)?;
    (code.schedule)(key, body)?;
    let stale = u32::from(batch.stale == Some(index));
    let header = Header {
        // Another generation than the tiles ask for, and no other key's either.
        generation: generation(index).wrapping_sub(stale << 16),
        algorithm: batch.algorithm.id.0.into(),
        key_len: num::low32(key.len() as u64),
        reserved: 0,
    };
    head.as_mut_bytes().copy_from_slice(header.as_bytes());
    Ok(())
}

/// The tiles of all requests, by key; addresses count from the arena's start.
fn tiles(
    batch: &Batch,
    entry: &Entry,
    schedules: &[Buffer],
    data: &[(Buffer, Buffer)],
) -> Result<Vec<Tile>, Failure> {
    let mut tiles = Vec::new();
    for (key, schedule) in schedules.iter().enumerate() {
        let of_key = batch.requests.iter().zip(data);
        for (request, (src, dst)) in of_key.filter(|(request, _)| request.key == key) {
            request.shape.check(batch.algorithm)?;
            let place = Place {
                src: src.address(0),
                dst: dst.address(0),
                key_slot: 0,
                key_generation: generation(key),
            };
            let read = |at: u32, to: &mut [u8]| {
                let at = num::index(at.into());
                if let Some(from) = request.input.get(at..at + to.len()) {
                    to.copy_from_slice(from);
                }
            };
            let cut = Tiles::new(
                batch.algorithm,
                request.shape,
                place,
                batch.tile_bytes,
                read,
            );
            for tile in cut {
                let cell = num::low32(schedule.address(0) / u64::from(CELL_BYTES));
                lay_out(batch.algorithm, entry, &tile, cell, &mut tiles);
            }
        }
    }
    Ok(tiles)
}

/// A tile of a request as the device's tile, or as one for each of its units.
fn lay_out(
    algorithm: &Algorithm,
    entry: &Entry,
    tile: &abi::Tile,
    key: u32,
    tiles: &mut Vec<Tile>,
) {
    let words = |iv: [u8; 16]| {
        let (chunks, _) = iv.as_chunks::<4>();
        core::array::from_fn(|word| {
            chunks
                .get(word)
                .map_or(0, |bytes| u32::from_le_bytes(*bytes))
        })
    };
    let unit = tile.data_unit_size.min(tile.len);
    let whole = Tile {
        src: tile.src,
        dst: tile.dst,
        iv: words(tile.iv),
        len: tile.len,
        unit,
        first_block: tile.first_block,
        key,
        generation: tile.key_generation,
        iv_step: tile.iv_step.into(),
        ..Tile::default()
    };
    if entry.grain == Grain::Units || plan::countable(tile.len, unit) {
        tiles.push(whole);
        return;
    }
    let step = abi::IvStep::try_from(tile.iv_step).unwrap_or(abi::IvStep::None);
    for number in 0..tile.len.div_ceil(unit) {
        let offset = number * unit;
        let len = unit.min(tile.len - offset);
        tiles.push(Tile {
            src: whole.src + u64::from(offset),
            dst: whole.dst + u64::from(offset),
            iv: words(iv::step(&tile.iv, algorithm.iv_size(), step, number.into())),
            len,
            unit: len,
            iv_step: 0,
            ..whole
        });
    }
}
