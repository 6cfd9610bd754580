//! The module's side of a ring, without a kernel: hands honest requests over, judges what comes
//! back, and sends cases of [`super::hostile`]. Its books are the module's own parts of this crate.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::{Case, Ground, Hostile, View};
use crate::abi::{
    Completion, Features, KeyEntry, Layout, Reflect, RequestId, SessionState, Status, Submission,
    Tile, TileFlags, word,
};
use crate::algorithm::Algorithm;
use crate::cpu::{Data, Work};
use crate::inflight::{InFlight, Reject, Seat};
use crate::keytable;
use crate::num::index;
use crate::request::{Shape, ShapeError};
use crate::ring::{CompletionConsumer, RingError, RingPlace, SubmissionProducer};
use crate::runs::{GRANULE, Run, Runs, words_for};
use crate::slots::{Found, Slot, Slots};
use crate::tiling::{self, Place, Tiles};

/// What a helper did that it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A ring word.
    Ring(RingError),
    /// A completion.
    Reject(Reject),
}

/// A request to hand over.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// What to do.
    pub shape: Shape,
    /// The key; empty for algorithms without one.
    pub key: &'a [u8],
    /// A number of the key that no other key has, not 0.
    pub key_id: u64,
    /// The source.
    pub src: &'a [u8],
}

/// A finished request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landed {
    /// Its id.
    pub id: RequestId,
    /// How it ended.
    pub status: Status,
    /// Whether the bytes in the pool are those of one direct call.
    pub right: bool,
}

#[derive(Debug)]
struct Ticket {
    tiles: Run,
    pool: Run,
    slot: Option<u32>,
    /// Pool offset of the result.
    dst: u64,
    expected: Vec<u8>,
}

/// The module's side.
#[derive(Debug)]
pub struct MockKernel {
    layout: Layout,
    session: u32,
    sq: SubmissionProducer,
    cq: CompletionConsumer,
    in_flight: InFlight<Box<[Seat<Ticket>]>, Ticket>,
    tiles: Runs<Box<[u64]>>,
    granules: Runs<Box<[u64]>>,
    slots: Slots<Box<[Slot]>>,
    /// Generation of the last case's key.
    generation: u32,
    tile_bytes: u32,
}

fn free(units: u32) -> Runs<Box<[u64]>> {
    Runs::new(vec![0; words_for(units)].into(), units)
}

impl MockKernel {
    /// A fresh session that cuts requests into tiles of at most `tile_bytes`.
    #[must_use]
    pub fn new(layout: Layout, session: u32, tile_bytes: u32) -> Self {
        let sizes = layout.sizes;
        let granules = sizes.pool_bytes / u64::from(GRANULE);
        let seats = 0..index(u64::from(sizes.entries));
        Self {
            sq: SubmissionProducer::new(RingPlace::submissions(&layout)),
            cq: CompletionConsumer::new(RingPlace::completions(&layout)),
            in_flight: InFlight::new(seats.map(|_| Seat::default()).collect()),
            tiles: free(sizes.tiles),
            granules: free(u32::try_from(granules).unwrap_or(u32::MAX)),
            slots: Slots::new(vec![Slot::default(); index(u64::from(sizes.keys))].into()),
            generation: 1,
            tile_bytes,
            layout,
            session,
        }
    }

    /// Writes the header and the session's state.
    pub fn open(&self, view: View<'_>, state: SessionState) {
        let header = self
            .layout
            .header(self.session, Features::SERVICES, 1 << 30);
        let _inside = view.control.store_entry(0, &header);
        view.control.store(word::STATE, state.code());
    }

    /// Requests handed over and not answered.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight.len()
    }

    /// Hands a request over and shows it to the helper. `None` when something that it needs is
    /// taken.
    ///
    /// # Errors
    /// When the helper's ring word is impossible.
    ///
    /// # Panics
    /// When the request is none of its algorithm's: the test is wrong then.
    pub fn hand_over(
        &mut self,
        view: View<'_>,
        request: &Request<'_>,
    ) -> Result<Option<RequestId>, Broken> {
        self.hand_over_from(view, request, None)
    }

    /// As [`MockKernel::hand_over`], with a source that lies at an address of a guest already and is read there; the
    /// pool has the result only.
    ///
    /// # Errors
    /// When the helper's ring word is impossible.
    ///
    /// # Panics
    /// When the request is none of its algorithm's: the test is wrong then.
    pub fn hand_over_from(
        &mut self,
        view: View<'_>,
        request: &Request<'_>,
        guest: Option<u64>,
    ) -> Result<Option<RequestId>, Broken> {
        let (algorithm, shape) = (request.algorithm, request.shape);
        let expected = direct(request).unwrap_or_else(|e| panic!("{}: {e}", algorithm.name));
        let out = u32::try_from(expected.len()).unwrap_or(u32::MAX);
        if self.in_flight.is_full() || self.sq.free(view.helper).map_err(Broken::Ring)? == 0 {
            return Ok(None);
        }
        let count = tiling::count(algorithm, &shape, self.tile_bytes);
        let Some(tiles) = self.tiles.take(count) else {
            return Ok(None);
        };
        // A result of another length cannot lie on its source.
        let source = match guest {
            Some(_) => 0,
            None => shape.len.div_ceil(GRANULE),
        };
        let apart = out != shape.len || guest.is_some();
        let result = if apart { out.div_ceil(GRANULE) } else { 0 };
        let Some(pool) = self.granules.take(source + result) else {
            self.tiles.give(tiles);
            return Ok(None);
        };
        let Some((slot, generation)) = self.key(view, request) else {
            self.tiles.give(tiles);
            self.granules.give(pool);
            return Ok(None);
        };
        let at = u64::from(pool.first) * u64::from(GRANULE);
        let beside = if apart { source } else { 0 };
        let dst = at + u64::from(beside) * u64::from(GRANULE);
        let place = Place {
            src: guest.unwrap_or(at),
            dst,
            key_slot: slot.unwrap_or(0),
            key_generation: generation,
        };
        if guest.is_none() {
            let _inside = view.pool.write(at, request.src);
        }
        let flags = guest.map_or(TileFlags::empty(), |_| TileFlags::GUEST_SOURCE);
        let read = |at: u32, to: &mut [u8]| {
            let at = index(u64::from(at));
            if let Some(from) = request.src.get(at..at + to.len()) {
                to.copy_from_slice(from);
            }
        };
        for (at, tile) in
            (tiles.first..).zip(Tiles::new(algorithm, shape, place, self.tile_bytes, read))
        {
            let tile = Tile {
                flags: flags.bits(),
                ..tile
            };
            self.store_tile(view, at, &tile);
        }
        let ticket = Ticket {
            tiles,
            pool,
            slot,
            dst,
            expected,
        };
        let Ok(id) = self.in_flight.insert(out, ticket) else {
            return Ok(None);
        };
        let submission = Submission {
            request: id.to_wire(),
            session: self.session,
            tile_first: tiles.first,
            tile_count: count,
            bytes: shape.len,
            written_len: out,
            algorithm: algorithm.id.0,
            op: shape.op.code(),
            flags: 0,
        };
        self.push(view, &submission).map(|_| Some(id))
    }

    /// The slot of a request's key and its generation; `None` when every slot is busy.
    fn key(&mut self, view: View<'_>, request: &Request<'_>) -> Option<(Option<u32>, u32)> {
        if !request.algorithm.has_key() {
            return Some((None, 0));
        }
        let (slot, generation) = match self.slots.acquire(request.key_id, u32::MAX) {
            Found::Filled { slot, generation } => (slot, generation),
            Found::Fill { slot, generation } => {
                let entry = KeyEntry::new(generation, request.algorithm.id, request.key)?;
                keytable::write(view.control, &self.layout, slot, &entry);
                (slot, generation)
            }
            Found::Busy => return None,
        };
        Some((Some(slot), generation))
    }

    fn store_tile(&self, view: View<'_>, at: u32, tile: &Tile) {
        let size = u64::try_from(Tile::SIZE).unwrap_or(0);
        let _inside = view
            .control
            .store_entry(self.layout.tile_offset + u64::from(at) * size, tile);
    }

    fn push(&mut self, view: View<'_>, submission: &Submission) -> Result<bool, Broken> {
        let pushed = self.sq.push(view.control, view.helper, submission);
        self.sq.publish(view.control);
        pushed.map_err(Broken::Ring)
    }

    /// Takes and judges the next completion. `None` when there is none.
    ///
    /// # Errors
    /// What the helper broke; the request, if one is named, is still in flight then.
    pub fn reap(&mut self, view: View<'_>) -> Result<Option<Landed>, Broken> {
        // The helper's head is looked at too: the module does at each flush.
        self.sq.free(view.helper).map_err(Broken::Ring)?;
        let Some(completion) = self.pop(view)? else {
            return Ok(None);
        };
        let (ticket, status) = self
            .in_flight
            .complete(&completion, self.session)
            .map_err(Broken::Reject)?;
        let mut found = vec![0; ticket.expected.len()];
        let read = view.pool.read(ticket.dst, &mut found);
        self.tiles.give(ticket.tiles);
        self.granules.give(ticket.pool);
        if let Some(slot) = ticket.slot {
            self.slots.release(slot);
        }
        Ok(Some(Landed {
            id: RequestId::from_wire(completion.request),
            status,
            right: status == Status::Ok && read && found == ticket.expected,
        }))
    }

    /// Takes the next completion as it is.
    ///
    /// # Errors
    /// When the helper's ring word is impossible.
    pub fn pop(&mut self, view: View<'_>) -> Result<Option<Completion>, Broken> {
        let popped = self.cq.pop(view.helper).map_err(Broken::Ring);
        self.cq.release(view.control);
        popped
    }

    /// Sends a good case, or what a hostile one makes of it, and gives what was sent. The region
    /// must not be used for requests beside it.
    ///
    /// # Errors
    /// When the helper's ring word is impossible.
    pub fn send(
        &mut self,
        view: View<'_>,
        ground: &Ground,
        hostile: Option<&Hostile>,
    ) -> Result<Case, Broken> {
        // Each case has a key generation of its own: a helper may remember the last one's key.
        self.generation = self.generation.wrapping_add(4);
        let id = RequestId {
            slot: 5,
            generation: self.generation,
        };
        let case = match hostile {
            Some(hostile) => hostile.case(ground, id, self.generation),
            None => Case::good(ground, id, self.generation),
        };
        self.send_case(view, &case)?;
        Ok(case)
    }

    /// Sends a case as it is.
    ///
    /// # Errors
    /// When the helper's ring word is impossible.
    pub fn send_case(&mut self, view: View<'_>, case: &Case) -> Result<(), Broken> {
        let slot = super::hostile::KEY_SLOT;
        keytable::write(view.control, &self.layout, slot, &case.key);
        for (at, tile) in (case.first..).zip(&case.tiles) {
            self.store_tile(view, at, tile);
        }
        self.push(view, &case.submission).map(|_| ())
    }
}

/// A request's answer: one call of the algorithm's CPU side.
fn direct(request: &Request<'_>) -> Result<Vec<u8>, ShapeError> {
    let (algorithm, shape) = (request.algorithm, request.shape);
    shape.check(algorithm)?;
    let wrong = ShapeError::Length {
        len: shape.len,
        data_unit_size: shape.data_unit_size,
        block_size: algorithm.block_size,
    };
    let mut out = vec![0; index(u64::from(shape.output_len(algorithm)?))];
    let work = Work {
        op: shape.op,
        data_unit_size: shape.data_unit_size,
        iv_step: shape.iv_step,
        iv: shape.iv,
        first_block: 0,
    };
    let data = Data::Apart {
        src: request.src,
        dst: &mut out,
    };
    let key = (algorithm.cpu)(request.key).map_err(|_| wrong)?;
    key.run(&work, data).map_err(|_| wrong)?;
    Ok(out)
}
