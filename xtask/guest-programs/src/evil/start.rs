//! Started ahead: waits to be told before it attaches, so that its start costs nobody time. What it
//! does once attached is `serve`'s.

use std::thread::sleep;
use std::time::{Duration, Instant};

use kgpu_core::peer::MockHelper;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use crate::control::Control;
use crate::region::{Region, Trouble};

/// How long the helper before may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Attaches when a client says `attach`, as soon as the device is free.
pub fn when_told(control: &mut Control, takeover: bool) -> Result<(Region, MockHelper), Trouble> {
    while !told(control) {
        let mut fds: Vec<_> = control
            .fds()
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match rustix::event::poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Trouble::System("poll", errno)),
        }
    }
    let since = Instant::now();
    loop {
        match Region::attach(takeover) {
            Err(Trouble::System(_, Errno::BUSY)) if since.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(1));
            }
            attached => return attached,
        }
    }
}

fn told(control: &mut Control) -> bool {
    let mut told = false;
    for (from, line) in control.lines() {
        let attach = line == "attach";
        told |= attach;
        control.answer(from, if attach { "attaching" } else { "error attach" });
    }
    told
}
