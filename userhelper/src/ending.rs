//! How sessions end: told by either side, or broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use kgpu_core::abi::{InvalidCode, SessionState};
use kgpu_core::ring::RingError;
use rustix::io::Errno;

use crate::waker::Waker;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// This side was told to stop; all that was in the ring is answered, unless it was told to leave.
    Stopped,
    /// The module wants the helper to attach anew; all that was in the ring is answered.
    Retired,
    /// Another helper took over; all that was in the ring is answered.
    Replaced,
    /// The module does not want this helper.
    Quarantined,
}

/// What breaks a session.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// The module's ring words are impossible.
    #[error("the module broke the ring: {0}")]
    Ring(RingError),
    /// The module's state word is no state.
    #[error("the module's state word is wrong: {0}")]
    State(InvalidCode),
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(Errno),
    /// The device hung up, but the state word says that the session is open.
    #[error("the device hung up in state {}", .0.label())]
    HungUp(SessionState),
}

/// Tells a dispatcher to stop, from any thread.
#[derive(Debug)]
pub struct Stop {
    how: AtomicU8,
    waker: Arc<Waker>,
}

pub(crate) const GO_ON: u8 = 0;
const DRAIN: u8 = 1;
pub(crate) const ABANDON: u8 = 2;
pub(crate) const LEAVE: u8 = 3;

impl Stop {
    /// A switch for the dispatcher that sleeps on `waker`.
    #[must_use]
    pub const fn new(waker: Arc<Waker>) -> Self {
        Self {
            how: AtomicU8::new(GO_ON),
            waker,
        }
    }

    /// Ends after everything in the ring is computed.
    pub fn drain(&self) {
        self.how.fetch_max(DRAIN, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Ends after everything in the ring is answered, with `ShuttingDown` where it was not begun.
    pub fn abandon(&self) {
        self.how.fetch_max(ABANDON, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Ends at once: nobody is there any more to be answered, or nobody who keeps to the protocol.
    pub fn leave(&self) {
        self.how.fetch_max(LEAVE, Ordering::SeqCst);
        self.waker.wake();
    }

    pub(crate) fn get(&self) -> u8 {
        self.how.load(Ordering::Relaxed)
    }
}
