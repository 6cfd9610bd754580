//! A helper for chaos runs: serves rightly, on one thread, and strikes when it is told to and has
//! a request in hand. It ends with its session.

use std::collections::VecDeque;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use kgpu_core::abi::{IOC_DETACH, SessionState, Status, Submission};
use kgpu_core::peer::{Dice, Lie, MockHelper};
use kgpu_guest::device::ioctl;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Signal, getpid, kill_process};

use crate::control::{Control, From};
use crate::region::{Region, Trouble, system};
use crate::start;
use crate::strike::Strike;

/// The heartbeat's pace, and the longest sleep.
const BEAT: Duration = Duration::from_millis(50);
/// How long to look for work before sleeping.
const SPIN: Duration = Duration::from_micros(50);
/// Answers between two looks at everything else.
const BATCH: usize = 16;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// It was told to quit, and had answered everything.
    Quit,
    /// The module retired it.
    Retired,
    /// The module quarantined it.
    Quarantined,
    /// Another helper took over.
    Replaced,
}

impl Over {
    /// The exit code: none of those that other failures have.
    pub const fn code(self) -> u8 {
        match self {
            Self::Quit => 0,
            Self::Retired => 3,
            Self::Quarantined => 4,
            Self::Replaced => 5,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::Retired => "retired",
            Self::Quarantined => "quarantined",
            Self::Replaced => "replaced",
        }
    }
}

/// What was done to requests so far.
#[derive(Debug, Default)]
struct Counts {
    spoiled: u64,
    failed: u64,
    garbage: u64,
    slowed: u64,
}

struct Chaos {
    region: Region,
    peer: MockHelper,
    control: Control,
    dice: Dice,
    /// Strikes that wait for a request.
    strikes: VecDeque<(Strike, From)>,
    spoil: u64,
    fail: u64,
    garbage: u64,
    /// Held back, and until when.
    slow: VecDeque<(Instant, Submission)>,
    /// The ring word that is kept wrong.
    word: Option<Lie>,
    /// Who asked to quit.
    quit: Option<From>,
    beat: Instant,
    counts: Counts,
}

/// Serves until the session is over.
pub fn run(control: &Path, seed: u64, takeover: bool, wait: bool) -> Result<Over, Trouble> {
    let mut control = Control::listen(control)?;
    let (region, peer) = if wait {
        start::when_told(&mut control, takeover)?
    } else {
        Region::attach(takeover)?
    };
    println!("session {}", region.session);
    let mut chaos = Chaos {
        region,
        peer,
        control,
        dice: Dice::new(seed),
        strikes: VecDeque::new(),
        spoil: 0,
        fail: 0,
        garbage: 0,
        slow: VecDeque::new(),
        word: None,
        quit: None,
        beat: Instant::now(),
        counts: Counts::default(),
    };
    let over = chaos.serve()?;
    let line = format!("over {} {}", over.label(), chaos.status());
    for (_, from) in std::mem::take(&mut chaos.strikes) {
        chaos.control.answer(from, &line);
    }
    if let Some(from) = chaos.quit {
        let bye = format!("bye {}", chaos.status());
        chaos.control.answer(from, &bye);
    }
    println!("{line}");
    Ok(over)
}

impl Chaos {
    fn serve(&mut self) -> Result<Over, Trouble> {
        let mut idle = Instant::now();
        loop {
            if self.beat.elapsed() >= BEAT {
                self.beat = Instant::now();
                self.peer.beat(self.region.view());
                self.peer.forget(self.region.view());
            }
            self.commands()?;
            let state = self.region.state();
            if state == SessionState::Quarantined {
                return Ok(Over::Quarantined);
            }
            let any = self.turn()?;
            // Nothing more is sent to it: it has answered all when its hands are empty.
            if !state.is_open() && !any && self.in_flight()? == 0 {
                return Ok(match (self.quit, state) {
                    (Some(_), _) => Over::Quit,
                    (None, SessionState::Replaced) => Over::Replaced,
                    (None, _) => Over::Retired,
                });
            }
            if any {
                idle = Instant::now();
            } else if idle.elapsed() > SPIN {
                self.sleep()?;
            } else {
                std::hint::spin_loop();
            }
        }
    }

    /// Requests taken and not answered, and those that wait in the ring.
    fn in_flight(&mut self) -> Result<usize, Trouble> {
        let waiting = self.peer.waiting(self.region.view())?;
        let waiting = usize::try_from(waiting).unwrap_or(0);
        Ok(self.peer.taken.len() + self.slow.len() + waiting)
    }

    /// Does what there is to do now; whether there was anything.
    fn turn(&mut self) -> Result<bool, Trouble> {
        let view = self.region.view();
        if let Some(lie) = self.word {
            // Serving would put the word right again.
            self.peer.misplace(view, lie);
            self.region.kick();
            return Ok(false);
        }
        self.peer.take(view)?;
        while self.region.is_live() && !self.peer.taken.is_empty() {
            let Some((strike, from)) = self.strikes.pop_front() else {
                break;
            };
            self.strike(strike, from)?;
            if self.word.is_some() {
                return Ok(true);
            }
        }
        let posted = self.peer.posted();
        self.bogus()?;
        for _ in 0..BATCH {
            let late = self.slow.front();
            let due = late.is_some_and(|(when, _)| *when <= Instant::now());
            let next = if due {
                self.slow.pop_front().map(|(_, submission)| submission)
            } else {
                None
            };
            let Some(submission) = next.or_else(|| self.peer.taken.pop_front()) else {
                break;
            };
            if self.peer.room(self.region.view())? == 0 {
                // Garbage has the room.
                self.peer.taken.push_front(submission);
                break;
            }
            self.answer(&submission)?;
        }
        let any = self.peer.posted() > posted;
        if any {
            self.region.kick_if_asked();
        }
        Ok(any)
    }

    fn answer(&mut self, submission: &Submission) -> Result<(), Trouble> {
        let view = self.region.view();
        let completion = if self.fail > 0 {
            self.fail -= 1;
            self.counts.failed += 1;
            self.peer.completion(submission, Status::BackendFailed)
        } else {
            self.peer.compute(view, submission)
        };
        if self.spoil > 0 && completion.status == Status::Ok.code() {
            self.spoil -= 1;
            if self.peer.spoil(view, submission, &mut self.dice) {
                self.counts.spoiled += 1;
            }
        }
        self.peer.post(view, &completion)?;
        Ok(())
    }

    /// Posts garbage that is still owed, as far as there are requests to bend and room.
    fn bogus(&mut self) -> Result<(), Trouble> {
        let view = self.region.view();
        let lies: Vec<_> = Lie::ALL.iter().filter(|lie| lie.is_completion()).collect();
        // A doubled completion takes two places.
        while self.garbage > 0 && self.peer.room(view)? > 1 {
            let (Some(lie), Some(submission)) =
                (self.dice.pick(&lies), self.peer.taken.pop_front())
            else {
                break;
            };
            if !self.peer.tell(view, *lie, &submission, &mut self.dice)? {
                self.peer.taken.push_front(submission);
            }
            self.garbage -= 1;
            self.counts.garbage += 1;
        }
        Ok(())
    }

    fn strike(&mut self, strike: Strike, from: From) -> Result<(), Trouble> {
        let line = format!("struck {} in-flight {}", strike.label(), self.in_flight()?);
        // Written before it is done: a dead or stopped process answers nothing.
        self.control.answer(from, &line);
        println!("{line}");
        match strike {
            Strike::Garbage(count) => self.garbage += count,
            Strike::WrongData(count) => self.spoil += count,
            Strike::Error(count) => self.fail += count,
            Strike::Slow(time) => {
                let due = Instant::now() + time;
                let held = self.peer.taken.drain(..).map(|request| (due, request));
                let before = self.slow.len();
                self.slow.extend(held);
                self.slow.make_contiguous().sort_by_key(|(due, _)| *due);
                self.counts.slowed += u64::try_from(self.slow.len() - before).unwrap_or(0);
            }
            Strike::Words => {
                let words: Vec<_> = Lie::ALL.iter().filter(|lie| lie.is_word()).collect();
                self.word = self.dice.pick(&words).copied();
            }
            Strike::Kill => kill_process(getpid(), Signal::KILL).map_err(system("kill"))?,
            Strike::Stop => kill_process(getpid(), Signal::STOP).map_err(system("kill"))?,
        }
        Ok(())
    }

    fn status(&mut self) -> String {
        let mut line = format!(
            "state {} session {} taken {} posted {}",
            self.region.state().label(),
            self.region.session,
            self.peer.taken_ever(),
            self.peer.posted(),
        );
        if let Ok(in_flight) = self.in_flight() {
            let _infallible = write!(line, " in-flight {in_flight}");
        }
        let counts = &self.counts;
        let _infallible = write!(
            line,
            " spoiled {} failed {} garbage {} slowed {} waiting-strikes {}",
            counts.spoiled,
            counts.failed,
            counts.garbage,
            counts.slowed,
            self.strikes.len(),
        );
        line
    }

    fn commands(&mut self) -> Result<(), Trouble> {
        for (from, line) in self.control.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            match words.as_slice() {
                ["status"] => {
                    let status = self.status();
                    self.control.answer(from, &status);
                }
                ["quit"] => {
                    // Refused where the session is over: then it ends as that says.
                    let _over = ioctl(&self.region.device, IOC_DETACH.request);
                    self.quit = Some(from);
                }
                ["strike", rest @ ..] => match Strike::parse(rest) {
                    Ok(strike) => self.strikes.push_back((strike, from)),
                    Err(why) => self.control.answer(from, &format!("error {why}")),
                },
                _ => self.control.answer(from, "error status, quit or strike"),
            }
        }
        Ok(())
    }

    /// Sleeps until there is something to look at.
    fn sleep(&self) -> Result<(), Trouble> {
        let due = self.slow.front().map(|(due, _)| *due);
        let left = due.map_or(BEAT, |due| due.saturating_duration_since(Instant::now()));
        let time = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(left.min(BEAT).subsec_nanos()),
        };
        let mut fds: Vec<_> = self
            .control
            .fds()
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        // With a broken word the device always has something to say.
        if self.word.is_none() && self.region.is_open() {
            fds.push(PollFd::new(&self.region.device, PollFlags::IN));
        }
        match rustix::event::poll(&mut fds, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(errno) => Err(Trouble::System("poll", errno)),
        }
    }
}
