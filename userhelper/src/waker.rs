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
        if !self.asleep.swap(false, Ordering::AcqRel) {
            // Somebody wrote, or is about to: then one later sleep ends early.
            self.forget();
        }
    }

    /// Takes what was written back. Of no later sleep: nobody writes for one that has not begun.
    fn forget(&self) {
        let _ = rustix::io::read(&self.event, &mut [0u8; 8]);
    }

    /// Sleeps until woken, or until the time is over. Whether it was woken; an early end counts as that.
    ///
    /// # Errors
    /// What poll(2) said.
    pub fn sleep_alone(&self, timeout: Duration) -> Result<bool, Errno> {
        self.sleep_beside(None, timeout).map(|(woken, _)| woken)
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
        self.sleep_beside(other, timeout).map(|(_, other)| other)
    }

    /// Whether it was woken, or its sleep ended early; and what `other` reported.
    fn sleep_beside(
        &self,
        other: Option<BorrowedFd<'_>>,
        timeout: Duration,
    ) -> Result<(bool, PollFlags), Errno> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let own = PollFd::from_borrowed_fd(self.event.as_fd(), PollFlags::IN);
        let (slept, own, other) = if let Some(other) = other {
            let mut fds = [own, PollFd::from_borrowed_fd(other, PollFlags::IN)];
            let slept = poll(&mut fds, Some(&timeout));
            let [own, other] = fds.map(|fd| fd.revents());
            (slept, own, other)
        } else {
            let mut fds = [own];
            let slept = poll(&mut fds, Some(&timeout));
            let [own] = fds.map(|fd| fd.revents());
            (slept, own, PollFlags::empty())
        };
        let asked = !self.asleep.swap(false, Ordering::AcqRel);
        // Written for an earlier sleep, it is to be taken back as well: it would end every later one.
        let written = own.contains(PollFlags::IN);
        if asked || written {
            self.forget();
        }
        match slept {
            Ok(_) => Ok((asked || written, other)),
            Err(Errno::INTR) => Ok((true, PollFlags::empty())),
            Err(errno) => Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing here takes that long, unless a wake-up is lost.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn a_wake_up_that_comes_late_ends_one_sleep_and_no_more() {
        let waker = Waker::new().unwrap();
        waker.going_to_sleep();
        // What a waker does, and then does not get on for a while.
        assert!(waker.asleep.swap(false, Ordering::AcqRel));
        waker.awake();
        rustix::io::write(&waker.event, &1u64.to_ne_bytes()).unwrap();
        waker.going_to_sleep();
        assert!(waker.sleep_alone(LONG).unwrap(), "early");
        waker.going_to_sleep();
        assert!(!waker.sleep_alone(SHORT).unwrap(), "to its end");
    }

    #[test]
    fn a_sleeper_is_woken_once() {
        let waker = Waker::new().unwrap();
        waker.wake();
        waker.going_to_sleep();
        assert!(!waker.sleep_alone(SHORT).unwrap(), "nobody slept then");
        waker.going_to_sleep();
        waker.wake();
        waker.wake();
        assert!(waker.sleep_alone(LONG).unwrap());
        waker.going_to_sleep();
        assert!(!waker.sleep_alone(SHORT).unwrap());
    }
}
