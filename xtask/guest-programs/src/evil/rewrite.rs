//! Results that change after they were completed: a second thread overwrites the destinations of
//! the last completed requests as fast as it can. Wrong data, which nobody but who computes it
//! again can tell; the kernel itself must not mind.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use kgpu_core::peer::{Dice, MockHelper, Pool, View};

use kgpu_guest::device::SharedBytes;

use crate::liar;
use crate::region::{Region, Trouble};

/// Destinations that are overwritten.
const LAST: usize = 64;

/// Serves and rewrites until the session is over, and stays.
pub fn run(seed: u64) -> Result<(), Trouble> {
    let (region, mut peer) = Region::attach(false)?;
    let (stop, spans) = (AtomicBool::new(false), Mutex::new(VecDeque::new()));
    let pool = region.pool.shared_bytes();
    let served = scope(|scope| {
        scope.spawn(|| rewrite(pool, &spans, &stop, &mut Dice::new(seed)));
        let mut served = Ok(());
        while served.is_ok() && region.is_open() {
            served = serve(&region, &mut peer, &spans);
        }
        stop.store(true, Ordering::Relaxed);
        served
    });
    served?;
    println!("over: {}", region.state().label());
    liar::scribble(&region)
}

type Spans = Mutex<VecDeque<(u64, u32)>>;

fn serve(region: &Region, peer: &mut MockHelper, spans: &Spans) -> Result<(), Trouble> {
    let bytes = region.pool.shared_bytes();
    let view = View {
        pool: &bytes,
        ..region.view()
    };
    peer.beat(view);
    if peer.take(view)? == 0 {
        sleep(Duration::from_micros(100));
        return Ok(());
    }
    // Known answers are left alone: there is a lie of its own for them.
    let live = region.is_live();
    while let Some(submission) = peer.taken.pop_front() {
        let completion = peer.compute(view, &submission);
        peer.post(view, &completion)?;
        let Ok(mut spans) = spans.lock() else {
            return Err(Trouble::Other("the rewriting thread panicked".to_owned()));
        };
        for at in submission.tile_first..submission.tile_first + submission.tile_count {
            if let Some(tile) = peer.tile(view, at).filter(|_| live) {
                spans.push_back((tile.dst, tile.dst_len));
            }
        }
        let old = spans.len().saturating_sub(LAST);
        spans.drain(..old);
    }
    region.kick();
    Ok(())
}

fn rewrite(pool: SharedBytes<'_>, spans: &Spans, stop: &AtomicBool, dice: &mut Dice) {
    while !stop.load(Ordering::Relaxed) {
        let now: Vec<_> = match spans.lock() {
            Ok(spans) => spans.iter().copied().collect(),
            Err(_) => return,
        };
        if now.is_empty() {
            // Nothing was completed yet: the known answers need the processor and the lock.
            sleep(Duration::from_millis(1));
        }
        for (dst, len) in now {
            let at = dst + dice.roll(u64::from(len));
            let byte = u8::try_from(dice.roll(256)).unwrap_or(0);
            let _inside = pool.write(at, &[byte]);
        }
    }
}
