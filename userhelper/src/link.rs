//! How a dispatcher sleeps and how it wakes the module's side: a device, or a thread of this
//! process.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use kgpu_core::abi::IOC_KICK;
use rustix::event::PollFlags;
use rustix::io::Errno;

use crate::waker::Waker;

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There may be something to do.
    Look,
    /// Nobody woke it in that time. Told only by links that know.
    TimeOver,
    /// The module says that the session is over; the state word tells how.
    Over,
}

/// The other end of the ring.
pub trait Link: Send {
    /// Wakes the module's side: completions were posted while it slept.
    ///
    /// # Errors
    /// What the kernel said.
    fn kick(&self) -> Result<(), Errno>;

    /// The dispatcher is about to look at the ring once more and then to sleep. A link whose other end asks before
    /// it wakes says so here: what it writes is visible before the dispatcher looks.
    fn going_to_sleep(&self) {}

    /// The dispatcher found something and does not sleep. After a sleep, [`Link::sleep`] has done as much itself.
    fn awake(&self) {}

    /// Sleeps until there are submissions (if `submissions`), `waker` is used, or the time is over.
    ///
    /// # Errors
    /// What the kernel said.
    fn sleep(&self, waker: &Waker, submissions: bool, timeout: Duration) -> Result<Woken, Errno>;
}

/// An attached device.
#[derive(Debug)]
pub struct DeviceLink {
    device: Arc<OwnedFd>,
}

impl DeviceLink {
    /// A link over an attached device.
    #[must_use]
    pub const fn new(device: Arc<OwnedFd>) -> Self {
        Self { device }
    }
}

impl Link for DeviceLink {
    fn kick(&self) -> Result<(), Errno> {
        crate::device::command::<{ IOC_KICK.request }>(self.device.as_fd())
    }

    fn sleep(&self, waker: &Waker, submissions: bool, timeout: Duration) -> Result<Woken, Errno> {
        let device = submissions.then(|| self.device.as_fd());
        let seen = waker.sleep(device, timeout)?;
        if seen.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            Ok(Woken::Over)
        } else {
            Ok(Woken::Look)
        }
    }
}

/// The module's side is a thread of this process, which uses the dispatcher's waker itself.
#[derive(Debug)]
pub struct ThreadLink {
    module: Arc<Waker>,
}

impl ThreadLink {
    /// A link to the thread that sleeps on `module`.
    #[must_use]
    pub const fn new(module: Arc<Waker>) -> Self {
        Self { module }
    }
}

impl Link for ThreadLink {
    fn kick(&self) -> Result<(), Errno> {
        self.module.wake();
        Ok(())
    }

    fn sleep(&self, waker: &Waker, _: bool, timeout: Duration) -> Result<Woken, Errno> {
        waker.sleep(None, timeout).map(|_| Woken::Look)
    }
}
