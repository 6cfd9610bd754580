//! Looking at the counters until something has happened, and how long nothing happened meanwhile.
//! The only place that polls.

use std::fmt;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::counters::Counters;

/// Between two looks. A look itself takes about as long under emulation.
const POLL: Duration = Duration::from_millis(1);
/// Without a single completion for so long, requests are lost.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why a run can't go on.
#[derive(Debug)]
pub enum Trouble {
    /// Something did not happen in [`PATIENCE`].
    Stuck(String),
    /// A program or file did not do what it is there for.
    Broken(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stuck(what) => write!(f, "{what}: not within {} s", PATIENCE.as_secs()),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Broken(format!("the module's counters can't be read: {error}"))
    }
}

/// The counters over time.
#[derive(Debug)]
pub struct Watch {
    ended: u64,
    since: Instant,
    pause: Duration,
    looked: Instant,
}

impl Watch {
    /// Begins now.
    pub fn new() -> Self {
        Self {
            ended: 0,
            since: Instant::now(),
            pause: Duration::ZERO,
            looked: Instant::now(),
        }
    }

    /// Forgets the pauses so far.
    pub fn restart(&mut self) {
        self.since = Instant::now();
        self.pause = Duration::ZERO;
    }

    /// The longest time since [`Watch::restart`] in which no request ended, as far as was looked.
    pub const fn pause(&self) -> Duration {
        self.pause
    }

    /// When the look before the last one was: what a look sees has happened since.
    pub const fn looked(&self) -> Instant {
        self.looked
    }

    /// One look.
    ///
    /// # Errors
    /// [`Trouble`] when the module is gone.
    pub fn look(&mut self) -> Result<Counters, Trouble> {
        let counters = Counters::read()?;
        let now = Instant::now();
        self.pause = self.pause.max(now - self.since);
        if counters.ended() != self.ended {
            self.ended = counters.ended();
            self.since = now;
        }
        Ok(counters)
    }

    /// Looks until `happened`; `None` if it did not within `limit`.
    ///
    /// # Errors
    /// [`Trouble`] when the module is gone.
    pub fn within(
        &mut self,
        limit: Duration,
        mut happened: impl FnMut(&Counters) -> bool,
    ) -> Result<Option<Counters>, Trouble> {
        let start = Instant::now();
        loop {
            let before = Instant::now();
            let counters = self.look()?;
            if happened(&counters) {
                return Ok(Some(counters));
            }
            self.looked = before;
            if start.elapsed() > limit {
                return Ok(None);
            }
            sleep(POLL);
        }
    }

    /// Looks until `happened`.
    ///
    /// # Errors
    /// [`Trouble::Stuck`] if it did not within [`PATIENCE`].
    pub fn until(
        &mut self,
        what: &str,
        happened: impl FnMut(&Counters) -> bool,
    ) -> Result<Counters, Trouble> {
        self.within(PATIENCE, happened)?
            .ok_or_else(|| Trouble::Stuck(what.to_owned()))
    }
}
