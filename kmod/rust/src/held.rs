//! What requests hold of a session's pool.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use kgpu_core::runs::Run;

use crate::ffi::{self, lock};
use crate::session::Session;

/// The engine has requests that wait for room.
static ROOM_WANTED: AtomicBool = AtomicBool::new(false);

/// Has the engine woken when there is more room. To be asked for before a last try, so that room made
/// in between is either found or told of.
pub fn want_room() {
    ROOM_WANTED.store(true, Ordering::SeqCst);
}

/// Pool granules of a session, given back when dropped: where that may be the session's last reference, in a context
/// that may sleep.
#[derive(Debug)]
pub struct Held {
    session: Arc<Session>,
    pool: Run,
}

impl Held {
    /// Takes these granules over.
    #[must_use]
    pub const fn new(session: Arc<Session>, pool: Run) -> Self {
        Self { session, pool }
    }

    /// The session whose pool it is.
    #[must_use]
    pub const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The granules, which are now the caller's to give back, and to tell of.
    #[must_use]
    pub fn into_run(mut self) -> Run {
        core::mem::replace(&mut self.pool, Run::NONE)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.pool.count == 0 {
            return;
        }
        self.session.books.get(&mut lock()).pool.give(self.pool);
        tell_of_room();
    }
}

/// Wakes the engine if it waits for room.
pub fn tell_of_room() {
    if ROOM_WANTED.load(Ordering::SeqCst) && ROOM_WANTED.swap(false, Ordering::SeqCst) {
        ffi::wake_engine();
    }
}
