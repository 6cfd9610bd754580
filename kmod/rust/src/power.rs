//! Sleep states: helpers are frozen with all other processes while kernel threads go on, so requests
//! are routed to the fallback from before that until after.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{ffi, params};

/// Most nanoseconds that a helper gets to finish what it has.
const PATIENCE_NS: u64 = 1_000_000_000;

/// Since when requests are routed to the fallback; 0 while they are not.
static PAUSED_AT: AtomicU64 = AtomicU64::new(0);
/// A whole pass of the engine since then left no helper with a request.
static DRAINED: AtomicBool = AtomicBool::new(false);

/// Whether the system is being suspended.
#[must_use]
pub fn is_paused() -> bool {
    PAUSED_AT.load(Ordering::Acquire) != 0
}

/// The system is about to freeze its processes, or has thawed them.
pub fn pause(paused: bool) {
    let at = if paused { ffi::now().max(1) } else { 0 };
    DRAINED.store(false, Ordering::Release);
    PAUSED_AT.store(at, Ordering::Release);
    ffi::wake_engine();
}

/// Until when helpers may finish what they have; `None` while the system is not being suspended.
#[must_use]
pub fn patience_until() -> Option<u64> {
    match PAUSED_AT.load(Ordering::Acquire) {
        0 => None,
        at => Some(at.saturating_add(PATIENCE_NS.min(params::deadline_ns()))),
    }
}

/// What a pass of the engine came to that saw the pause from its beginning.
pub fn set_drained(drained: bool) {
    DRAINED.store(drained, Ordering::Release);
}

/// Whether helpers may be frozen now: none has a request, and none gets one.
#[must_use]
pub fn is_drained() -> bool {
    DRAINED.load(Ordering::Acquire)
}
