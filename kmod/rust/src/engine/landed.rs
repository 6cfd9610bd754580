//! Results that wait to be delivered: those of one pass, and those handed to deliverers, work items that run on other
//! processors. There are few of them, and each goes on as long as there is something: waking one up costs more than
//! copying tens of KiB.

use crate::chain::Chain;
use crate::ffi::{self, Guarded, Job, lock};
use crate::params;

/// Most deliverers; the glue has so many work items.
pub const DELIVERERS: u32 = 16;

/// Lots that wait, and who is at them.
#[derive(Debug)]
struct Waiting {
    /// The last one first.
    new: Option<Job>,
    /// The first one first, all before `new`.
    old: Option<Job>,
    /// Deliverers that are at work, or were told to begin.
    at_work: u32,
}

/// Handed over and not begun. Under the lock. A lot is a list of chains by their first requests' `before`, the last chain
/// first; lots are linked by `lot`.
static WAITING: Guarded<Waiting> = Guarded::new(Waiting {
    new: None,
    old: None,
    at_work: 0,
});

impl Waiting {
    fn take(&mut self) -> Option<Job> {
        if self.old.is_none() {
            // Each lot is turned around once.
            while let Some(mut lot) = self.new.take() {
                self.new = core::mem::replace(&mut lot.core_mut().lot, self.old.take());
                self.old = Some(lot);
            }
        }
        let mut lot = self.old.take()?;
        self.old = lot.core_mut().lot.take();
        Some(lot)
    }

    /// A deliverer to begin, unless enough are at work.
    fn another(&mut self) -> Option<u32> {
        // One processor is the engine's.
        let most = ffi::processors().saturating_sub(1).clamp(1, DELIVERERS);
        let free = (!self.at_work).trailing_zeros();
        if self.at_work.count_ones() >= most || free >= DELIVERERS {
            return None;
        }
        self.at_work |= 1 << free;
        Some(free)
    }
}

/// Hands a lot to a deliverer.
fn hand_over(mut lot: Job) {
    let begin = {
        let mut guard = lock();
        let waiting = WAITING.get(&mut guard);
        lot.core_mut().lot = waiting.new.take();
        waiting.new = Some(lot);
        waiting.another()
    };
    if let Some(number) = begin {
        ffi::deliver_later(number);
    }
}

/// Delivers the next lot, as the deliverer of a number. `false` when there is none: it is not at work any more.
pub fn deliver(number: u32) -> bool {
    let lot = {
        let mut guard = lock();
        let waiting = WAITING.get(&mut guard);
        let lot = waiting.take();
        if lot.is_none() {
            waiting.at_work &= !(1 << number);
        }
        lot
    };
    lot.map(super::deliver::all).is_some()
}

/// Lots that nobody has begun with.
#[cfg(test)]
pub(crate) fn waiting() -> usize {
    let mut guard = lock();
    let waiting = WAITING.get(&mut guard);
    let count = |first: &Option<Job>| {
        core::iter::successors(first.as_ref(), |lot| lot.core().lot.as_ref()).count()
    };
    count(&waiting.new) + count(&waiting.old)
}

/// Results of one pass, the last chain first.
#[derive(Debug)]
pub(super) struct Landed {
    last: Option<Job>,
    bytes: u64,
    /// Bytes of a lot. With more than one in a pass all of them go to deliverers.
    most: u64,
    handed_over: bool,
}

impl Landed {
    /// None so far.
    pub(super) fn new() -> Self {
        Self {
            last: None,
            bytes: 0,
            most: match params::DELIVER_KIB.get() {
                0 => u64::MAX,
                _ if ffi::processors() == 1 => u64::MAX,
                kib => u64::from(kib) << 10,
            },
            handed_over: false,
        }
    }

    /// Adds requests whose results, `bytes` bytes in all, lie where they say.
    pub(super) fn add(&mut self, chain: Chain, bytes: u32) {
        if self.bytes >= self.most {
            self.bytes = 0;
            if let Some(lot) = self.last.take() {
                hand_over(lot);
                self.handed_over = true;
            }
        }
        self.bytes += u64::from(bytes);
        let mut first = chain.into_first();
        first.core_mut().before = self.last.take();
        self.last = Some(first);
    }
}

impl Drop for Landed {
    /// Has what is left delivered: nobody can forget to. Here, where it is little: the engine has better to do than to
    /// copy while helper and ring wait for it.
    fn drop(&mut self) {
        if let Some(lot) = self.last.take() {
            if self.handed_over {
                hand_over(lot);
            } else {
                super::deliver::all(lot);
            }
        }
    }
}
