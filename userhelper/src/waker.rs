//! Waking a thread that sleeps in poll(2), for the price of one load while it is awake.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

/// One sleeper and any number of wakers.
#[derive(Debug)]
pub struct Waker {
    event: OwnedFd,
    asleep: AtomicBool,
}

impl Waker {
    /// A waker whose thread is awake.
    ///
    /// # Errors
    /// When the process may not have another file descriptor.
    pub fn new() -> Result<Self, Errno> {
        Ok(Self {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            asleep: AtomicBool::new(false),
        })
    }

    /// Wakes the sleeper, if it sleeps. What was stored before is visible to it.
    pub fn wake(&self) {
        // Pairs with the fence in `going_to_sleep`: one of the two sides sees the other's word.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            // The counter can't overflow: one write per sleep.
            let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
        }
    }

    /// Says that the calling thread is about to sleep. It must look for work once more after this
    /// and then call [`Waker::sleep`] or [`Waker::awake`].
    pub fn going_to_sleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Takes [`Waker::going_to_sleep`] back.
    pub fn awake(&self) {
        self.was_woken();
    }

    /// As [`Waker::awake`]; whether somebody woke the thread before.
    fn was_woken(&self) -> bool {
        let woken = !self.asleep.swap(false, Ordering::AcqRel);
        if woken {
            // Somebody wrote, or is about to: at worst one later sleep ends early.
            let _ = rustix::io::read(&self.event, &mut [0u8; 8]);
        }
        woken
    }

    /// Sleeps until woken, or until the time is over. Whether it was woken; an early end counts as that.
    ///
    /// # Errors
    /// What poll(2) said.
    pub fn sleep_alone(&self, timeout: Duration) -> Result<bool, Errno> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut own = [PollFd::from_borrowed_fd(self.event.as_fd(), PollFlags::IN)];
        let slept = poll(&mut own, Some(&timeout));
        let woken = self.was_woken();
        match slept {
            Ok(ready) => Ok(woken || ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(errno) => Err(errno),
        }
    }

    /// Sleeps until woken, until `other` is ready, or until the time is over. The result is what
    /// `other` reported; an early end is no error.
    ///
    /// # Errors
    /// What poll(2) said.
    pub fn sleep(
        &self,
        other: Option<BorrowedFd<'_>>,
        timeout: Duration,
    ) -> Result<PollFlags, Errno> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let own = PollFd::from_borrowed_fd(self.event.as_fd(), PollFlags::IN);
        let slept = match other {
            Some(other) => {
                let mut fds = [PollFd::from_borrowed_fd(other, PollFlags::IN), own];
                let slept = poll(&mut fds, Some(&timeout));
                slept.map(|_| fds[0].revents())
            }
            None => poll(&mut [own], Some(&timeout)).map(|_| PollFlags::empty()),
        };
        self.awake();
        match slept {
            Err(Errno::INTR) => Ok(PollFlags::empty()),
            slept => slept,
        }
    }
}
