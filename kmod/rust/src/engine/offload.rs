//! Handing a request to the helper: room, key, source bytes, tiles, submission.

use core::sync::atomic::Ordering;

use kgpu_core::abi::{KeyEntry, Reflect, RequestId, Submission, SubmissionFlags, Tile};
use kgpu_core::algorithm::{Algorithm, Output};
use kgpu_core::keytable;
use kgpu_core::request::Shape;
use kgpu_core::runs::Run;
use kgpu_core::slots::{Found, KeyId};
use kgpu_core::tiling::{self, Place, Tiles};
use zeroize::Zeroize;

use super::Active;
use crate::counters::{self, GLOBAL, Reason};
use crate::ffi::{Guard, Job, lock};
use crate::flight::{Flight, Waiter};
use crate::params;
use crate::session::Session;
use crate::tfm::{Tfm, next_key_id};

/// Why a request is not handed to the helper now.
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

/// What a request holds of the region.
#[derive(Clone, Copy, Debug)]
struct Room {
    pool: Run,
    tiles: Run,
    place: Place,
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

    /// What is written into its slot. To be cleared by whoever gets it.
    fn entry(&self, guard: &mut Guard, generation: u32, algorithm: &Algorithm) -> Option<KeyEntry> {
        let key = match self {
            Self::Of(tfm) => {
                let key = tfm.key.get(guard);
                key.bytes.0.get(..key.len)?
            }
            Self::Known(_, bytes) => bytes,
        };
        KeyEntry::new(generation, algorithm.id, key)
    }
}

impl Active {
    /// Hands a request over, or gives it back with the reason.
    pub(super) fn offload(&mut self, mut job: Job, now: u64) -> Result<(), (Job, Refusal)> {
        let tfm = job.core().tfm.get();
        let Some(algorithm) = crate::algorithm(tfm.algorithm) else {
            return Err((job, Refusal::Because(Reason::Shape)));
        };
        let shape = job.core().shape;
        let bytes = u64::from(shape.len);
        let pool_share =
            self.session.layout.sizes.pool_bytes * u64::from(params::SHARE_PERCENT.get()) / 100;
        let new_slot = algorithm.has_key() && {
            let mut guard = lock();
            let (id, hint) = (
                tfm.key.get(&mut guard).id,
                tfm.slot_hint.load(Ordering::Relaxed),
            );
            !self
                .session
                .books
                .get(&mut guard)
                .slots
                .is_in_flight(id, hint)
        };
        if tfm.in_flight.load(Ordering::Relaxed) + bytes > pool_share
            || !self.shares.allows(tfm.owner, bytes, new_slot)
        {
            return Err((job, Refusal::Because(Reason::Share)));
        }
        let buffers = job
            .core()
            .buffers
            .filter(|places| places.iter().all(|p| p.session == self.session.generation));
        let output_len = job.core().output_len;
        // Its submitter may have brought the source already, if to this session.
        let brought = job
            .core()
            .held
            .as_ref()
            .filter(|held| held.session().generation == self.session.generation)
            .map(|held| (held.run(), held.at()));
        if brought.is_none() {
            drop(job.core_mut().held.take());
        }
        let given = match (buffers, brought) {
            (Some([src, dst]), _) => Some((Run::NONE, src.offset, dst.offset)),
            (None, Some((run, at))) => Some((run, at, at)),
            (None, None) => None,
        };
        let room = match self.take_room(algorithm, &shape, output_len, given) {
            Ok(room) => room,
            Err(refusal) => return Err((job, refusal)),
        };
        let slot = if algorithm.has_key() {
            match self.take_slot(algorithm, &Wanted::Of(tfm)) {
                Some(slot) => {
                    tfm.slot_hint.store(slot.slot, Ordering::Relaxed);
                    Some(slot)
                }
                None => {
                    let pool = if brought.is_some() {
                        Run::NONE
                    } else {
                        room.pool
                    };
                    self.give_room(Room { pool, ..room });
                    return Err((job, Refusal::Because(Reason::NoSlot)));
                }
            }
        } else {
            None
        };
        let place = with_key(room.place, slot);
        let session = &self.session;
        if let Some(held) = job.core_mut().held.take() {
            // The flight gives it back from here on: as `room.pool`.
            let _pool = held.into_run();
        } else if buffers.is_none() {
            job.copy_in(&session.pool, place.src);
        } else {
            counters::of(tfm.algorithm).zero_copy.add(1);
        }
        write_tiles(session, algorithm, shape, place, room.tiles, |at, to| {
            session.pool.read(place.src + u64::from(at), to);
        });
        let count = tfm.in_flight.load(Ordering::Relaxed) + bytes;
        tfm.in_flight.store(count, Ordering::Relaxed);
        self.shares
            .take(tfm.owner, bytes, slot.is_some_and(|s| s.first));
        let flight = Flight {
            waiter: Waiter::Job(job),
            pool: room.pool,
            dst: place.dst,
            output_len,
            tiles: room.tiles,
            slot: slot.map(|s| s.slot),
            bytes: shape.len,
            deadline: now.saturating_add(params::deadline_ns()),
        };
        self.submit(algorithm, shape, flight);
        Ok(())
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
            self.session.set_state(SessionState::Testing);
            self.kat.start();
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
            let Ok(room) = self.take_room(algorithm, &shape, output_len, None) else {
                break;
            };
            let slot = if algorithm.has_key() {
                let id = next_key_id();
                let wanted = Wanted::Known(id, request.answer.key);
                let Some(slot) = self.take_slot(algorithm, &wanted) else {
                    self.give_room(room);
                    break;
                };
                // Nobody uses this key again: the slot is cleared with the answer.
                let mut guard = lock();
                let _in_flight_until_then = self
                    .session
                    .books
                    .get(&mut guard)
                    .slots
                    .retire(id, slot.slot);
                Some(slot)
            } else {
                None
            };
            let place = with_key(room.place, slot);
            let session = self.session.clone();
            session.pool.write(place.src, request.input);
            write_tiles(&session, algorithm, shape, place, room.tiles, |at, to| {
                session.pool.read(place.src + u64::from(at), to);
            });
            let flight = Flight {
                waiter: Waiter::Kat(kat),
                pool: room.pool,
                dst: place.dst,
                output_len,
                tiles: room.tiles,
                slot: slot.map(|s| s.slot),
                bytes: shape.len,
                deadline: crate::ffi::now().saturating_add(params::known_answer_ns()),
            };
            self.submit(algorithm, shape, flight);
            self.kat.submitted();
            any = true;
        }
        if any {
            self.publish();
        }
        any
    }

    /// Seats, ring, pool and tiles for a request, or why not. `given`: pool granules that are taken already, and where in
    /// the pool the source and the result are.
    fn take_room(
        &mut self,
        algorithm: &Algorithm,
        shape: &Shape,
        output_len: u32,
        given: Option<(Run, u64, u64)>,
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
        let tile_count = tiling::count(algorithm, shape, self.session.tile_bytes);
        let sizes = self.session.layout.sizes;
        // In place where the output is as long as the input: the source is the submitter's own and
        // stays intact, so the pool need not hold it twice.
        // A service's output of the input's length by chance is none of these.
        let in_place = matches!(algorithm.output, Output::SameAsInput);
        let need = if in_place {
            u64::from(shape.len)
        } else {
            u64::from(shape.len).next_multiple_of(u64::from(kgpu_core::runs::GRANULE))
                + u64::from(output_len)
        };
        let too_big = need > sizes.pool_bytes / 2 || tile_count > sizes.tiles / 2;
        let need = u32::try_from(need)
            .ok()
            .filter(|_| !too_big)
            .ok_or(Refusal::Because(Reason::Shape))?;
        let session = &self.session;
        let mut guard = lock();
        let tiles = session
            .books
            .get(&mut guard)
            .tiles
            .take(tile_count)
            .ok_or(Refusal::Full)?;
        if let Some((pool, src, dst)) = given {
            let place = Place {
                src,
                dst,
                key_slot: 0,
                key_generation: 0,
            };
            return Ok(Room { pool, tiles, place });
        }
        let Some(pool) = session.take_pool(&mut guard, need) else {
            session.books.get(&mut guard).tiles.give(tiles);
            return Err(Refusal::Full);
        };
        let src = Session::pool_offset(pool);
        let dst = if in_place {
            src
        } else {
            src + u64::from(shape.len).next_multiple_of(u64::from(kgpu_core::runs::GRANULE))
        };
        Ok(Room {
            pool,
            tiles,
            place: Place {
                src,
                dst,
                key_slot: 0,
                key_generation: 0,
            },
        })
    }

    fn give_room(&mut self, room: Room) {
        let mut guard = lock();
        let books = self.session.books.get(&mut guard);
        books.pool.give(room.pool);
        books.tiles.give(room.tiles);
    }

    /// The slot of a key, filled if it was not.
    fn take_slot(&self, algorithm: &Algorithm, wanted: &Wanted<'_>) -> Option<TakenSlot> {
        let mut guard = lock();
        let (id, hint) = wanted.id(&mut guard);
        let slots = &mut self.session.books.get(&mut guard).slots;
        let (slot, generation, fill) = match slots.acquire(id, hint) {
            Found::Filled { slot, generation } => (slot, generation, false),
            Found::Fill { slot, generation } => (slot, generation, true),
            Found::Busy => return None,
        };
        let first = slots.in_flight(slot) == 1;
        if fill {
            if let Some(mut entry) = wanted.entry(&mut guard, generation, algorithm) {
                keytable::write(
                    self.session.control.words(),
                    &self.session.layout,
                    slot,
                    &entry,
                );
                entry.key.zeroize();
            }
            GLOBAL.key_fills.add(1);
        }
        Some(TakenSlot {
            slot,
            generation,
            first,
        })
    }

    /// Puts a flight into the table and its submission into the ring; room was made before.
    fn submit(&mut self, algorithm: &Algorithm, shape: Shape, flight: Flight) {
        let (tiles, output_len, deadline) = (flight.tiles, flight.output_len, flight.deadline);
        let id = match self.flights.insert(output_len, flight) {
            Ok(id) => id,
            // PANIC-free: `take_room` saw a free seat and only the engine takes seats.
            Err(flight) => return self.undo(flight),
        };
        let submission = Submission {
            request: id.to_wire(),
            session: self.session.generation,
            tile_first: tiles.first,
            tile_count: tiles.count,
            bytes: shape.len,
            written_len: output_len,
            algorithm: algorithm.id.0,
            op: shape.op.code(),
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
        let slot_is_free = self.release(&flight, false);
        if let Waiter::Job(job) = flight.waiter {
            self.release_share(&job, slot_is_free, flight.bytes);
            super::fall_back(job, Reason::Full);
        }
    }
}

fn with_key(place: Place, slot: Option<TakenSlot>) -> Place {
    match slot {
        Some(slot) => Place {
            key_slot: slot.slot,
            key_generation: slot.generation,
            ..place
        },
        None => place,
    }
}

/// Cuts a request into the tile table.
fn write_tiles(
    session: &Session,
    algorithm: &Algorithm,
    shape: Shape,
    place: Place,
    run: Run,
    read: impl Fn(u32, &mut [u8]),
) {
    let words = session.control.words();
    let tiles = Tiles::new(algorithm, shape, place, session.tile_bytes, read);
    for (i, tile) in (run.first..run.first + run.count).zip(tiles) {
        // Inside the mapping: the run is of the tile table.
        let _inside = words.store_entry(
            session.layout.tile_offset + u64::from(i) * Tile::SIZE as u64,
            &tile,
        );
    }
}
