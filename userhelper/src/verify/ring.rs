//! The matrix's way to a backend: a helper on its own thread, and this thread in the module's place,
//! with all requests of a batch in flight at the same time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kgpu_core::abi::{Layout, RingSizes, Status};
use kgpu_core::num::index;
use kgpu_core::tiling::TILE_BYTES_DEFAULT;
use kgpu_verify::arena::{Arena, Place};
use kgpu_verify::request::Request;
use kgpu_verify::runner::{Ran, RunError, Runner};

use super::Target;
use crate::catalogue::Catalogue;
use crate::loopback::{Done, Key, LoopError, Order};
use crate::rig::Rig;

/// Bytes of the pool: several batches of the usual mean, and any single request with room to spare.
const POOL: u32 = 32 << 20;
/// The ring, tile table and key table: small enough that slots are used again and again.
const SIZES: RingSizes = RingSizes {
    entries: 1024,
    tiles: 32 << 10,
    keys: 256,
    pool_bytes: POOL as u64,
};
/// Submissions made visible at a time, so that the backend starts before the batch is all there.
const PUBLISH: usize = 64;
/// How long this thread polls before it sleeps.
const POLL: Duration = Duration::from_micros(100);
/// A helper that is silent for this long is broken.
const SILENCE: Duration = Duration::from_secs(60);

/// How a request ended.
type End = Option<(Status, u16)>;

/// A backend behind a ring.
#[derive(Debug)]
pub struct Ring {
    rig: Rig,
    target: Target,
    base: u64,
    next_key: u64,
}

fn error(error: impl std::fmt::Display) -> RunError {
    RunError(error.to_string())
}

impl Ring {
    /// Starts a helper with the backend, for the algorithms of a catalogue.
    ///
    /// # Errors
    /// [`RunError`]: memory, threads or the backend could not be had.
    pub fn start(target: &Target, catalogue: Catalogue) -> Result<Self, RunError> {
        let layout = Layout::new(SIZES).map_err(error)?;
        let tuning = target.tuning;
        let choice = target.choice.clone();
        let mut rig =
            Rig::start_on(choice, layout, catalogue, tuning, TILE_BYTES_DEFAULT).map_err(error)?;
        // All of the pool in one piece: requests are placed in it by the arena.
        let base = rig.module.buffer(POOL).map_err(error)?;
        Ok(Self {
            rig,
            target: target.clone(),
            base,
            next_key: 1,
        })
    }

    /// Stops the helper.
    ///
    /// # Errors
    /// [`RunError`]: what broke its session.
    pub fn end(self) -> Result<(), RunError> {
        self.rig.stop.drain();
        self.rig.join().map(|_| ()).map_err(error)
    }

    /// Pool offset of a place.
    fn offset(&self, at: usize) -> u64 {
        self.base + u64::try_from(at).unwrap_or(u64::MAX)
    }

    /// A window of the pool.
    fn window(&self, place: &Place) -> (u64, u32) {
        let len = u32::try_from(place.window.len()).unwrap_or(u32::MAX);
        (self.offset(place.window.start), len)
    }

    /// Runs placed requests, all of them in flight at the same time as far as the ring has room.
    fn compute(&mut self, placed: &[(&Request, Place)]) -> Result<Vec<End>, RunError> {
        let mut ends = vec![None; placed.len()];
        let mut keys: HashMap<(u16, &[u8]), Key> = HashMap::new();
        for (number, (request, place)) in placed.iter().enumerate() {
            let (at, len) = self.window(place);
            let lane = self.rig.module.lane();
            lane.write(at, len, |window| place.write(request, window))
                .map_err(error)?;
            let algorithm = request.algorithm;
            let key = algorithm.has_key().then(|| {
                let name = (algorithm.id.0, &request.key[..]);
                keys.entry(name).or_insert_with(|| {
                    self.next_key += 1;
                    Key::new(self.next_key, &request.key)
                })
            });
            self.submit(number, request, place, key, &mut ends)?;
            if number % PUBLISH == PUBLISH - 1 {
                self.rig.module.publish();
                self.reap(&mut ends)?;
            }
        }
        self.rig.module.publish();
        while self.rig.module.in_flight() > 0 {
            self.wait(&mut ends)?;
        }
        // Every other key is given up; the rest are there for others to push out of their slots.
        for (number, key) in keys.values().enumerate() {
            if number % 2 == 0 {
                self.rig.module.retire(key);
            }
        }
        Ok(ends)
    }

    /// Hands a request over, waiting for room if there is none.
    fn submit(
        &mut self,
        number: usize,
        request: &Request,
        place: &Place,
        mut key: Option<&mut Key>,
        ends: &mut [End],
    ) -> Result<(), RunError> {
        let order = Order {
            algorithm: request.algorithm,
            shape: request.shape,
            src: self.offset(place.src),
            dst: self.offset(place.dst),
            user: u64::try_from(number).unwrap_or(u64::MAX),
        };
        self.rig.module.set_tile_bytes(request.tile_bytes);
        loop {
            let module = &mut self.rig.module;
            if module.submit(&order, key.as_deref_mut()).map_err(error)? {
                return Ok(());
            }
            if module.in_flight() == 0 {
                return Err(RunError("a request does not fit into an empty ring".into()));
            }
            module.publish();
            self.wait(ends)?;
        }
    }

    /// Takes the completions there are. How many there were.
    fn reap(&mut self, ends: &mut [End]) -> Result<usize, RunError> {
        let done = |done: Done| {
            if let Some(end) = ends.get_mut(index(done.user)) {
                *end = Some((done.status, done.backend));
            }
        };
        self.rig.module.reap(done).map_err(error)
    }

    /// Waits for completions and takes them.
    fn wait(&mut self, ends: &mut [End]) -> Result<(), RunError> {
        let since = Instant::now();
        while self.reap(ends)? == 0 {
            let waited = since.elapsed();
            if self.rig.is_finished() {
                return Err(RunError("the helper ended by itself".into()));
            }
            if waited > SILENCE {
                let secs = SILENCE.as_secs();
                return Err(RunError(format!("the helper is silent for {secs} s")));
            }
            if waited > POLL {
                let nap = Duration::from_millis(100);
                self.rig.module.wait(nap).map_err(error)?;
            } else {
                std::hint::spin_loop();
            }
        }
        Ok(())
    }

    /// Tells of one request.
    fn tell(
        &mut self,
        (request, place): &(&Request, Place),
        end: End,
        told: &mut dyn FnMut(Ran<'_>),
    ) -> Result<(), RunError> {
        let (at, len) = self.window(place);
        let name = self.target.name;
        let code = self.target.code_for(request.algorithm);
        let lane = self.rig.module.lane();
        lane.read(at, len, |window| match (end, place.read(request, window)) {
            (Some((Status::Ok, backend)), Ok(output)) => {
                let proven = if backend == code { request.tiles() } else { 0 };
                told(Ran::Done { output, proven });
            }
            (Some((Status::Ok, _)), Err(why)) => told(Ran::Failed(&why)),
            (Some((status, _)), _) => {
                told(Ran::Failed(&format!("the {name} helper says `{status}`")));
            }
            (None, _) => told(Ran::Failed("no completion")),
        })
        .map_err(|refused| error(LoopError::Span(refused)))
    }
}

impl Runner for Ring {
    fn backend(&self) -> &str {
        self.target.name
    }

    fn run(
        &mut self,
        requests: &[&Request],
        done: &mut dyn FnMut(usize, Ran<'_>),
    ) -> Result<(), RunError> {
        let mut at = 0;
        while at < requests.len() {
            let mut arena = Arena::new(index(u64::from(POOL)));
            let rest = requests.iter().skip(at);
            let placed: Vec<(&Request, Place)> = rest
                .map_while(|request| Some((*request, arena.place(request)?)))
                .collect();
            if placed.is_empty() {
                return Err(RunError("a request does not fit into the pool".into()));
            }
            let ends = self.compute(&placed)?;
            for (one, end) in placed.iter().zip(ends) {
                self.tell(one, end, &mut |ran| done(at, ran))?;
                at += 1;
            }
        }
        Ok(())
    }
}
