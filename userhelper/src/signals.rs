//! SIGTERM and SIGINT as something to wait for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::error::UserError;
use crate::waker::Waker;

/// Counts the signals that ask the process to end.
#[derive(Debug)]
pub struct Signals {
    pipe: OwnedFd,
}

impl Signals {
    /// Takes SIGTERM and SIGINT over.
    ///
    /// # Errors
    /// When the process may not have another pipe or handler.
    pub fn install() -> std::io::Result<Self> {
        let (pipe, end) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        signal_hook::low_level::pipe::register(SIGTERM, end.try_clone()?)?;
        signal_hook::low_level::pipe::register(SIGINT, end)?;
        Ok(Self { pipe })
    }

    /// As [`Signals::install`], with what to do next.
    ///
    /// # Errors
    /// [`UserError`].
    pub fn install_or_say() -> Result<Self, UserError> {
        Self::install().map_err(|error| {
            UserError::failure(
                format!("taking over signals failed: {error}"),
                "raise the limit of open files (`ulimit -n`)",
            )
        })
    }

    /// Waits for a signal or for `news`, at most this long, unless `look` says that there is some already. The result
    /// is how many signals came.
    ///
    /// # Errors
    /// What poll(2) said.
    pub fn wait_or(
        &self,
        news: &Waker,
        look: &dyn Fn() -> bool,
        timeout: Duration,
    ) -> Result<usize, Errno> {
        news.going_to_sleep();
        if look() {
            news.awake();
        } else {
            news.sleep(Some(self.pipe.as_fd()), timeout)?;
        }
        self.count()
    }

    /// Waits for a signal, or until `other` can be read, at most this long. The result is how many signals came.
    ///
    /// # Errors
    /// What poll(2) said.
    pub fn wait_beside(&self, other: BorrowedFd<'_>, timeout: Duration) -> Result<usize, Errno> {
        self.poll(Some(other), timeout)?;
        self.count()
    }

    /// Waits for a signal at most this long. The result is how many came.
    ///
    /// # Errors
    /// What poll(2) said.
    pub fn wait(&self, timeout: Duration) -> Result<usize, Errno> {
        self.poll(None, timeout)?;
        self.count()
    }

    fn poll(&self, other: Option<BorrowedFd<'_>>, timeout: Duration) -> Result<(), Errno> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let own = PollFd::from_borrowed_fd(self.pipe.as_fd(), PollFlags::IN);
        let polled = match other {
            Some(other) => {
                let other = PollFd::from_borrowed_fd(other, PollFlags::IN);
                poll(&mut [own, other], Some(&timeout))
            }
            None => poll(&mut [own], Some(&timeout)),
        };
        match polled {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// The signals that came and were not counted yet.
    fn count(&self) -> Result<usize, Errno> {
        let mut bytes = [0u8; 16];
        match rustix::io::read(&self.pipe, &mut bytes) {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(errno) => Err(errno),
        }
    }
}
