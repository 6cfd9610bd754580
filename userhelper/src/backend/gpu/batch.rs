//! A batch: jobs that go through one queue together, laid out as launches. Its memory is made once.
#![allow(unsafe_code)]

use std::ops::Range;

use kgpu_core::device::{Args, Entry, Grain, Span, Stats, Tile, plan};
use kgpu_core::num::index;
use zerocopy::FromBytes;

use super::arena::Arena;
use super::cut::{cut, tiles_of};
use super::device::{Address, Device, DeviceError, Pinned, Queue};
use super::reach::{Ground, Reach, choose, copied, mixed};
use super::runs::Runs;
use super::tuning::GpuTuning;
use crate::job::Job;
use crate::region::Source;

/// Launches of a batch: pairs of algorithm and operation.
const LAUNCHES: usize = 64;
/// Tiles of a batch.
pub(super) const TILES: usize = 8192;
/// Spans of a batch: one for each key, and some for each block that runs.
const SPANS: usize = TILES + (16 << 10);
/// Scratch cells of a launch are that of a batch of data units of 16 bytes, or more.
const SCRATCH_LEAST: usize = 4 << 20;

/// A data unit that one thread computes alone takes a GPU 10 or more times as long as a CPU: longer ones than
/// this...
const SERIAL_UNIT: u32 = 16 << 10;
/// ...are worth it from this many.
const SERIAL_UNITS: u64 = 256;

const STATS: usize = size_of::<Stats>();
const TILE: usize = size_of::<Tile>();
const SPAN: usize = size_of::<Span>();

#[derive(Debug)]
struct Launch {
    entry: &'static Entry,
    blocks: u32,
    tiles: usize,
    spans: usize,
    span_count: u32,
    items: u32,
}

/// A batch's memory, and what is in it.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) queue: Queue,
    pub(super) jobs: Vec<Job>,
    /// Whether sources that are destinations too may be overwritten.
    dirty: bool,
    /// Whether all of it is in the queue.
    marked: bool,
    launches: Vec<Launch>,
    ins: Runs,
    outs: Runs,
    reach: Reach,
    /// The launches' stats, tiles and spans.
    control: Pinned,
    control_at: Address,
    used: usize,
    scratch: Address,
    scratch_cells: usize,
    /// Whether a key's upload may still be going on.
    follows: bool,
}

/// Jobs of one algorithm and operation are neighbours, and among them those of one key.
fn order(job: &Job) -> (usize, u8, u32) {
    let key = job.key.schedule.as_ref();
    let generation = key.map_or(0, super::schedule::Schedule::generation);
    (job.key.index, job.work.op.code(), generation)
}

impl Batch {
    pub(super) fn new(
        device: &mut dyn Device,
        queue: Queue,
        tuning: &GpuTuning,
    ) -> Result<Self, DeviceError> {
        let bytes = LAUNCHES * STATS + TILES * TILE + SPANS * SPAN;
        let scratch = index(tuning.batch_bytes).max(SCRATCH_LEAST) * 2;
        Ok(Self {
            queue,
            jobs: Vec::with_capacity(TILES),
            dirty: false,
            marked: false,
            launches: Vec::with_capacity(LAUNCHES),
            ins: Runs::with_capacity(TILES),
            outs: Runs::with_capacity(TILES),
            reach: Reach::Direct(0),
            control: device.pinned(bytes)?,
            control_at: device.allocate(bytes)?,
            used: 0,
            scratch: device.allocate(scratch)?,
            scratch_cells: scratch / 16,
            follows: false,
        })
    }

    /// Lays the jobs out. Those that the device can't or should not compute go to `refused`.
    pub(super) fn prepare(
        &mut self,
        ground: &Ground,
        device: &dyn Device,
        arena: &mut Arena,
        refused: &mut Vec<Job>,
    ) -> Result<(), DeviceError> {
        if !self.jobs.is_sorted_by_key(order) {
            self.jobs.sort_unstable_by_key(order);
        }
        self.dirty = false;
        self.marked = false;
        self.follows = false;
        self.launches.clear();
        self.gather();
        self.part(refused);
        let Some(reach) = choose(ground, &self.jobs, &self.ins, &self.outs) else {
            refused.append(&mut self.jobs);
            return Ok(());
        };
        self.reach = reach;
        self.used = LAUNCHES * STATS;
        // From the last group, so that removing one leaves the others' places.
        let mut end = self.jobs.len();
        let mut all = true;
        while let Some(last) = end.checked_sub(1).and_then(|at| self.jobs.get(at)) {
            let (algorithm, op, _) = order(last);
            let same = |job: &&Job| (order(job).0, order(job).1) == (algorithm, op);
            let count = self.jobs.iter().take(end).rev().take_while(same).count();
            let group = end - count..end;
            end -= count;
            if !self.lay_out(group.clone(), ground, device, arena)? {
                refused.extend(self.jobs.drain(group));
                all = false;
            }
        }
        if !all {
            self.gather();
        }
        Ok(())
    }

    /// Collects the byte ranges.
    fn gather(&mut self) {
        self.ins.clear();
        self.outs.clear();
        for job in &self.jobs {
            if let Source::Pool(at) = job.span.src {
                self.ins.add(at, job.span.len);
            }
            self.outs.add(job.span.dst, job.span.dst_len);
        }
        self.ins.merge();
        self.outs.merge();
    }

    /// Beside sources of a guest, which kernels reach where they lie and nothing else, has what needs copies done by the
    /// CPU.
    fn part(&mut self, refused: &mut Vec<Job>) {
        if mixed(&self.jobs) {
            refused.extend(self.jobs.extract_if(.., |job| copied(job)));
            self.gather();
        }
    }

    /// Lays one launch out: jobs of one algorithm and operation. `false` when it can't be one.
    fn lay_out(
        &mut self,
        group: Range<usize>,
        ground: &Ground,
        device: &dyn Device,
        arena: &mut Arena,
    ) -> Result<bool, DeviceError> {
        let jobs = self.jobs.get(group).unwrap_or_default();
        let Some((first, code)) = jobs
            .first()
            .and_then(|job| Some((job, job.key.algorithm.device?)))
        else {
            return Ok(false);
        };
        let load = load(jobs);
        let Some(entry) = code.choose(first.work.op, &ground.card, load.bytes, load.keys) else {
            return Ok(false);
        };
        let serial = entry.grain == Grain::Units
            && load.longest_unit > SERIAL_UNIT
            && load.units < SERIAL_UNITS;
        if self.launches.len() == LAUNCHES || (serial && !ground.tuning.everything) {
            return Ok(false);
        }
        let (src, dst) = match self.reach {
            Reach::Mirrors(sources, results) => (sources, results),
            Reach::Direct(pool) => (pool, pool),
        };
        let tiles_at = self.used;
        let most: usize = jobs.iter().map(|job| index(tiles_of(job))).sum();
        // SAFETY: the device lives, and the batch is not in its queue.
        let room = unsafe { self.control.part(tiles_at, most * TILE) };
        let Ok(tiles) = <[Tile]>::mut_from_bytes(room) else {
            return Ok(false);
        };
        let mut used = 0;
        let mut key = None;
        for job in jobs {
            let Some(schedule) = job.key.schedule.as_ref() else {
                return Ok(false);
            };
            let generation = schedule.generation();
            let cell = match key {
                Some((same, cell)) if same == generation => cell,
                _ => {
                    let Some((slot, fresh)) = arena.place(device, schedule)? else {
                        return Ok(false);
                    };
                    self.follows |= fresh;
                    arena.cell(slot)
                }
            };
            key = Some((generation, cell));
            let guest = |address| ground.of_guest(address, job.span.len);
            let Some(src) = job.span.src.address(src, guest) else {
                return Ok(false);
            };
            let tile = Tile {
                src,
                dst: dst + job.span.dst,
                key: cell,
                generation,
                ..Tile::default()
            };
            let Some(count) = cut(job, tile, entry.grain, tiles.get_mut(used..)) else {
                return Ok(false);
            };
            used += count;
        }
        let tiles = tiles.get_mut(..used).unwrap_or_default();
        let block = u32::from(first.key.algorithm.block_size);
        let Ok(totals) = plan::items(tiles, entry.grain, entry.scratch, block) else {
            return Ok(false);
        };
        if index(u64::from(totals.scratch_cells)) > self.scratch_cells {
            return Ok(false);
        }
        // Fewer blocks leave room for another queue's kernel, and load the key's schedule less often.
        let paying = load.bytes / entry.bytes_per_key.max(1);
        let blocks = device
            .blocks(entry)
            .min(u32::try_from(paying.max(1)).unwrap_or(u32::MAX));
        let spans_at = tiles_at + used * TILE;
        let room = index(u64::from(totals.keys) + u64::from(blocks));
        let tiles = tiles_at..spans_at;
        // SAFETY: as above. The tiles are looked at anew with the spans behind them.
        let both = unsafe { self.control.part(tiles_at, used * TILE + room * SPAN) };
        let Some((tiles_bytes, spans_bytes)) = both.split_at_mut_checked(used * TILE) else {
            return Ok(false);
        };
        let (Ok(of), Ok(spans)) = (
            <[Tile]>::ref_from_bytes(tiles_bytes),
            <[Span]>::mut_from_bytes(spans_bytes),
        ) else {
            return Ok(false);
        };
        let warps = entry.threads / 32;
        let Ok(count) = plan::spans(of, &totals, entry.scratch, blocks, warps, spans) else {
            return Ok(false);
        };
        let span_count = u32::try_from(count).unwrap_or(u32::MAX);
        self.launches.push(Launch {
            entry,
            blocks: blocks.min(span_count),
            tiles: tiles.start,
            spans: spans_at,
            span_count,
            items: totals.items,
        });
        self.used = spans_at + count * SPAN;
        Ok(true)
    }

    /// Puts the batch into its queue, its mark behind it.
    pub(super) fn enqueue(
        &mut self,
        ground: &Ground,
        device: &dyn Device,
        arena: &Arena,
    ) -> Result<(), DeviceError> {
        let queue = self.queue;
        if self.follows {
            arena.lead(device, queue)?;
        }
        // SAFETY: the device lives, and the batch is not in its queue yet.
        unsafe { self.control.part(0, LAUNCHES * STATS) }.fill(0);
        let there = self.used <= ground.tuning.control_direct;
        let control = if there {
            self.control.address()
        } else {
            // SAFETY: both are `used` bytes or longer, and the batch's own; nothing touches them until the batch
            // is taken back.
            unsafe { device.copy_in(queue, self.control_at, self.control.base(), self.used) }?;
            self.control_at
        };
        let host = |at: u64| ground.pool.base().as_ptr().wrapping_add(index(at));
        if let Reach::Mirrors(sources, _) = self.reach {
            for (at, len) in self.ins.iter() {
                // SAFETY: bytes of jobs' spans, which lie in the pool, and at the same place in the mirror: jobs
                // in flight have these bytes to themselves (`Window`).
                unsafe { device.copy_in(queue, sources + at, host(at), index(len)) }?;
            }
        } else {
            self.dirty = true;
        }
        for (number, launch) in self.launches.iter().enumerate() {
            let at = |offset: usize| {
                let address = control + u64::try_from(offset).unwrap_or(0);
                std::ptr::with_exposed_provenance_mut::<u8>(index(address))
            };
            let args = Args {
                tiles: at(launch.tiles).cast_const().cast(),
                spans: at(launch.spans).cast_const().cast(),
                span_count: launch.span_count,
                keys: std::ptr::with_exposed_provenance(index(arena.base())),
                scratch: std::ptr::with_exposed_provenance_mut(index(self.scratch)),
                stats: at(number * STATS).cast(),
            };
            // SAFETY: tiles and spans were laid out for this entry by `plan` and are copied before; the tiles'
            // sources and destinations lie in the pool or its mirrors, at the places of checked spans, or sources in
            // registered areas of the guest (`of_guest`), which nobody here writes or refers to; schedules
            // are in the arena, kept by the jobs; there are scratch cells enough (`lay_out`), which launches of
            // one queue use one after the other; the stats are the launch's own.
            unsafe { device.launch(queue, launch.entry, launch.blocks, &args) }?;
        }
        if let Reach::Mirrors(_, results) = self.reach {
            self.dirty = true;
            for (at, len) in self.outs.iter() {
                // SAFETY: as for the copies in; these are destinations.
                unsafe { device.copy_out(queue, host(at), results + at, index(len)) }?;
            }
        }
        if !there {
            // Not counted in the host's memory in the first place: hundreds of additions over the link take as long
            // as a megabyte.
            let stats = self.launches.len() * STATS;
            // SAFETY: as for the control memory's copy in; the queue does it last.
            unsafe { device.copy_out(queue, self.control.base(), self.control_at, stats) }?;
        }
        device.mark(queue)?;
        self.marked = true;
        Ok(())
    }

    /// Whether all of it is in the queue.
    pub(super) const fn is_marked(&self) -> bool {
        self.marked
    }

    /// Whether the device computed all of a batch that its queue is done with.
    pub(super) fn verify(&mut self) -> Result<(), DeviceError> {
        for (number, launch) in self.launches.iter().enumerate() {
            // SAFETY: the device lives and is done with the batch.
            let bytes = unsafe { self.control.part(number * STATS, STATS) };
            let found = Stats::read_from_bytes(bytes).unwrap_or_default();
            if found.items != launch.items || found.stale != 0 {
                return Err(DeviceError::new(
                    launch.entry.name,
                    format!(
                        "computed {} of {} items, left {} spans out as stale",
                        found.items, launch.items, found.stale
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Whether a job's source may be overwritten although the batch failed.
    pub(super) fn spoilt(&self, job: &Job) -> bool {
        // Both lie in the pool, and are the same or apart; or the source is the guest's, and nobody's destination.
        self.dirty && job.span.in_place()
    }
}

/// What is to be spread over a device.
struct Load {
    bytes: u64,
    keys: u32,
    units: u64,
    longest_unit: u32,
}

fn load(jobs: &[Job]) -> Load {
    let mut load = Load {
        bytes: 0,
        keys: 0,
        units: 0,
        longest_unit: 0,
    };
    let mut last = None;
    for job in jobs {
        let unit = job.work.data_unit_size.min(job.span.len).max(1);
        load.bytes += u64::from(job.span.len);
        load.units += u64::from(job.span.len.div_ceil(unit));
        load.longest_unit = load.longest_unit.max(unit);
        let generation = order(job).2;
        if last != Some(generation) {
            last = Some(generation);
            load.keys += 1;
        }
    }
    load
}
