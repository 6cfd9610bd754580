//! The module's side of the ring, inside this process and without a kernel: the same parts of
//! `kgpu-core` that the module uses, around memory of our own. For benchmarks and tests.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kgpu_core::abi::{
    Completion, KEY_BYTES_MAX, KeyEntry, SessionState, Status, Submission, Tile, TileFlags, word,
};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::inflight::{InFlight, Reject, Seat};
use kgpu_core::keytable;
use kgpu_core::num::index;
use kgpu_core::request::{Shape, ShapeError};
use kgpu_core::ring::{CompletionConsumer, RingError, RingPlace, SubmissionProducer};
use kgpu_core::runs::{GRANULE, Run, Runs, words_for};
use kgpu_core::slots::{Found, KeyId, Slot, Slots};
use kgpu_core::tiling::{self, Place, Tiles};
use rustix::io::Errno;

use crate::engine::EngineError;
use crate::region::{Lane, Region, RegionError, SpanError};
use crate::waker::Waker;

/// What can go wrong on the module's side.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// The region could not be made.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// A system call failed.
    #[error("{0}")]
    System(#[from] Errno),
    /// The helper broke the ring.
    #[error("{0}")]
    Ring(RingError),
    /// The helper's completion is not believed.
    #[error("{0}")]
    Reject(Reject),
    /// The request is none of its algorithm's.
    #[error("{0}")]
    Shape(ShapeError),
    /// The bytes can't be had.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// The helper's side could not be started, or broke.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A thread could not be started.
    #[error("{0}")]
    Thread(#[from] std::io::Error),
    /// The helper's dispatcher panicked.
    #[error("the dispatcher panicked")]
    Panicked,
    /// There are not enough pool bytes.
    #[error("the pool is full")]
    PoolFull,
}

/// A key as its owner has it.
pub struct Key {
    id: KeyId,
    bytes: Vec<u8>,
    hint: u32,
}

impl std::fmt::Debug for Key {
    /// Prints no key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("hint", &self.hint)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// A key under a number that no other key of this session has; not 0.
    #[must_use]
    pub fn new(id: KeyId, bytes: &[u8]) -> Self {
        Self {
            id,
            bytes: bytes.to_vec(),
            hint: u32::MAX,
        }
    }
}

/// A request to hand over.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// What to do.
    pub shape: Shape,
    /// Pool offset of the source.
    pub src: u64,
    /// Pool offset of the destination.
    pub dst: u64,
    /// The submitter's own number for it.
    pub user: u64,
}

/// A finished request.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// The submitter's own number for it.
    pub user: u64,
    /// How it ended.
    pub status: Status,
    /// Number of the backend that computed it, as its completion tells.
    pub backend: u16,
    /// When it was handed over.
    pub since: Instant,
}

#[derive(Debug)]
struct Ticket {
    tiles: Run,
    slot: Option<u32>,
    user: u64,
    since: Instant,
}

/// The module's side.
#[derive(Debug)]
pub struct Loopback {
    region: Arc<Region>,
    lane: RefCell<Lane>,
    /// The helper's dispatcher sleeps on this one.
    helper: Arc<Waker>,
    /// This side sleeps on this one.
    own: Arc<Waker>,
    sq: SubmissionProducer,
    cq: CompletionConsumer,
    in_flight: InFlight<Box<[Seat<Ticket>]>, Ticket>,
    tiles: Runs<Box<[u64]>>,
    granules: Runs<Box<[u64]>>,
    slots: Slots<Box<[Slot]>>,
    tile_bytes: u32,
}

fn words(units: u32) -> Box<[u64]> {
    vec![0; words_for(units)].into()
}

impl Loopback {
    /// The module's side of a region in this process; takes one of its lanes.
    ///
    /// # Errors
    /// When all lanes are taken.
    pub fn new(
        region: Arc<Region>,
        helper: Arc<Waker>,
        own: Arc<Waker>,
        tile_bytes: u32,
    ) -> Result<Self, LoopError> {
        let layout = *region.layout();
        let sizes = layout.sizes;
        let granules = u32::try_from(sizes.pool_bytes / u64::from(GRANULE)).unwrap_or(u32::MAX);
        let entries = index(u64::from(sizes.entries));
        Ok(Self {
            lane: RefCell::new(
                Lane::take(&region).ok_or(LoopError::Engine(EngineError::Lanes(1)))?,
            ),
            helper,
            own,
            sq: SubmissionProducer::new(RingPlace::submissions(&layout)),
            cq: CompletionConsumer::new(RingPlace::completions(&layout)),
            in_flight: InFlight::new((0..entries).map(|_| Seat::default()).collect()),
            tiles: Runs::new(words(sizes.tiles), sizes.tiles),
            granules: Runs::new(words(granules), granules),
            slots: Slots::new(vec![Slot::default(); index(u64::from(sizes.keys))].into()),
            tile_bytes,
            region,
        })
    }

    /// The region.
    #[must_use]
    pub const fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// Takes pool bytes for a buffer, and tells where they start.
    ///
    /// # Errors
    /// [`LoopError::PoolFull`].
    pub fn buffer(&mut self, bytes: u32) -> Result<u64, LoopError> {
        let run = self.granules.take(bytes.div_ceil(GRANULE));
        run.map(|run| u64::from(run.first) * u64::from(GRANULE))
            .ok_or(LoopError::PoolFull)
    }

    /// Cuts further requests into tiles of at most `bytes`.
    pub const fn set_tile_bytes(&mut self, bytes: u32) {
        self.tile_bytes = bytes;
    }

    /// Works on pool bytes as this side's own.
    pub fn lane(&mut self) -> &mut Lane {
        self.lane.get_mut()
    }

    /// Requests handed over and not yet reaped.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight.len()
    }

    /// Hands a request over; the helper sees it after [`Loopback::publish`]. `Ok(false)` when
    /// something of what it needs is not free.
    ///
    /// # Errors
    /// [`LoopError`]: the request is none, or the helper broke the ring.
    pub fn submit(&mut self, order: &Order, key: Option<&mut Key>) -> Result<bool, LoopError> {
        self.submit_from(order, key, None)
    }

    /// As [`Loopback::submit`], with a source that lies in a guest's memory: the order names its address there, and
    /// `source` has its bytes.
    ///
    /// # Errors
    /// As [`Loopback::submit`].
    pub fn submit_from(
        &mut self,
        order: &Order,
        key: Option<&mut Key>,
        source: Option<&[u8]>,
    ) -> Result<bool, LoopError> {
        let (algorithm, shape) = (order.algorithm, order.shape);
        shape.check(algorithm).map_err(LoopError::Shape)?;
        let written_len = shape.output_len(algorithm).map_err(LoopError::Shape)?;
        let count = tiling::count(algorithm, &shape, self.tile_bytes);
        if self.in_flight.is_full() {
            return Ok(false);
        }
        let Some(tiles) = self.tiles.take(count) else {
            return Ok(false);
        };
        let Some((slot, generation)) = self.key_slot(algorithm, key) else {
            self.tiles.give(tiles);
            return Ok(false);
        };
        let ticket = Ticket {
            tiles,
            slot,
            user: order.user,
            since: Instant::now(),
        };
        let Ok(id) = self.in_flight.insert(written_len, ticket) else {
            return Ok(false);
        };
        self.store_tiles(order, source, tiles.first, (slot.unwrap_or(0), generation));
        let submission = Submission {
            request: id.to_wire(),
            session: self.region.session(),
            tile_first: tiles.first,
            tile_count: count,
            bytes: shape.len,
            written_len,
            algorithm: algorithm.id.0,
            op: shape.op.code(),
            flags: 0,
        };
        self.push(&submission)
    }

    /// The slot of a key, filled if need be; `None` when every slot is busy.
    fn key_slot(
        &mut self,
        algorithm: &Algorithm,
        key: Option<&mut Key>,
    ) -> Option<(Option<u32>, u32)> {
        let Some(key) = key else {
            return Some((None, 0));
        };
        let (slot, generation) = match self.slots.acquire(key.id, key.hint) {
            Found::Filled { slot, generation } => (slot, generation),
            Found::Fill { slot, generation } => {
                self.store_key(slot, generation, algorithm.id.0, &key.bytes);
                (slot, generation)
            }
            Found::Busy => return None,
        };
        key.hint = slot;
        Some((Some(slot), generation))
    }

    /// Writes a key slot as the module does.
    pub fn store_key(&self, slot: u32, generation: u32, algorithm: u16, key: &[u8]) {
        let mut entry = KeyEntry {
            generation,
            algorithm,
            key_len: u16::try_from(key.len()).unwrap_or(u16::MAX),
            reserved: 0,
            key: [0; KEY_BYTES_MAX],
        };
        for (to, from) in entry.key.iter_mut().zip(key) {
            *to = *from;
        }
        keytable::write(self.region.control(), self.region.layout(), slot, &entry);
    }

    fn clear_key(&self, slot: u32, generation: u32) {
        keytable::clear(
            self.region.control(),
            self.region.layout(),
            slot,
            generation,
        );
    }

    fn store_tiles(
        &self,
        order: &Order,
        source: Option<&[u8]>,
        first: u32,
        (key_slot, key_generation): (u32, u32),
    ) {
        let place = Place {
            src: order.src,
            dst: order.dst,
            key_slot,
            key_generation,
        };
        let read = |at: u32, to: &mut [u8]| {
            if let Some(source) = source {
                let from = source.iter().skip(index(u64::from(at)));
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                return;
            }
            let len = u32::try_from(to.len()).unwrap_or(0);
            let from = order.src + u64::from(at);
            // A source outside the pool is the helper's to find.
            let _ = self
                .lane
                .borrow_mut()
                .read(from, len, |bytes| to.copy_from_slice(bytes));
        };
        let tiles = Tiles::new(order.algorithm, order.shape, place, self.tile_bytes, read);
        let flags = source.map_or(TileFlags::empty(), |_| TileFlags::GUEST_SOURCE);
        for (at, tile) in (first..).zip(tiles) {
            let flags = flags.bits();
            self.store_tile(at, &Tile { flags, ..tile });
        }
    }

    /// Writes a tile of the table.
    pub fn store_tile(&self, at: u32, tile: &Tile) {
        let offset = self.region.layout().tile_offset
            + u64::from(at) * u64::try_from(size_of::<Tile>()).unwrap_or(0);
        let _ = self.region.control().store_entry(offset, tile);
    }

    /// Pushes a submission as it is.
    ///
    /// # Errors
    /// When the helper broke the ring.
    pub fn push(&mut self, submission: &Submission) -> Result<bool, LoopError> {
        self.sq
            .push(self.region.control(), self.region.helper(), submission)
            .map_err(LoopError::Ring)
    }

    /// Makes what was submitted visible, and wakes the helper if it sleeps.
    pub fn publish(&self) {
        self.sq.publish(self.region.control());
        self.helper.wake();
    }

    /// Changes the session's state.
    pub fn set_state(&self, state: SessionState) {
        self.region.control().store(word::STATE, state.code());
        self.helper.wake();
    }

    /// Takes the next completion as it is. [`Loopback::release`] gives its place back.
    ///
    /// # Errors
    /// When the helper broke the ring.
    pub fn pop(&mut self) -> Result<Option<Completion>, LoopError> {
        self.cq.pop(self.region.helper()).map_err(LoopError::Ring)
    }

    /// Lets the helper reuse the completions taken.
    pub fn release(&self) {
        self.cq.release(self.region.control());
    }

    /// Takes every completion there is, checked. The result is how many there were.
    ///
    /// # Errors
    /// When the helper broke the ring, or told what is not so.
    pub fn reap(&mut self, mut done: impl FnMut(Done)) -> Result<usize, LoopError> {
        let mut count = 0;
        while let Some(completion) = self.pop()? {
            let (ticket, status) = self
                .in_flight
                .complete(&completion, self.region.session())
                .map_err(LoopError::Reject)?;
            self.tiles.give(ticket.tiles);
            if let Some(slot) = ticket.slot
                && let Some(generation) = self.slots.release(slot)
            {
                self.clear_key(slot, generation);
            }
            done(Done {
                user: ticket.user,
                status,
                backend: completion.backend,
                since: ticket.since,
            });
            count += 1;
        }
        if count > 0 {
            self.release();
        }
        Ok(count)
    }

    /// Forgets a key that its owner gave up; its slot is cleared.
    pub fn retire(&mut self, key: &Key) {
        if let Some((slot, generation)) = self.slots.retire(key.id, key.hint) {
            self.clear_key(slot, generation);
        }
    }

    /// Sleeps until there is a completion or the time is over.
    ///
    /// # Errors
    /// When the helper broke the ring, or poll(2) failed.
    pub fn wait(&mut self, timeout: Duration) -> Result<(), LoopError> {
        let control = self.region.control();
        self.own.going_to_sleep();
        control.store_then_look(word::KICK_NEEDED, 1);
        let ready = self.cq.ready(self.region.helper());
        if matches!(ready, Ok(0)) {
            self.own.sleep(None, timeout)?;
        } else {
            self.own.awake();
        }
        control.store(word::KICK_NEEDED, 0);
        ready.map(|_| ()).map_err(LoopError::Ring)
    }
}
