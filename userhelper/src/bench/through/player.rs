//! The module's side, played by one thread that does nothing but hand prepared requests over and
//! look at completions: no allocation, no copy of data, one look at the clock per batch.

use std::time::{Duration, Instant};

use kgpu_core::abi::{Completion, RequestId, Status};
use kgpu_core::num::{index, low32};

use super::super::clocks::{Clocks, Spent};
use super::super::numbers::Histogram;
use super::error::Broken;
use super::requests::Requests;
use crate::backend::CPU_CODE;
use crate::rig::Rig;

/// A helper that is silent for this long is broken.
const SILENCE: Duration = Duration::from_secs(60);
/// Looks at an empty ring between two looks at the clock.
const GLANCES: u32 = 256;

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ran {
    /// Requests done.
    pub requests: u64,
    /// From the first submission to the last completion.
    pub elapsed: Duration,
    /// Processor time meanwhile; `own` is the player's.
    pub spent: Spent,
    /// Requests of which the CPU computed some or all.
    pub by_cpu: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seat {
    /// Odd while the request is in flight.
    generation: u32,
    since_ns: u64,
}

/// The player of one set of requests.
#[derive(Debug)]
pub struct Player<'a> {
    rig: &'a mut Rig,
    requests: &'a Requests<'a>,
    seats: Vec<Seat>,
    finished: Vec<u32>,
    in_flight: usize,
    by_cpu: u64,
    start: Instant,
    poll: Duration,
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<'a> Player<'a> {
    /// A player with nothing in flight. It polls for `poll` before it sleeps.
    #[must_use]
    pub fn new(rig: &'a mut Rig, requests: &'a Requests<'a>, poll: Duration) -> Self {
        Self {
            rig,
            requests,
            seats: vec![Seat::default(); requests.list.len()],
            finished: Vec::with_capacity(requests.list.len()),
            in_flight: 0,
            by_cpu: 0,
            start: Instant::now(),
            poll,
        }
    }

    /// Hands a request over; the helper sees it with the next publication.
    fn submit(&mut self, number: u32, now_ns: u64) -> Result<(), Broken> {
        let at = index(u64::from(number));
        let (Some(request), Some(seat)) = (self.requests.list.get(at), self.seats.get_mut(at))
        else {
            return Ok(());
        };
        seat.generation = seat.generation.wrapping_add(1);
        seat.since_ns = now_ns;
        let module = &mut self.rig.module;
        // The module writes a request's tiles anew each time; so does its player, that the helper
        // has to fetch them.
        let tiles = self.requests.tiles.get(request.tiles.clone());
        for (tile, place) in tiles
            .unwrap_or_default()
            .iter()
            .zip(request.submission.tile_first..)
        {
            module.store_tile(place, tile);
        }
        let mut submission = request.submission;
        submission.request = RequestId {
            slot: number,
            generation: seat.generation,
        }
        .to_wire();
        if module.push(&submission)? {
            self.in_flight += 1;
            Ok(())
        } else {
            Err(Broken::Full)
        }
    }

    /// Believes a completion only if it is for a request in flight and says all was written.
    fn check(&mut self, completion: &Completion) -> Result<u32, Broken> {
        let id = RequestId::from_wire(completion.request);
        let stray = || Broken::Stray(*completion);
        let at = index(u64::from(id.slot));
        let (Some(seat), Some(request)) = (self.seats.get_mut(at), self.requests.list.get(at))
        else {
            return Err(stray());
        };
        let expected = &request.submission;
        if id.generation != seat.generation
            || seat.generation & 1 == 0
            || completion.session != expected.session
        {
            return Err(stray());
        }
        match Status::try_from(completion.status) {
            Ok(Status::Ok) if completion.written_len == expected.written_len => {}
            Ok(Status::Ok) => return Err(stray()),
            Ok(status) => return Err(Broken::Answer(status)),
            Err(_) => return Err(Broken::UnknownStatus(completion.status)),
        }
        seat.generation = seat.generation.wrapping_add(1);
        self.in_flight -= 1;
        self.by_cpu += u64::from(completion.backend == CPU_CODE);
        Ok(id.slot)
    }

    /// Waits for completions and takes all there are into `finished`. The result is the time at
    /// which they were seen.
    fn reap(&mut self) -> Result<Instant, Broken> {
        let mut since: Option<Instant> = None;
        let mut glances = 0u32;
        loop {
            while let Some(completion) = self.rig.module.pop()? {
                let number = self.check(&completion)?;
                self.finished.push(number);
            }
            if !self.finished.is_empty() {
                self.rig.module.release();
                return Ok(Instant::now());
            }
            glances += 1;
            if !glances.is_multiple_of(GLANCES) {
                std::hint::spin_loop();
                continue;
            }
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            if waited > SILENCE || self.rig.is_finished() {
                return Err(Broken::Silent);
            }
            if waited > self.poll {
                self.rig.module.wait(Duration::from_millis(100))?;
                glances = GLANCES - 1;
            }
        }
    }

    fn all(&self) -> u32 {
        low32(u64::try_from(self.requests.list.len()).unwrap_or(0))
    }

    fn now_ns(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.start))
    }

    /// Hands every request over at once and waits for all of them.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn burst(&mut self) -> Result<Ran, Broken> {
        let by_cpu = self.by_cpu;
        let start = Instant::now();
        let now = self.now_ns(start);
        for number in 0..self.all() {
            self.submit(number, now)?;
        }
        self.rig.module.publish();
        let mut last = start;
        while self.in_flight > 0 {
            last = self.reap()?;
            self.finished.clear();
        }
        Ok(Ran {
            requests: u64::from(self.all()),
            elapsed: last.saturating_duration_since(start),
            spent: Spent::default(),
            by_cpu: self.by_cpu - by_cpu,
        })
    }

    /// Keeps all requests in flight for a while: each is handed over again as soon as it is done.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn run(&mut self, duration: Duration, latencies: &mut Histogram) -> Result<Ran, Broken> {
        let (clocks, by_cpu) = (Clocks::now(), self.by_cpu);
        let start = Instant::now();
        let now = self.now_ns(start);
        for number in 0..self.all() {
            self.submit(number, now)?;
        }
        self.rig.module.publish();
        let (mut requests, mut last) = (0, start);
        while self.in_flight > 0 {
            last = self.reap()?;
            let over = last.saturating_duration_since(start) >= duration;
            let now = self.now_ns(last);
            let mut finished = std::mem::take(&mut self.finished);
            for number in finished.drain(..) {
                let seat = self.seats.get(index(u64::from(number)));
                latencies.add(now.saturating_sub(seat.map_or(now, |seat| seat.since_ns)));
                requests += 1;
                if !over {
                    self.submit(number, now)?;
                }
            }
            self.finished = finished;
            if !over {
                self.rig.module.publish();
            }
        }
        Ok(Ran {
            requests,
            elapsed: last.saturating_duration_since(start),
            spent: clocks.spent(),
            by_cpu: self.by_cpu - by_cpu,
        })
    }
}
