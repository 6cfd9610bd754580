//! Regions that a device on the host knew of, kept back for a while after their sessions.
//!
//! A process that maps a page, or a GPU driver that pins it, holds it by a reference of its own: such a
//! page is nobody else's before the last late write. Nothing on a host holds a guest's pages like
//! that. So they are let go only when whatever the host's helper had left running must have ended,
//! and there is a place for a region before the region is made.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::ffi::{self, Guarded, lock};
use crate::session::Session;

/// How long. A helper that dies takes its work on the GPU with it while the host's kernel closes its
/// files, which takes well below a second, and one that is alive stops its queues before it
/// answers a reset; this is a generous multiple, and no promise of the host's.
pub const KEEP_NS: u64 = 10_000_000_000;

/// Most regions that are kept or may have to be.
pub const PLACES: usize = 4;

#[derive(Debug)]
enum Place {
    Free,
    /// For the region of a session that has begun.
    Reserved,
    /// Until then.
    Kept(Arc<Session>, u64),
}

static KEPT: Guarded<[Place; PLACES]> = Guarded::new([const { Place::Free }; PLACES]);

/// Spares the engine the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A place for one region. When dropped unused it is free again.
#[derive(Debug)]
pub struct Reserved(usize);

impl Reserved {
    /// A place, if there is one.
    #[must_use]
    pub fn new() -> Option<Self> {
        let mut guard = lock();
        let places = KEPT.get(&mut guard);
        let at = places.iter().position(|p| matches!(p, Place::Free))?;
        *places.get_mut(at)? = Place::Reserved;
        Some(Self(at))
    }

    /// Keeps the session, which the engine has let go of, and with it its region.
    pub fn keep(self, session: Arc<Session>) {
        let until = ffi::now().saturating_add(KEEP_NS);
        COUNT.fetch_add(1, Ordering::AcqRel);
        if let Some(place) = KEPT.get(&mut lock()).get_mut(self.0) {
            *place = Place::Kept(session, until);
        }
        core::mem::forget(self);
        // It may sleep for ever, and is who lets go.
        ffi::wake_engine();
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(place) = KEPT.get(&mut lock()).get_mut(self.0) {
            *place = Place::Free;
        }
    }
}

/// Lets go of what was kept for long enough. May sleep.
pub fn release(now: u64) {
    if count() == 0 {
        return;
    }
    for at in 0..PLACES {
        let expired = {
            let mut guard = lock();
            let place = KEPT.get(&mut guard).get_mut(at);
            place.and_then(|place| match place {
                Place::Kept(_, until) if *until <= now => {
                    match core::mem::replace(place, Place::Free) {
                        Place::Kept(session, _) => Some(session),
                        Place::Free | Place::Reserved => None,
                    }
                }
                _ => None,
            })
        };
        if expired.is_some() {
            drop(expired);
            // Last: the module may go when nothing is kept.
            COUNT.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// How many regions are kept.
#[must_use]
pub fn count() -> usize {
    COUNT.load(Ordering::Acquire)
}
