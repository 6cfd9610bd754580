//! A device laid out for measuring: a source and a result in its memory, a registered pool on the host,
//! and room for what launches read. Launches, copies and their times; no cipher here.
#![allow(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use kgpu_core::algorithm::Algorithm;
use kgpu_core::device::{Args, Card, Entry, Stats};
use kgpu_core::num::index;
use zerocopy::{FromBytes, IntoBytes};

use super::work::{Work, layout};
use crate::backend::gpu::{Address, Device, DeviceError, Opener, Queue};
use crate::region::{Lane, Region, Window};

/// The queue of launches and of copies to the device.
const IN: Queue = 0;
/// The queue of copies to the host.
const OUT: Queue = 1;
/// Launches or copies of a run at least and at most.
const TIMES: (u32, u32) = (3, 20_000);

/// Device memory that grows when more is needed.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    at: Address,
    bytes: usize,
}

/// Where a launch's structures lie on the device.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    entry: &'static Entry,
    blocks: u32,
    args: Args,
    items: u32,
}

/// What is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the device.
    In,
    /// To the host.
    Out,
    /// Both at once, as many bytes each.
    Both,
}

/// The device.
///
/// # Invariants
/// `source` and `result` are `bytes` bytes of device memory each; the first half of the pool is copied
/// from, the second copied to; every queue is empty between two calls.
#[derive(Debug)]
pub struct Bed {
    lane: Lane,
    window: Window,
    /// The pool as kernels see it.
    direct: Address,
    source: Address,
    result: Address,
    bytes: u64,
    /// Tiles, spans, schedules, scratch, stats.
    rooms: [Room; 5],
    // Last: the memory is its own.
    device: Box<dyn Device>,
}

impl Bed {
    /// Opens a device with room for `bytes` bytes of source and of result, and a pool of `host` bytes.
    /// Less where the device has less memory.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn open(
        opener: &dyn Opener,
        algorithms: &[&'static Algorithm],
        bytes: u64,
        host: u64,
    ) -> Result<Self, DeviceError> {
        let none = |why: &str| DeviceError::new("making a pool", why);
        let layout = layout(host).ok_or_else(|| none("4 GiB or more"))?;
        let region = Region::in_process(layout, 1, 1).map_err(|e| none(&e.to_string()))?;
        let region = Arc::new(region);
        let lane = Lane::take(&region).ok_or_else(|| none("no lane"))?;
        let mut device = opener.open(algorithms)?;
        device.enter()?;
        device.queues(2)?;
        let direct = device.register(Window::new(&region))?;
        // Tiles, spans and scratch need room too.
        let most = (device.free_memory()? / 5 * 2).max(1 << 20);
        let mut fitting = bytes;
        while fitting > most {
            fitting /= 2;
        }
        let source = device.allocate(index(fitting))?;
        let result = device.allocate(index(fitting))?;
        Ok(Self {
            lane,
            window: Window::new(&region),
            direct,
            source,
            result,
            bytes: fitting,
            rooms: [Room::default(); 5],
            device,
        })
    }

    /// Bytes of the source.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of the pool's half.
    #[must_use]
    pub fn half(&self) -> u64 {
        u64::try_from(self.window.len() / 2).unwrap_or(0)
    }

    /// The source and the result in the device's memory.
    #[must_use]
    pub const fn resident(&self) -> (Address, Address) {
        (self.source, self.result)
    }

    /// The halves of the pool, as kernels see them.
    #[must_use]
    pub fn on_host(&self) -> (Address, Address) {
        (self.direct, self.direct + self.half())
    }

    /// What the device can do.
    #[must_use]
    pub fn card(&self) -> Card {
        self.device.card()
    }

    /// Blocks of a kernel that run at the same time.
    #[must_use]
    pub fn blocks(&self, entry: &Entry) -> u32 {
        self.device.blocks(entry)
    }

    fn span(what: &'static str) -> impl FnOnce(crate::region::SpanError) -> DeviceError {
        move |error| DeviceError::new(what, error.to_string())
    }

    /// Writes bytes into the first half of the pool, from its start.
    ///
    /// # Errors
    /// [`DeviceError`]: there are more bytes than that.
    pub fn write_host(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let write = |to: &mut [u8]| to.copy_from_slice(bytes);
        let written = self.lane.write(0, len, write);
        written.map_err(Self::span("writing to the pool"))
    }

    /// Fills the source with a pattern, again and again.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn fill(&mut self, pattern: &[u8]) -> Result<(), DeviceError> {
        self.write_host(pattern)?;
        let mut at = 0;
        while at < self.bytes {
            let len = u64::try_from(pattern.len())
                .unwrap_or(0)
                .min(self.bytes - at);
            // SAFETY: bytes of the pool just written, and of the source; nothing else uses either
            // until the queue is empty again.
            unsafe {
                let from = self.window.base().as_ptr().cast_const();
                self.device
                    .copy_in(IN, self.source + at, from, index(len))?;
            }
            at += len;
        }
        self.device.finish(IN)
    }

    /// Zeroes the result and the pool's second half.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn wipe(&mut self) -> Result<(), DeviceError> {
        // SAFETY: the result's own bytes; every queue is empty.
        unsafe { self.device.clear(IN, self.result, index(self.bytes)) }?;
        self.device.finish(IN)?;
        let (half, len) = (self.half(), u32::try_from(self.half()).unwrap_or(u32::MAX));
        let wiped = self.lane.write(half, len, |bytes| bytes.fill(0));
        wiped.map_err(Self::span("wiping the pool"))
    }

    /// Looks at bytes of the result in the device's memory, at most the pool's half of them.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn result<R>(
        &mut self,
        at: u64,
        len: u32,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, DeviceError> {
        let half = self.half();
        if u64::from(len) > half || at + u64::from(len) > self.bytes {
            return Err(DeviceError::new("looking at a result", "no such bytes"));
        }
        // SAFETY: bytes of the result and of the pool's second half (just checked); every queue is empty.
        unsafe {
            let to = self.window.base().as_ptr().add(index(half));
            self.device
                .copy_out(OUT, to, self.result + at, index(u64::from(len)))?;
        }
        self.device.finish(OUT)?;
        self.host_result(0, len, look)
    }

    /// Looks at bytes of the pool's second half.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn host_result<R>(
        &mut self,
        at: u64,
        len: u32,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, DeviceError> {
        let seen = self.lane.read(self.half() + at, len, look);
        seen.map_err(Self::span("looking at a result"))
    }

    /// Room for `bytes` bytes.
    fn room(&mut self, number: usize, bytes: usize) -> Result<Address, DeviceError> {
        let missing = || DeviceError::new("finding room", "no such room");
        let room = self.rooms.get(number).copied().ok_or_else(missing)?;
        if room.at != 0 && room.bytes >= bytes {
            return Ok(room.at);
        }
        let bytes = bytes.next_power_of_two();
        let at = self.device.allocate(bytes)?;
        if let Some(room) = self.rooms.get_mut(number) {
            *room = Room { at, bytes };
        }
        Ok(at)
    }

    /// Puts bytes into a room.
    fn put(&mut self, number: usize, bytes: &[u8]) -> Result<Address, DeviceError> {
        let to = self.room(number, bytes.len())?;
        let mut at = to;
        for part in bytes.chunks(index(self.half()).max(1)) {
            self.write_host(part)?;
            // SAFETY: bytes of the pool just written, and of the room, which has as many; every queue is
            // empty.
            unsafe {
                let from = self.window.base().as_ptr().cast_const();
                self.device.copy_in(IN, at, from, part.len())?;
            }
            self.device.finish(IN)?;
            at += u64::try_from(part.len()).unwrap_or(0);
        }
        Ok(to)
    }

    /// Puts a launch's structures on the device. The pool's first half is lost.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn load(&mut self, work: &Work) -> Result<Loaded, DeviceError> {
        let tiles = self.put(0, work.tiles.as_bytes())?;
        let spans = self.put(1, work.spans.as_bytes())?;
        let keys = self.put(2, &work.schedules)?;
        let scratch = self.room(3, 16 * index(u64::from(work.totals.scratch_cells)).max(1))?;
        let stats = self.room(4, size_of::<Stats>())?;
        let at = |address| std::ptr::with_exposed_provenance_mut::<u8>(index(address));
        Ok(Loaded {
            entry: work.entry,
            blocks: work.blocks,
            args: Args {
                tiles: at(tiles).cast_const().cast(),
                spans: at(spans).cast_const().cast(),
                span_count: u32::try_from(work.spans.len()).unwrap_or(u32::MAX),
                keys: at(keys).cast_const(),
                scratch: at(scratch),
                stats: at(stats).cast(),
            },
            items: work.totals.items,
        })
    }

    /// Launches `times` times, one after the other. The result is the time until the last is done.
    ///
    /// # Errors
    /// [`DeviceError`]: the driver's, or a kernel counted other items than its launch has.
    pub fn launch(&mut self, loaded: &Loaded, times: u32) -> Result<Duration, DeviceError> {
        let stats = self.rooms.last().copied().unwrap_or_default().at;
        // SAFETY: the stats' own room; every queue is empty.
        unsafe { self.device.clear(IN, stats, size_of::<Stats>()) }?;
        self.device.finish(IN)?;
        let start = Instant::now();
        for _ in 0..times {
            // SAFETY: tiles and spans were laid out for this entry by `plan` (`Work`) and are in their
            // rooms, as are schedules and as many scratch cells as they count; sources and results are
            // `bytes` bytes of the device or a half of the pool, as `Work` was told.
            unsafe {
                self.device
                    .launch(IN, loaded.entry, loaded.blocks, &loaded.args)
            }?;
        }
        self.device.finish(IN)?;
        let elapsed = start.elapsed();
        let mut found = [0; size_of::<Stats>()];
        // SAFETY: the stats and the first bytes of the pool; every queue is empty.
        unsafe {
            let to = self.window.base().as_ptr();
            self.device.copy_out(OUT, to, stats, size_of::<Stats>())?;
        }
        self.device.finish(OUT)?;
        let len = u32::try_from(found.len()).unwrap_or(0);
        self.lane
            .read(0, len, |bytes| found.copy_from_slice(bytes))
            .map_err(Self::span("looking at a launch's counts"))?;
        let found = Stats::read_from_bytes(&found).unwrap_or_default();
        let expected = loaded.items.wrapping_mul(times);
        if found.items != expected || found.stale != 0 {
            return Err(DeviceError::new(
                loaded.entry.name,
                format!(
                    "computed {} of {expected} items, left {} spans out as stale",
                    found.items, found.stale
                ),
            ));
        }
        Ok(elapsed)
    }

    /// Copies half a pool `times` times. The result is the time until the last copy is done.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn copy(&mut self, way: Way, times: u32) -> Result<Duration, DeviceError> {
        let half = index(self.half().min(self.bytes));
        let base = self.window.base().as_ptr();
        let start = Instant::now();
        for _ in 0..times {
            // SAFETY: the first half of the pool to the source, the result to its second half: as many
            // bytes as both have, and no two copies overlap but those of one queue.
            unsafe {
                if way != Way::Out {
                    self.device.copy_in(IN, self.source, base, half)?;
                }
                if way != Way::In {
                    let to = base.add(index(self.half()));
                    self.device.copy_out(OUT, to, self.result, half)?;
                }
            }
        }
        self.device.finish(IN)?;
        self.device.finish(OUT)?;
        Ok(start.elapsed())
    }
}

/// How often to do something that took `once` to fill `duration`.
#[must_use]
pub fn times(once: Duration, duration: Duration) -> u32 {
    let times = duration.as_nanos() / once.as_nanos().max(1);
    u32::try_from(times)
        .unwrap_or(TIMES.1)
        .clamp(TIMES.0, TIMES.1)
}
