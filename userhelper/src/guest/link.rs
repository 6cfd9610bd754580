//! The dispatcher's end of a guest's ring.

use std::sync::Arc;
use std::time::Duration;

use kgpu_core::abi::guest::Event;
use kgpu_core::abi::word;
use rustix::io::Errno;

use super::shared::Shared;
use crate::link::{Link, Woken};
use crate::region::Region;
use crate::waker::Waker;

/// A guest's module. Its doorbell wakes the dispatcher's waker, and it is rung only while the dispatcher says that it
/// sleeps.
#[derive(Debug)]
pub struct GuestLink {
    shared: Arc<Shared>,
    region: Arc<Region>,
    /// Of the driver's lives the one that the session belongs to.
    life: u64,
}

impl GuestLink {
    /// The end of a session of a driver's life.
    #[must_use]
    pub const fn new(shared: Arc<Shared>, region: Arc<Region>, life: u64) -> Self {
        Self {
            shared,
            region,
            life,
        }
    }
}

impl Link for GuestLink {
    fn kick(&self) -> Result<(), Errno> {
        self.shared.tell(self.life, Event::Kick);
        Ok(())
    }

    fn going_to_sleep(&self) {
        // The waker's fence stands between this store and the dispatcher's last look, as one stands between the
        // module's tail and its look at this word: one of both sees the other's.
        self.region.helper().store(word::ASLEEP, 1);
    }

    fn awake(&self) {
        self.region.helper().store(word::ASLEEP, 0);
    }

    fn sleep(&self, waker: &Waker, _: bool, timeout: Duration) -> Result<Woken, Errno> {
        let woken = waker.sleep_alone(timeout);
        self.awake();
        Ok(if woken? { Woken::Look } else { Woken::TimeOver })
    }
}
