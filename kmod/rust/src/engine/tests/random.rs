//! Long random schedules: whatever happens in whatever order, every request is answered once with
//! the right bytes, and nothing of the region is lost but what was quarantined.

use std::rc::Rc;

use kgpu_core::abi::{IOC_DETACH, Op};
use kgpu_core::peer::{Dice, Lie};

use super::{MS, World, bytes};
use crate::ffi::mock::{self, Request, Transform};

const STEPS: u32 = 400;

/// Ciphers, and the bytes of a key.
const CIPHERS: [(&str, usize); 5] = [
    ("cbc(aes)", 32),
    ("ctr(aes)", 16),
    ("xts(aes)", 64),
    ("cbc(blowfish)", 16),
    ("ecb(twofish)", 32),
];

struct Schedule {
    world: World,
    dice: Dice,
    tfms: Vec<Rc<Transform>>,
    waiting: Vec<Request>,
    answered: u64,
}

impl Schedule {
    fn tfm(dice: &mut Dice) -> Rc<Transform> {
        let (name, len) = CIPHERS[usize::try_from(dice.roll(CIPHERS.len() as u64)).unwrap()];
        mock::set_owner(1000 + dice.roll(3));
        Transform::new(name, &bytes(len, dice.roll(u64::MAX)))
    }

    fn submit(&mut self) {
        // Neighbours of one transform, now and then.
        let alike = self.dice.roll(3) == 0;
        let mut i = usize::try_from(self.dice.roll(self.tfms.len() as u64)).unwrap();
        let mut op = Op::Encrypt;
        for _ in 0..=self.dice.roll(6) {
            if !alike {
                i = usize::try_from(self.dice.roll(self.tfms.len() as u64)).unwrap();
                op = [Op::Encrypt, Op::Decrypt][usize::try_from(self.dice.roll(2)).unwrap()];
            }
            let most = [4, 40, 600][usize::try_from(self.dice.roll(3)).unwrap()];
            let blocks = 1 + self.dice.roll(most);
            let src = bytes(
                16 * usize::try_from(blocks).unwrap(),
                self.dice.roll(u64::MAX),
            );
            let mut iv = [0; 16];
            iv[0] = 0xff;
            iv[8..].copy_from_slice(&self.dice.roll(u64::MAX).to_be_bytes());
            let mut request = Request::cipher(&self.tfms[i], op, &src, iv);
            if self.dice.roll(2) == 0 {
                request = request.in_place();
            }
            if self.dice.roll(2) == 0 {
                request = request.may_backlog();
            }
            request.submit();
            self.waiting.push(request);
        }
    }

    /// A completion of something the helper has, bent.
    fn lie(&mut self) {
        // Believed: that it did not do it.
        let lies = Lie::ALL.iter().copied().filter(|lie| lie.is_completion());
        let lies: Vec<_> = lies.chain([Lie::Failing]).collect();
        let lie = self.dice.pick(&lies).unwrap();
        let Some(helper) = &mut self.world.helper else {
            return;
        };
        let Some(submission) = helper.peer.taken.pop_back() else {
            return;
        };
        if !helper.tell(lie, &submission, &mut self.dice) {
            helper.peer.taken.push_back(submission);
        }
    }

    fn helper(&mut self) {
        let count = self.dice.roll(8);
        let (order, twice) = (self.dice.roll(2) == 0, self.dice.roll(12) == 0);
        let Some(helper) = &mut self.world.helper else {
            return;
        };
        helper.take();
        for _ in 0..count {
            if order && !helper.peer.taken.is_empty() {
                helper.peer.taken.rotate_left(1);
            }
            let Some(submission) = helper.peer.taken.pop_front() else {
                break;
            };
            let completion = helper.compute(&submission);
            helper.post(&completion);
            if twice {
                helper.post(&completion);
            }
        }
    }

    fn step(&mut self) {
        match self.dice.roll(40) {
            0..=11 => self.submit(),
            12..=22 => self.helper(),
            23..=27 => {
                self.world.engine.pass();
            }
            28..=29 => {
                mock::run_work();
            }
            30 => {
                // Mostly one; now and then as many as quarantine.
                let count = if self.dice.roll(4) == 0 { 20 } else { 1 };
                for _ in 0..count {
                    self.lie();
                }
            }
            31..=32 => mock::advance(self.dice.roll(60) * MS),
            33 => {
                mock::advance(1100 * MS);
                if let Some(helper) = &self.world.helper {
                    helper.beat();
                }
            }
            34 => {
                let new = Self::tfm(&mut self.dice);
                let i = usize::try_from(self.dice.roll(self.tfms.len() as u64)).unwrap();
                // Freed with its last request.
                self.tfms[i] = new;
            }
            35 => {
                if self.dice.roll(4) == 0 && self.world.helper.is_some() {
                    self.world.kill();
                }
            }
            36 => {
                if self.dice.roll(10) == 0 && self.world.helper.is_some() {
                    self.world.ioctl(IOC_DETACH).unwrap();
                }
            }
            37 => {
                if self.world.helper.is_some() && !self.world.state().is_open() {
                    self.world.kill();
                }
            }
            _ => {
                if self.world.helper.is_none() {
                    self.world.attach();
                    self.world.start();
                }
            }
        }
        let before = self.waiting.len();
        self.waiting.retain(|request| {
            let is_done = request.answers() > 0;
            if is_done {
                request.finish();
            }
            !is_done
        });
        self.answered += (before - self.waiting.len()) as u64;
    }

    /// Lets everything come to its end.
    fn end(&mut self, kill: bool) {
        if kill {
            self.world.kill();
        } else if self.world.helper.is_some() {
            let helper = self.world.helper();
            helper.serve();
            self.world.settle();
            // What waited for room, and what the helper threw away.
            self.world.wait(1101 * MS);
            self.world.settle();
        }
        self.world.passes();
        for request in self.waiting.drain(..) {
            request.finish();
            self.answered += 1;
        }
        if self.world.helper.is_some() {
            self.world.assert_balanced();
        }
        for tfm in &self.tfms {
            let in_flight = &tfm.core().in_flight;
            assert_eq!(in_flight.load(std::sync::atomic::Ordering::Relaxed), 0);
            assert_eq!(Rc::strong_count(tfm), 1, "a request is kept");
        }
    }
}

/// Requests answered, requests taken over, helpers quarantined.
fn schedule(seed: u64) -> [u64; 3] {
    eprintln!("seed {seed}");
    run(Dice::new(seed), seed.is_multiple_of(2))
}

/// A schedule of somebody else's making.
pub(crate) fn play(rolls: &[u8]) {
    let mut dice = Dice::of(rolls);
    let kill = dice.roll(2) == 0;
    run(dice, kill);
    mock::forget_jobs();
}

fn run(mut dice: Dice, kill: bool) -> [u64; 3] {
    let world = World::new();
    world.set(1, ["*=0", "*=4096"][usize::try_from(dice.roll(2)).unwrap()]);
    world.set(7, ["2", "8"][usize::try_from(dice.roll(2)).unwrap()]);
    world.set(8, ["30", "100"][usize::try_from(dice.roll(2)).unwrap()]);
    world.set(11, ["64", "1"][usize::try_from(dice.roll(2)).unwrap()]);
    world.set(12, ["64", "0", "8"][usize::try_from(dice.roll(3)).unwrap()]);
    mock::set_queue_limit(24);
    let tfms = (0..6).map(|_| Schedule::tfm(&mut dice)).collect();
    let mut run = Schedule {
        world,
        dice,
        tfms,
        waiting: Vec::new(),
        answered: 0,
    };
    run.world.attach();
    run.world.start();
    for _ in 0..STEPS {
        if run.dice.is_over() {
            break;
        }
        run.step();
    }
    run.end(kill);
    let [quarantines, taken_over, _] = run.world.bad();
    [run.answered, taken_over, quarantines]
}

#[test]
fn whatever_happens_every_request_is_answered_once() {
    let mut totals = [0; 3];
    for seed in 0..12 {
        for (total, more) in totals.iter_mut().zip(schedule(seed)) {
            *total += more;
        }
    }
    // The schedules are worth something.
    let [answered, taken_over, quarantines] = totals;
    assert!(answered > 3_000, "{totals:?}");
    assert!(taken_over > 100 && quarantines > 3, "{totals:?}");
    eprintln!("answered, taken over, quarantines: {totals:?}");
}

#[test]
fn schedules_can_be_made_of_bytes() {
    let mut dice = Dice::new(99);
    let rolls: Vec<u8> = (0..1500).map(|_| dice.roll(256).to_le_bytes()[0]).collect();
    play(&rolls);
    play(&[]);
}
