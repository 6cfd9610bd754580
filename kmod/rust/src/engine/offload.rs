//! Handing requests to the helper: room, key, source bytes, tiles, submission.

use core::sync::atomic::Ordering;

use kgpu_core::abi::guest::{PageRun, holds};
use kgpu_core::abi::{KeyEntry, RequestId, Submission, SubmissionFlags};
use kgpu_core::algorithm::{Algorithm, Output};
use kgpu_core::keytable;
use kgpu_core::runs::{GRANULE, Run};
use kgpu_core::slots::{Found, KeyId};
use kgpu_core::tiling::{self, Place};
use zeroize::Zeroize;

use super::Active;
use super::tiles::TileRow;
use crate::chain::Chain;
use crate::counters::{self, GLOBAL, Reason};
use crate::ffi::{Guard, Job, lock};
use crate::flight::{Flight, Waiter};
use crate::held::Held;
use crate::job::JobCore;
use crate::params;
use crate::session::Session;
use crate::tfm::{Tfm, next_key_id};

/// Why requests are not handed to the helper now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no room; there will be.
    Full,
    /// The fallback should do it, for this reason.
    Because(Reason),
}

/// A key slot taken for a request.
#[derive(Clone, Copy, Debug)]
struct TakenSlot {
    slot: u32,
    generation: u32,
    /// First request in flight on the slot.
    first: bool,
}

/// What a request needs of the region.
#[derive(Clone, Copy, Debug, Default)]
struct Need {
    /// Bytes of the pool, beside what its submitters brought.
    pool: u64,
    tiles: u32,
    /// Source bytes, and those that come out.
    bytes: u64,
    output: u64,
    requests: u32,
}

/// What a request holds of the region.
#[derive(Clone, Copy, Debug)]
struct Room {
    pool: Run,
    tiles: Run,
    slot: Option<TakenSlot>,
}

/// A key to be in a slot.
#[derive(Debug)]
enum Wanted<'a> {
    /// A transform's own.
    Of(&'a Tfm),
    /// A known answer's, under a number of its own.
    Known(KeyId, &'a [u8]),
}

impl Wanted<'_> {
    /// Its number, and the slot it was last seen in.
    fn id(&self, guard: &mut Guard) -> (KeyId, u32) {
        match self {
            Self::Of(tfm) => (tfm.key.get(guard).id, tfm.slot_hint.load(Ordering::Relaxed)),
            Self::Known(id, _) => (*id, 0),
        }
    }

    /// Puts it into what is written into its slot. To be cleared by whoever gets it.
    fn fill(&self, guard: &mut Guard, algorithm: &Algorithm, entry: &mut KeyEntry) -> bool {
        let key = match self {
            Self::Of(tfm) => {
                let key = tfm.key.get(guard);
                key.bytes.0.get(..key.len)
            }
            Self::Known(_, bytes) => Some(*bytes),
        };
        key.is_some_and(|key| entry.fill(algorithm.id, key))
    }

    /// Whether its owner may have so many bytes more in flight, and one more slot if `slot`. Nobody's share is asked
    /// for a known answer.
    fn allowed(&self, active: &mut Active, bytes: u64, slot: bool) -> bool {
        let Self::Of(tfm) = self else { return true };
        let percent = u64::from(params::SHARE_PERCENT.get());
        let most = active.session.layout.sizes.pool_bytes * percent / 100;
        tfm.in_flight.load(Ordering::Relaxed) + bytes <= most
            && active.shares.allows(tfm.owner, bytes, slot)
    }
}

/// Whole granules.
fn whole(bytes: u32) -> u64 {
    u64::from(bytes).next_multiple_of(u64::from(GRANULE))
}

/// Bytes of the pool that a request takes with its source: in the place of its result where they are equally long, as the
/// submitter's own source stays intact. A service's output of the input's length by chance is none of these.
fn pool_bytes(algorithm: &Algorithm, len: u32, output_len: u32) -> u64 {
    match algorithm.output {
        Output::SameAsInput => whole(len),
        Output::PerUnit(_) => whole(len) + whole(output_len),
    }
}

/// Where a request's result lies, whose bytes in the pool begin at `at` with its source.
fn result_at(algorithm: &Algorithm, at: u64, len: u32) -> u64 {
    match algorithm.output {
        Output::SameAsInput => at,
        Output::PerUnit(_) => at + whole(len),
    }
}

impl Active {
    /// Hands requests over, as one, or gives them back with the reason.
    pub(super) fn offload(&mut self, mut chain: Chain, now: u64) -> Result<(), (Chain, Refusal)> {
        let tfm = chain.first().core().tfm.get();
        let Some(algorithm) = crate::algorithm(tfm.algorithm) else {
            return Err((chain, Refusal::Because(Reason::Shape)));
        };
        let need = self.need(&mut chain, algorithm);
        let room = match self.take_room(algorithm, &Wanted::Of(tfm), &need) {
            Ok(room) => room,
            Err(refusal) => return Err((chain, refusal)),
        };
        if let Some(slot) = room.slot {
            tfm.slot_hint.store(slot.slot, Ordering::Relaxed);
        }
        let used = self.lay_out(&mut chain, algorithm, &room);
        let count = tfm.in_flight.load(Ordering::Relaxed) + need.bytes;
        tfm.in_flight.store(count, Ordering::Relaxed);
        self.shares
            .take(tfm.owner, need.bytes, room.slot.is_some_and(|s| s.first));
        // The sums fit: each request's do, and several are merged up to a bound.
        let (bytes, output_len) = (low32(need.bytes), low32(need.output));
        let op = chain.first().core().shape.op.code();
        self.requests += need.requests;
        let flight = Flight {
            waiter: Waiter::Jobs(chain),
            count: need.requests,
            pool: Run::NONE,
            dst: 0,
            output_len,
            tiles: room.tiles,
            slot: room.slot.map(|s| s.slot),
            bytes,
            deadline: now.saturating_add(params::deadline_ns()),
        };
        self.submit(algorithm, op, used, flight);
        Ok(())
    }

    /// What requests need, and which of them have sources that the helper reads where they lie. Gives back what they hold
    /// of another session's pool.
    fn need(&self, chain: &mut Chain, algorithm: &Algorithm) -> Need {
        let (generation, areas) = (self.session.generation, self.areas());
        let mut need = Need::default();
        chain.for_each_mut(|job| {
            // Its submitter may have brought the source already, if to this session.
            job.core_mut()
                .held
                .take_if(|held| held.session().generation != generation);
            let core = job.core();
            let stays = core.held.is_some() || lies_in_buffers(core, generation);
            let in_place = match stays {
                false => self.tiles_in_place(job, algorithm, areas),
                true => None,
            };
            need.pool += match in_place {
                _ if stays => 0,
                Some(_) => whole(core.output_len),
                None => pool_bytes(algorithm, core.shape.len, core.output_len),
            };
            need.tiles += in_place
                .unwrap_or_else(|| tiling::count(algorithm, &core.shape, self.session.tile_bytes));
            need.bytes += u64::from(core.shape.len);
            need.output += u64::from(core.output_len);
            need.requests += 1;
            job.core_mut().in_place = in_place.is_some();
        });
        need
    }

    /// How many tiles a request makes whose source is read where it lies; `None` where it has to be copied to the pool.
    fn tiles_in_place(&self, job: &Job, algorithm: &Algorithm, areas: &[PageRun]) -> Option<u32> {
        if areas.is_empty() {
            return None;
        }
        let shape = job.core().shape;
        if let Some(address) = job.core().source {
            return holds(areas, address.get(), u64::from(shape.len))
                .then(|| tiling::count(algorithm, &shape, self.session.tile_bytes));
        }
        let mut row = TileRow::counting(&self.session, algorithm);
        let runs = job
            .source_runs()
            .take_while(|(address, bytes)| holds(areas, *address, u64::from(*bytes)));
        row.cut_from(shape, Place::default(), runs, |_, _| {})
            .then(|| row.finish())
    }

    /// Puts the requests' sources where the helper finds them, and cuts them into tiles. The result is how many these
    /// are.
    fn lay_out(&self, chain: &mut Chain, algorithm: &Algorithm, room: &Room) -> u32 {
        let session = &self.session;
        let (key_slot, key_generation) = room.slot.map_or((0, 0), |s| (s.slot, s.generation));
        let place = |src, dst| Place {
            src,
            dst,
            key_slot,
            key_generation,
        };
        let mut row = TileRow::new(session, algorithm, room.tiles);
        let mut pool = Some(room.pool).filter(|pool| pool.count > 0);
        let mut at = Session::pool_offset(room.pool);
        let (mut zero_copy, mut in_place) = (0, 0);
        chain.for_each_mut(|job| {
            let core = job.core();
            let (shape, output_len) = (core.shape, core.output_len);
            let (src, dst) = match core.buffers {
                Some([src, dst]) if lies_in_buffers(core, session.generation) => {
                    zero_copy += 1;
                    (src.offset, dst.offset)
                }
                // Brought by its submitter, which is done for algorithms only whose result takes the source's place.
                _ if core.held.is_some() => (core.at, core.at),
                _ => {
                    let src = at;
                    let dst = if core.in_place {
                        in_place += 1;
                        at += whole(output_len);
                        src
                    } else {
                        at += pool_bytes(algorithm, shape.len, output_len);
                        job.copy_in(&session.pool, src);
                        result_at(algorithm, src, shape.len)
                    };
                    let core = job.core_mut();
                    core.at = dst;
                    core.held = pool.take().map(|run| Held::new(session.clone(), run));
                    (src, dst)
                }
            };
            if !job.core().in_place {
                let read = |at: u32, to: &mut [u8]| session.pool.read(src + u64::from(at), to);
                row.cut(shape, place(src, dst), read);
                return;
            }
            let read = |at: u32, to: &mut [u8]| job.read_source(at, to);
            // As counted before: nobody but its submitter could change where the source lies, who must not.
            let _whole = match job.core().source {
                Some(address) => {
                    let run = core::iter::once((address.get(), shape.len));
                    row.cut_from(shape, place(0, dst), run, read)
                }
                None => row.cut_from(shape, place(0, dst), job.source_runs(), read),
            };
        });
        let counters = counters::of(chain.first().algorithm());
        if zero_copy > 0 {
            counters.zero_copy.add(zero_copy);
        }
        if in_place > 0 {
            counters.in_place.add(in_place);
        }
        row.finish()
    }

    /// Submits known answers while there is room. The result is whether any was.
    pub(super) fn known_answers(&mut self) -> bool {
        use kgpu_core::abi::SessionState;
        if crate::power::is_paused() {
            return false;
        }
        if !self.kat.is_started() {
            if !self.session.started.load(Ordering::Acquire)
                || self.session.state() != SessionState::Attached
            {
                return false;
            }
            if !self.take_areas() {
                return true;
            }
            self.session.set_state(SessionState::Testing);
            self.kat.start(!self.areas().is_empty());
        }
        if self.session.state() != SessionState::Testing {
            // Nobody waits for the rest once it was retired or quarantined.
            return false;
        }
        let mut any = false;
        while let Some(kat) = self.kat.peek() {
            let Some(request) = kat.request() else { break };
            let output = request.expected.len();
            let (Ok(output_len), algorithm, shape) =
                (u32::try_from(output), request.algorithm, request.shape)
            else {
                break;
            };
            let need = Need {
                // A source that is read in place lies in the pool, too, where it is known to be the guest's memory.
                pool: whole(shape.len) + whole(output_len),
                tiles: tiling::count(algorithm, &shape, self.session.tile_bytes),
                bytes: u64::from(shape.len),
                output: u64::from(output_len),
                requests: 1,
            };
            let id = next_key_id();
            let wanted = Wanted::Known(id, request.answer.key);
            let Ok(room) = self.take_room(algorithm, &wanted, &need) else {
                break;
            };
            let session = self.session.clone();
            if let Some(slot) = room.slot {
                // Nobody uses this key again: the slot is cleared with the answer.
                let mut guard = lock();
                let slots = &mut session.books.get(&mut guard).slots;
                let _in_flight_until_then = slots.retire(id, slot.slot);
            }
            let src = Session::pool_offset(room.pool);
            let dst = match kat.in_place {
                false => result_at(algorithm, src, shape.len),
                true => src + whole(shape.len),
            };
            session.pool.write(src, request.input);
            let (key_slot, key_generation) = room.slot.map_or((0, 0), |s| (s.slot, s.generation));
            let place = Place {
                src,
                dst,
                key_slot,
                key_generation,
            };
            let mut row = TileRow::new(&session, algorithm, room.tiles);
            let read = |at: u32, to: &mut [u8]| session.pool.read(src + u64::from(at), to);
            if !kat.in_place
                || !row.cut_from(shape, place, session.pool.physical(src, shape.len), read)
            {
                row = TileRow::new(&session, algorithm, room.tiles);
                row.cut(shape, place, read);
            }
            let used = row.finish();
            let flight = Flight {
                waiter: Waiter::Kat(kat),
                count: 0,
                pool: room.pool,
                dst,
                output_len,
                tiles: room.tiles,
                slot: room.slot.map(|s| s.slot),
                bytes: shape.len,
                deadline: crate::ffi::now().saturating_add(params::known_answer_ns()),
            };
            self.submit(algorithm, shape.op.code(), used, flight);
            self.kat.submitted();
            any = true;
        }
        if any {
            self.publish();
        }
        any
    }

    /// Seat, ring entry, pool, tiles and key slot, or why not; all or none. A seat and an entry are there until the next
    /// is asked for.
    fn take_room(
        &mut self,
        algorithm: &Algorithm,
        wanted: &Wanted<'_>,
        need: &Need,
    ) -> Result<Room, Refusal> {
        if self.flights.is_full() {
            return Err(Refusal::Full);
        }
        match self.submissions.free(self.session.helper.words()) {
            Ok(0) => return Err(Refusal::Full),
            Ok(_) => {}
            Err(error) => {
                self.broken(&error);
                return Err(Refusal::Because(Reason::NoHelper));
            }
        }
        let sizes = self.session.layout.sizes;
        let too_big = need.pool > sizes.pool_bytes / 2 || need.tiles > sizes.tiles / 2;
        let pool_bytes = u32::try_from(need.pool)
            .ok()
            .filter(|_| !too_big)
            .ok_or(Refusal::Because(Reason::Shape))?;
        let session = self.session.clone();
        let mut guard = lock();
        let (id, hint) = wanted.id(&mut guard);
        let has_key = algorithm.has_key();
        let new_slot = has_key && !session.books.get(&mut guard).slots.is_in_flight(id, hint);
        if !wanted.allowed(self, need.bytes, new_slot) {
            return Err(Refusal::Because(Reason::Share));
        }
        let books = session.books.get(&mut guard);
        let tiles = books.tiles.take(need.tiles).ok_or(Refusal::Full)?;
        let pool = match pool_bytes {
            0 => Run::NONE,
            bytes => match books.pool.take(bytes.div_ceil(GRANULE)) {
                Some(pool) => pool,
                None => {
                    books.tiles.give(tiles);
                    return Err(Refusal::Full);
                }
            },
        };
        let slot = if has_key {
            let Some(slot) = take_slot(&session, &mut guard, algorithm, wanted) else {
                let books = session.books.get(&mut guard);
                books.tiles.give(tiles);
                books.pool.give(pool);
                return Err(Refusal::Because(Reason::NoSlot));
            };
            Some(slot)
        } else {
            None
        };
        Ok(Room { pool, tiles, slot })
    }

    /// Puts a flight into the table and its submission into the ring; room was made before.
    fn submit(&mut self, algorithm: &Algorithm, op: u8, tile_count: u32, flight: Flight) {
        let (tiles, bytes, deadline) = (flight.tiles, flight.bytes, flight.deadline);
        let output_len = flight.output_len;
        let id = match self.flights.insert(output_len, flight) {
            Ok(id) => id,
            // PANIC-free: `take_room` saw a free seat and only the engine takes seats.
            Err(flight) => return self.undo(flight),
        };
        let submission = Submission {
            request: id.to_wire(),
            session: self.session.generation,
            tile_first: tiles.first,
            tile_count,
            bytes,
            written_len: output_len,
            algorithm: algorithm.id.0,
            op,
            flags: SubmissionFlags::empty().bits(),
        };
        let pushed = self.submissions.push(
            self.session.control.words(),
            self.session.helper.words(),
            &submission,
        );
        match pushed {
            Ok(true) => self.next_deadline = self.next_deadline.min(deadline),
            Ok(false) => self.unsubmit(id),
            Err(error) => {
                self.broken(&error);
            }
        }
    }

    /// The helper turned its head back between two looks: nothing was handed over.
    fn unsubmit(&mut self, id: RequestId) {
        if let Some(flight) = self.flights.remove(id) {
            self.undo(flight);
        }
    }

    fn undo(&mut self, flight: Flight) {
        let slot_is_free = self.release(&flight);
        self.requests -= flight.count;
        if let Waiter::Jobs(chain) = flight.waiter {
            self.release_share(&chain, slot_is_free, flight.bytes);
            super::fall_back(chain, Reason::Full);
        }
    }
}

/// The slot of a key, filled if it was not.
fn take_slot(
    session: &Session,
    guard: &mut Guard,
    algorithm: &Algorithm,
    wanted: &Wanted<'_>,
) -> Option<TakenSlot> {
    let (id, hint) = wanted.id(guard);
    let slots = &mut session.books.get(guard).slots;
    let (slot, generation, fill) = match slots.acquire(id, hint) {
        Found::Filled { slot, generation } => (slot, generation, false),
        Found::Fill { slot, generation } => (slot, generation, true),
        Found::Busy => return None,
    };
    let first = slots.in_flight(slot) == 1;
    if fill {
        // Filled and cleared where it lies: a key that is handed from one to the other stays on the stack.
        let mut entry = KeyEntry::empty(generation);
        if wanted.fill(guard, algorithm, &mut entry) {
            keytable::write(session.control.words(), &session.layout, slot, &entry);
        }
        entry.key.zeroize();
        GLOBAL.key_fills.add(1);
    }
    Some(TakenSlot {
        slot,
        generation,
        first,
    })
}

/// Whether a request's data lies in pool buffers of this session.
fn lies_in_buffers(core: &JobCore, generation: u32) -> bool {
    core.buffers
        .is_some_and(|places| places.iter().all(|place| place.session == generation))
}

/// A sum that fits 32 bits, or more than any.
fn low32(sum: u64) -> u32 {
    u32::try_from(sum).unwrap_or(u32::MAX)
}
