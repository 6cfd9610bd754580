//! The thread that answers the guest's machine and hears the driver's doorbells, from its coming to its going.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use kgpu_core::abi::Attach;
use kgpu_core::abi::guest::{QUEUE_EVENTS, QUEUE_SETUP};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use vhost::vhost_user::{BackendReqHandler, Error};
use zerocopy::IntoBytes;

use super::handler::Handler;
use super::shared::Shared;
use crate::privileges;

const OVER: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);

/// A guest's machine that is connected.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    thread: JoinHandle<()>,
}

impl Connection {
    /// Starts answering, for a device with this in its configuration space.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(stream: UnixStream, shared: Arc<Shared>, offer: &Attach) -> std::io::Result<Self> {
        let ours = stream.try_clone()?;
        let look = stream.try_clone()?;
        let handler = Handler::new(Arc::clone(&shared), offer.as_bytes().to_vec());
        let thread = std::thread::Builder::new()
            .name("kgpu-guest".into())
            .spawn(move || {
                if let Err(errno) = privileges::drop_all() {
                    tracing::error!("dropping rights failed: {errno}");
                } else {
                    let requests =
                        BackendReqHandler::from_stream(stream, Arc::new(Mutex::new(handler)));
                    answer(requests, &look, &shared);
                }
                shared.gone();
            })?;
        Ok(Self {
            stream: ours,
            thread,
        })
    }

    /// Hangs up.
    pub fn end(self) {
        // One that hung up itself is no error.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        if self.thread.join().is_err() {
            tracing::error!("the thread that answered the guest's machine panicked");
        }
    }
}

/// Answers until the other end is gone or breaks the protocol.
fn answer(mut requests: BackendReqHandler<Mutex<Handler>>, look: &UnixStream, shared: &Shared) {
    loop {
        let bells = shared.doorbells();
        // No memory is taken here, as the guest rings while it has requests: where there is no doorbell, nothing is waited for.
        let waits = |bell: &Option<_>| {
            if bell.is_some() {
                PollFlags::IN
            } else {
                PollFlags::empty()
            }
        };
        let [setup, events] = bells.each_ref().map(|bell| {
            let fd = bell
                .as_ref()
                .map_or(look.as_fd(), |bell: &Arc<File>| bell.as_fd());
            PollFd::from_borrowed_fd(fd, waits(bell))
        });
        let mut fds = [
            PollFd::from_borrowed_fd(look.as_fd(), PollFlags::IN),
            setup,
            events,
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => {
                tracing::error!("waiting for the guest failed: {errno}");
                return;
            }
        }
        let [message, setup, events] = fds.each_ref().map(PollFd::revents);
        // Doorbells first: a message may take them away.
        for (queue, bell, seen) in [
            (QUEUE_SETUP, &bells[0], setup),
            (QUEUE_EVENTS, &bells[1], events),
        ] {
            let Some(bell) = bell else { continue };
            if seen.contains(PollFlags::IN) {
                let _ = rustix::io::read(&**bell, &mut [0; 8]);
                shared.rung(queue);
            } else if seen.intersects(OVER) {
                tracing::warn!("the doorbell of queue {queue} is no eventfd any more");
                if let Ok(vring) = shared.device().queue(u32::from(queue)) {
                    vring.drop_doorbell(bell);
                }
            }
        }
        if message.contains(PollFlags::IN) {
            match requests.handle_request() {
                Ok(()) => {}
                Err(Error::Disconnected | Error::PartialMessage | Error::SocketBroken(_)) => return,
                Err(error) => {
                    tracing::warn!(
                        "the guest's machine broke the protocol, or was refused: {error}"
                    );
                    return;
                }
            }
        } else if message.intersects(OVER) {
            return;
        }
    }
}
