//! SIGTERM and SIGINT as something to wait for.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::consts::{SIGINT, SIGTERM};

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

    /// Waits for a signal at most this long. The result is how many came.
    ///
    /// # Errors
    /// What poll(2) said.
    pub fn wait(&self, timeout: Duration) -> Result<usize, Errno> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let mut fds = [PollFd::from_borrowed_fd(self.pipe.as_fd(), PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => return Ok(0),
            Ok(_) => {}
            Err(errno) => return Err(errno),
        }
        let mut bytes = [0u8; 16];
        match rustix::io::read(&self.pipe, &mut bytes) {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(errno) => Err(errno),
        }
    }
}
