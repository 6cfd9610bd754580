//! Ring words and completions that change under the module's eyes: a second thread flips them as
//! fast as it can while the first one serves rightly. A session that this ends is followed by the
//! next, until the time is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use kgpu_core::abi::{Completion, Layout, Reflect, word};
use kgpu_core::cell::Words;
use kgpu_core::peer::{Dice, MockHelper};

use crate::region::{Region, Trouble};

/// Flips for some seconds, in as many sessions as that takes.
pub fn run(seconds: u64, seed: u64) -> Result<(), Trouble> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut dice = Dice::new(seed);
    let (mut sessions, mut flips) = (0u64, 0);
    while Instant::now() < end {
        let (region, mut peer) = Region::attach(false)?;
        while region.is_open() && !region.is_live() {
            serve(&region, &mut peer)?;
        }
        sessions += 1;
        // Flipped completions end a session long before a word that cannot be is met by chance.
        let target = if sessions % 2 == 0 {
            Target::Entries
        } else {
            Target::Words
        };
        flips += session(&region, &mut peer, target, &mut dice, end)?;
        println!(
            "session {}, {target:?}, after {flips} flips: {}",
            region.session,
            region.state().label()
        );
        // The device is closed here.
    }
    println!("flipped {flips} times in {sessions} sessions");
    Ok(())
}

fn serve(region: &Region, peer: &mut MockHelper) -> Result<(), Trouble> {
    peer.beat(region.view());
    if peer.serve(region.view())? > 0 {
        region.kick();
    } else {
        sleep(Duration::from_micros(100));
    }
    Ok(())
}

fn session(
    region: &Region,
    peer: &mut MockHelper,
    target: Target,
    dice: &mut Dice,
    end: Instant,
) -> Result<u64, Trouble> {
    let stop = AtomicBool::new(false);
    let (helper, control) = (region.helper.words(), region.control.words());
    let layout = &region.layout;
    scope(|scope| {
        let flipper = scope.spawn(|| -> u64 {
            let mut flips = 0;
            while !stop.load(Ordering::Relaxed) {
                match target {
                    Target::Entries => flip_entry(helper, layout, dice),
                    Target::Words => flip_word(helper, control, layout, dice),
                }
                flips += 1;
            }
            flips
        });
        let mut served = Ok(());
        while served.is_ok() && region.is_open() && Instant::now() < end {
            served = serve(region, peer);
        }
        stop.store(true, Ordering::Relaxed);
        let flips = flipper.join();
        served?;
        flips.map_err(|_| Trouble::Other("the flipping thread panicked".to_owned()))
    })
}

/// What a session's second thread flips.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// Completions in the ring.
    Entries,
    /// Ring words.
    Words,
}

/// A ring word that is wrong for a moment, of any length: the first thread puts it right too.
fn flip_word(helper: Words<'_>, control: Words<'_>, layout: &Layout, dice: &mut Dice) {
    let at = [word::SQ_HEAD, word::CQ_TAIL][usize::from(dice.roll(2) == 0)];
    let right = helper.load(at);
    let ring = u64::from(layout.sizes.entries);
    let wrong = match dice.roll(64) {
        // Impossible.
        0 => dice.roll(u64::MAX),
        1 => right.wrapping_add(ring + 1),
        // Possible, and not so.
        2..=8 => right.wrapping_sub(1 + dice.roll(2)),
        9..=20 => control.load(word::SQ_TAIL),
        _ => right.wrapping_add(dice.roll(3)),
    };
    helper.store(at, wrong);
    for _ in 0..dice.roll(4096) {
        std::hint::spin_loop();
    }
    // Not over what the first thread wrote meanwhile.
    if helper.load(at) == wrong {
        helper.store(at, right);
    }
}

/// A bit of an entry. Not of the slot's number, nor of the low half of its generation: a
/// completion that names another request in flight, which is not done, is wrong data, and nobody
/// but who computes it again can tell.
fn flip_entry(helper: Words<'_>, layout: &Layout, dice: &mut Dice) {
    let entry = dice.roll(u64::from(layout.sizes.entries));
    let size = u64::try_from(Completion::SIZE).unwrap_or(0);
    let of = dice.roll(size / 8);
    let at = layout.cq_offset + entry * size + of * 8;
    let bit = if of == 0 {
        48 + dice.roll(16)
    } else {
        dice.roll(64)
    };
    helper.store(at, helper.load(at) ^ 1 << bit);
}
