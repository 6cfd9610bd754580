//! The strikes: one function for each kind of fault, which strikes, sees that work goes on, and says
//! what the strike itself proves to have hit.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::counters::{self, Counters};
use super::helpers::Helper;
use super::hog::Hog;
use super::plan::{Kind, Step, Who};
use super::watch::{Trouble, Watch};

/// How long a strike waits for requests to hit, at most: it falls then, and does not count.
const SOME_WORK: Duration = Duration::from_millis(300);
/// A helper that was taken over from has so long to end by itself.
const FAREWELL: Duration = Duration::from_secs(10);
const DEADLINE: &str = "/sys/module/kgpu/parameters/deadline_ms";
/// While a helper is being tested: its answers are many, and emulation is slow.
const TESTING: Duration = Duration::from_secs(5);
/// With so many requests to bend there is garbage enough for a quarantine at once.
const GARBAGE_ENOUGH: u64 = 20;
/// What a strike leads to is there after this time, or it hit nothing.
const FOUND_OUT: Duration = Duration::from_millis(1500);
/// As much beyond the deadline can a slow completion come, in per cent of it.
const SLOW_PERCENT: u64 = 150;

/// What a strike came to.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Requests in flight at the helper that are proven to have been there.
    pub in_flight: u64,
    /// From the strike until work went on.
    pub recovery: Duration,
    /// The longest time without an end of any request, within the recovery.
    pub pause: Duration,
    /// For a stop: from it until the last request was taken back.
    pub hang: Option<Duration>,
    /// For wrong data: requests answered by the helper from the first wrong one to its quarantine.
    pub undetected: Option<u64>,
}

/// The machine under attack.
#[derive(Debug)]
pub struct Field {
    /// The counters.
    pub watch: Watch,
    /// The helper that serves.
    pub helper: Helper,
    /// The next one, if it was started ahead.
    standby: Option<Helper>,
    /// The process that takes memory.
    hog: Option<Hog>,
    /// The module's deadline.
    deadline: Duration,
    /// As many must have ended until none is under way that was handed over under [`TESTING`].
    settled: u64,
    /// Helpers that ended unasked.
    pub unplanned: u64,
}

impl Field {
    /// With a first helper, which serves when this returns.
    ///
    /// # Errors
    /// [`Trouble`] when it does not get there.
    pub fn new(who: Who, seed: u64, deadline: Duration, pressure: bool) -> Result<Self, Trouble> {
        let hog = if pressure { Some(Hog::start()?) } else { None };
        let mut field = Self {
            watch: Watch::new(),
            helper: Helper::start(who, seed, false)?,
            standby: None,
            hog,
            deadline,
            settled: 0,
            unplanned: 0,
        };
        let before = field.watch.look()?;
        field.helper.attach()?;
        field.serves(&before)?;
        Ok(field)
    }

    /// Strikes.
    ///
    /// # Errors
    /// [`Trouble`] when work does not go on, or something breaks.
    pub fn strike(&mut self, step: &Step) -> Result<Outcome, Trouble> {
        std::thread::sleep(Duration::from_millis(step.pause_ms));
        if matches!(step.kind, Kind::Stop | Kind::Slow) {
            let settled = self.settled;
            self.watch
                .within(TESTING, |c| c.helper + c.taken_over >= settled)?;
        }
        let wanted = if step.kind == Kind::Garbage {
            GARBAGE_ENOUGH
        } else {
            1
        };
        self.watch.within(SOME_WORK, |c| c.in_flight >= wanted)?;
        self.watch.restart();
        let mut outcome = match step.kind {
            Kind::Kill => self.kill(step),
            Kind::Stop => self.stop(),
            Kind::Takeover => self.takeover(step),
            Kind::Garbage => self.quarantined_by(step, &format!("garbage {}", 40 + step.number)),
            Kind::Words => self.quarantined_by(step, "words"),
            Kind::WrongData => self.wrong_data(step),
            Kind::Slow => self.slow(step),
            Kind::Error => self.error(step),
            Kind::Pressure => self.pressure(),
        }?;
        outcome.pause = self.watch.pause();
        Ok(outcome)
    }

    /// The helper that will be needed next starts now, if its program waits until it is told to attach.
    ///
    /// # Errors
    /// [`Trouble`] when the program does not start.
    pub fn prepare(&mut self, ending: &Step) -> Result<(), Trouble> {
        if ending.next == Who::Evil && self.standby.is_none() {
            let takeover = ending.kind == Kind::Takeover;
            self.standby = Some(Helper::start(ending.next, ending.seed, takeover)?);
        }
        Ok(())
    }

    /// The next helper, which is attaching when this returns.
    fn next(&mut self, step: &Step) -> Result<Helper, Trouble> {
        let mut next = match self.standby.take() {
            Some(standby) => standby,
            None => Helper::start(step.next, step.seed, step.kind == Kind::Takeover)?,
        };
        next.attach()?;
        Ok(next)
    }

    /// Waits until a helper has completed a request since `before`, with whatever restarts that takes.
    fn serves(&mut self, before: &Counters) -> Result<(), Trouble> {
        set_deadline(TESTING)?;
        let (helper, unplanned) = (&mut self.helper, &mut self.unplanned);
        let mut broken = None;
        self.watch.until("a request completed by a helper", |c| {
            match helper.again_if_over() {
                Ok(true) => *unplanned += 1,
                Ok(false) => {}
                Err(trouble) => broken = Some(trouble),
            }
            // Rechecks of a session before may end after it did: the helper must be live, too.
            (c.helper > before.helper && is_live()) || broken.is_some()
        })?;
        broken.map_or(Ok(()), Err)?;
        set_deadline(self.deadline)?;
        let now = self.watch.look()?;
        self.settled = now.helper + now.taken_over + now.in_flight;
        Ok(())
    }

    /// Waits for the end of the session that `before` was in, and for the next one to serve.
    fn next_serves(&mut self, step: &Step, before: &Counters) -> Result<Counters, Trouble> {
        // It may have been retired just before it was struck.
        let closed = self.watch.until("the end of the session", |c| {
            c.closed > before.closed || !before.has_session()
        })?;
        set_deadline(TESTING)?;
        self.helper = self.next(step)?;
        self.serves(&closed)?;
        Ok(closed)
    }

    fn kill(&mut self, step: &Step) -> Result<Outcome, Trouble> {
        let before = self.watch.look()?;
        let struck = Instant::now();
        self.helper.kill();
        self.next_serves(step, &before)?;
        let recovery = struck.elapsed();
        // By now those that the dead one had are done, if not all of them.
        let after = self.watch.look()?;
        Ok(outcome(after.death - before.death, recovery))
    }

    fn stop(&mut self) -> Result<Outcome, Trouble> {
        // Looked at before: on a slow machine the deadline may be over when the helper is seen to be stopped.
        let before = self.watch.look()?;
        let struck = Instant::now();
        self.helper.stop();
        let stopped = self.watch.look()?;
        let mut taken = 0;
        self.watch
            .until("requests taken back at the deadline", |c| {
                taken = c.deadline - before.deadline;
                let over = c.quarantines > before.quarantines || c.closed > before.closed;
                // Retired just before, it has nothing, and attaches anew only when it goes on.
                over || !stopped.has_session()
                    || (taken > 0 && (c.in_flight == 0 || taken >= stopped.in_flight))
            })?;
        let hang = struck.elapsed();
        if before.in_flight.max(stopped.in_flight) == 0 {
            // What was late already was not struck.
            taken = 0;
        }
        let back = self.watch.look()?;
        self.helper.cont();
        self.serves(&back)?;
        Ok(Outcome {
            hang: Some(hang),
            ..outcome(taken, struck.elapsed())
        })
    }

    fn takeover(&mut self, step: &Step) -> Result<Outcome, Trouble> {
        let before = self.watch.look()?;
        set_deadline(TESTING)?;
        let next = self.next(step)?;
        let mut old = std::mem::replace(&mut self.helper, next);
        // The old one may have been retired just before: then the new one did not take over.
        let swapped = self.watch.until("a takeover", |c| {
            let attached_only = !before.has_session() && c.sessions > before.sessions;
            c.takeovers > before.takeovers || c.closed > before.closed || attached_only
        })?;
        let took_over = swapped.takeovers > before.takeovers;
        let struck = self.watch.looked();
        self.serves(&swapped)?;
        let recovery = struck.elapsed();
        if !took_over && old.who == Who::Product {
            // Retired, it goes on trying to attach anew while another one is there, longer than a farewell takes.
            old.kill();
        } else if !old.ends_within(FAREWELL) {
            return Err(Trouble::Broken(
                "a helper that was taken over from does not end".to_owned(),
            ));
        }
        let hit = if took_over {
            swapped.takeover_in_flight
        } else {
            0
        };
        Ok(outcome(hit, recovery))
    }

    /// A strike after which the module has to throw the helper out. It hits nothing if the requests that were
    /// struck missed their deadline anyhow, or the session ended for another reason.
    fn quarantined_by(&mut self, step: &Step, what: &str) -> Result<Outcome, Trouble> {
        let before = self.watch.look()?;
        let in_flight = self.helper.strike(what)?;
        let since = Instant::now();
        let found = match in_flight {
            0 => None,
            _ => self
                .watch
                .within(FOUND_OUT, |c| c.quarantines > before.quarantines)?,
        };
        if found.is_none() {
            self.serves(&before)?;
            return Ok(outcome(0, since.elapsed()));
        }
        self.helper.kill();
        self.next_serves(step, &before)?;
        Ok(outcome(in_flight, since.elapsed()))
    }

    fn wrong_data(&mut self, step: &Step) -> Result<Outcome, Trouble> {
        let before = self.watch.look()?;
        let mut outcome =
            self.quarantined_by(step, &format!("wrong-data {}", 1 + step.number % 4))?;
        let after = self.watch.look()?;
        let found = after.rechecks_wrong > before.rechecks_wrong;
        outcome.undetected = (outcome.in_flight > 0 && !found).then_some(1);
        Ok(outcome)
    }

    fn slow(&mut self, step: &Step) -> Result<Outcome, Trouble> {
        let most = u64::try_from(self.deadline.as_millis()).unwrap_or(1000) * SLOW_PERCENT / 100;
        let late = 10 + most * step.number / 32;
        let before = self.watch.look()?;
        let in_flight = self.helper.strike(&format!("slow {late}"))?;
        let since = Instant::now();
        // As many as it had have ended, here or there, and it serves again. It may have had some that the
        // module had taken back before.
        let ended = self.watch.until("the end of the slow requests", |c| {
            c.in_flight == 0
                || c.helper + c.taken_over >= before.helper + before.taken_over + in_flight
        })?;
        self.serves(&ended)?;
        Ok(outcome(in_flight, since.elapsed()))
    }

    /// Counts if the CPU had to do what the helper said it could not.
    fn error(&mut self, step: &Step) -> Result<Outcome, Trouble> {
        let count = 1 + step.number % 8;
        let before = self.watch.look()?;
        let in_flight = self.helper.strike(&format!("error {count}"))?;
        let since = Instant::now();
        // Fewer if some of them were late as well.
        self.watch
            .within(FOUND_OUT, |c| c.failed >= before.failed + count)?;
        let ended = self.watch.look()?;
        self.serves(&ended)?;
        let counts = ended.failed > before.failed;
        Ok(outcome(if counts { in_flight } else { 0 }, since.elapsed()))
    }

    /// Counts if there was reclaim, requests were in flight while it lasted, and the helper completed some of them.
    fn pressure(&mut self) -> Result<Outcome, Trouble> {
        let Some(hog) = self.hog.as_mut() else {
            return Err(Trouble::Broken("there is no memory hog".to_owned()));
        };
        let before = self.watch.look()?;
        let struck = Instant::now();
        hog.squeeze()?;
        let (mut most, mut reclaimed, mut recovery) = (0, None, None);
        let after = self.watch.within(Hog::PATIENCE, |c| {
            most = most.max(c.in_flight);
            if c.helper > before.helper {
                recovery.get_or_insert_with(|| struck.elapsed());
            }
            reclaimed = hog.answer();
            reclaimed.is_some()
        })?;
        let after = after.ok_or_else(|| Trouble::Broken("the memory hog: no answer".to_owned()))?;
        let counts = reclaimed.is_some_and(|pages| pages > 0) && after.helper > before.helper;
        self.serves(&after)?;
        Ok(outcome(
            if counts { most } else { 0 },
            recovery.unwrap_or_else(|| struck.elapsed()),
        ))
    }

    /// What the module and the helpers have to say of a trouble.
    pub fn dump(&mut self) -> String {
        format!(
            "helper {} ({}), over: {}; standby: {}\n{}",
            self.helper.who.label(),
            counters::state(),
            self.helper.is_over(),
            self.standby.is_some(),
            counters::dump()
        )
    }

    /// Ends the helpers.
    pub fn end(mut self) {
        self.helper.signal(Signal::TERM);
        let _over = self.helper.ends_within(FAREWELL);
    }
}

fn set_deadline(deadline: Duration) -> Result<(), Trouble> {
    fs::write(DEADLINE, deadline.as_millis().to_string())
        .map_err(|error| Trouble::Broken(format!("{DEADLINE}: {error}")))
}

const fn outcome(in_flight: u64, recovery: Duration) -> Outcome {
    Outcome {
        in_flight,
        recovery,
        pause: Duration::ZERO,
        hang: None,
        undetected: None,
    }
}

/// Whether the module routes requests to a helper.
fn is_live() -> bool {
    std::fs::read_to_string("/proc/kgpu")
        .is_ok_and(|text| text.lines().any(|line| line.starts_with("state: live")))
}
