//! Serves rightly until it is time for its one lie, tells it to every request, and then stays:
//! what it does to the region from then on must hurt nobody.

use std::thread::sleep;
use std::time::{Duration, Instant};

use kgpu_core::abi::{Status, Submission};
use kgpu_core::peer::lie::Stage;
use kgpu_core::peer::{Dice, Lie, MockHelper};

use crate::region::{Region, Trouble};

/// As many wrong completions as get a helper quarantined for sure.
const ENOUGH: usize = 20;
/// How late: more than twice the deadline of the suite that asks for it.
const LATE: Duration = Duration::from_secs(3);
/// As many requests are answered late.
const HELD: usize = 24;

struct Liar {
    lie: Lie,
    region: Region,
    peer: MockHelper,
    dice: Dice,
    /// Since when the last request that is to be late waits.
    since: Instant,
    was_late: bool,
    /// A word of the ring has its impossible value.
    misplaced: bool,
}

/// Serves, lies, and stays until killed.
pub fn run(lie: Lie, seed: u64) -> Result<(), Trouble> {
    let (region, peer) = Region::attach(false)?;
    let mut liar = Liar {
        lie,
        region,
        peer,
        dice: Dice::new(seed),
        since: Instant::now(),
        was_late: false,
        misplaced: false,
    };
    while liar.region.is_open() {
        liar.turn()?;
        sleep(Duration::from_micros(200));
    }
    println!("over: {}", liar.region.state().label());
    scribble(&liar.region)
}

/// Fills what it can write to until it is killed: the kernel must not care any more.
pub fn scribble(region: &Region) -> Result<(), Trouble> {
    for byte in (0..=u8::MAX).cycle() {
        region.pool.fill(byte);
        region.helper.fill(byte);
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl Liar {
    fn turn(&mut self) -> Result<(), Trouble> {
        let view = self.region.view();
        self.peer.beat(view);
        if self.misplaced {
            // Serving would put it right again, perhaps before anybody has looked.
            self.peer.misplace(view, self.lie);
            self.region.kick();
            return Ok(());
        }
        let mut any = self.peer.take(view)? > 0;
        while let Some(submission) = self.peer.taken.pop_front() {
            // Live is what is asked for before the request is looked at: the state changes once
            // only, after the last known answer.
            let stage = if self.region.is_live() {
                Stage::Live
            } else {
                Stage::Testing
            };
            if stage == self.lie.stage() {
                self.tell(&submission)?;
            } else {
                self.serve(&submission)?;
            }
        }
        any |= self.be_late()?;
        if any {
            if self.region.is_live() && self.lie.is_word() {
                self.peer.misplace(self.region.view(), self.lie);
                self.misplaced = true;
            }
            // Whether it sleeps or not: a kick too many is no fault.
            self.region.kick();
        }
        Ok(())
    }

    fn serve(&mut self, submission: &Submission) -> Result<(), Trouble> {
        let view = self.region.view();
        let completion = self.peer.compute(view, submission);
        if completion.status != Status::Ok.code() {
            eprintln!("evil-helper: a request could not be computed");
        }
        self.peer.post(view, &completion)?;
        Ok(())
    }

    fn tell(&mut self, submission: &Submission) -> Result<(), Trouble> {
        let view = self.region.view();
        if self.lie.is_word() || (self.lie == Lie::Late && self.was_late) {
            // Words are broken afterwards; who was late once is not again.
            return self.serve(submission);
        }
        if self.lie == Lie::Late {
            if self.peer.late.len() == HELD {
                return self.serve(submission);
            }
            self.since = Instant::now();
        }
        if self.lie == Lie::Doubled {
            let good = self.peer.compute(view, submission);
            for _ in 0..ENOUGH {
                self.peer.post(view, &good)?;
            }
            return Ok(());
        }
        let times = if self.lie.is_completion() { ENOUGH } else { 1 };
        for _ in 0..times {
            self.peer.tell(view, self.lie, submission, &mut self.dice)?;
        }
        Ok(())
    }

    /// Writes and answers what was held back, when the kernel has long done it itself.
    fn be_late(&mut self) -> Result<bool, Trouble> {
        if self.peer.late.is_empty() || self.since.elapsed() < LATE {
            return Ok(false);
        }
        let view = self.region.view();
        for submission in std::mem::take(&mut self.peer.late) {
            self.peer.scribble(view, &submission, 0xee);
            let completion = self.peer.completion(&submission, Status::Ok);
            self.peer.post(view, &completion)?;
        }
        self.was_late = true;
        println!("wrote late");
        Ok(true)
    }
}
