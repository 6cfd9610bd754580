//! Where the device stands, for the two threads that move it: the one that answers the guest's machine, and the main
//! thread, which makes and ends sessions. The dispatcher comes by to ring.
//!
//! While a session lives in a driver's life that is over, the thread that hears of the end waits until the guest's memory
//! is let go, and if that takes too long, ends the process: when the guest's machine has its answer, nothing here touches
//! that memory.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kgpu_core::abi::guest::{Event, QUEUE_EVENTS, QUEUE_SETUP, Setup};
use rustix::io::Errno;
use vhost::vhost_user::Result;

use super::device::{After, Asked, Device, Pending, Session, Stage};
use super::memory::Memory;
use super::queue::Vring;
use crate::ending::Stop;
use crate::waker::Waker;

/// How long a session may take to let go of the guest's memory.
const GRACE: Duration = Duration::from_secs(10);

/// Why the main thread stopped waiting.
#[derive(Debug)]
pub enum News {
    /// A session is to be made.
    Asked(Asked),
    /// The guest's machine is gone.
    Gone,
    /// Nothing.
    None,
}

/// The device, shared.
#[derive(Debug)]
pub struct Shared {
    device: Mutex<Device>,
    over: Condvar,
    /// The main thread sleeps on it.
    news: Waker,
}

impl Shared {
    /// The device of a guest that has just come.
    ///
    /// # Errors
    /// When the process may not have another file descriptor.
    pub fn new() -> std::result::Result<Self, Errno> {
        Ok(Self {
            device: Mutex::new(Device::new().map_err(|_| Errno::NOMEM)?),
            over: Condvar::new(),
            news: Waker::new()?,
        })
    }

    /// The device. The thread that answers the guest's machine sets it up by this, and a test's device lies by it.
    pub fn device(&self) -> MutexGuard<'_, Device> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the main thread sleeps on.
    pub const fn news(&self) -> &Waker {
        &self.news
    }

    // For the thread that answers the guest's machine.

    /// The driver rang a queue, or there may be buffers in it.
    pub(super) fn rung(&self, queue: u16) {
        if queue == QUEUE_EVENTS {
            self.device().flush();
            return;
        }
        // The doorbell first: it is what rings most.
        let mut device = self.device();
        if let Stage::Busy(Session {
            running: Some((waker, _)),
            ..
        }) = &device.stage
        {
            waker.wake();
        }
        loop {
            let Some(memory) = device.memory.clone() else {
                return;
            };
            let [setup, _] = &mut device.queues;
            let Some(chain) = setup.pop(&memory) else {
                break;
            };
            device.asked(chain);
            // The dispatcher may want to ring between two of them.
            drop(device);
            device = self.device();
        }
        // The invitation waits for this queue too.
        device.flush();
        let asked = matches!(device.stage, Stage::Asked(_));
        drop(device);
        if asked {
            self.news.wake();
        }
    }

    /// A queue is used, or not any more; the driver's life ends with the first that is not.
    pub(super) fn changed(
        &self,
        queue: u32,
        change: impl FnOnce(&mut Vring) -> Result<()>,
    ) -> Result<()> {
        let mut device = self.device();
        let vring = device.queue(queue)?;
        let before = vring.works();
        let changed = change(vring);
        let after = vring.works();
        if before && !after {
            self.end_life(device);
        } else {
            drop(device);
            if after && !before {
                let queue = u16::try_from(queue).unwrap_or(QUEUE_SETUP);
                self.rung(queue);
            }
        }
        changed
    }

    /// The guest's machine tells another memory. A session whose memory is in it as before goes on, and so is that of the
    /// sources that its module was told it may name: an address must not come to mean other bytes than the helper has
    /// mapped for it.
    pub(super) fn set_memory(&self, memory: Memory) {
        let mut device = self.device();
        let holds = match &device.stage {
            Stage::Busy(session) => session.asked.set_up.holds_in(&memory, session.sources),
            Stage::Asked(asked) => asked.set_up.holds_in(&memory, true),
            Stage::Vacant | Stage::Shut => true,
        };
        device.memory = Some(Arc::new(memory));
        if !holds {
            tracing::warn!("memory of the session left the guest; the session ends");
            // The guest's machine waits for an answer with the guest stopped, and what is mapped stays valid.
            device.end_life();
            device.flush();
            drop(device);
            self.news.wake();
        }
    }

    /// The guest's machine is gone.
    pub(super) fn gone(&self) {
        let mut device = self.device();
        device.gone = true;
        for queue in &mut device.queues {
            queue.stop();
        }
        device.end_life();
        drop(device);
        self.news.wake();
    }

    /// Ends the driver's life and waits until no session has its memory.
    fn end_life(&self, mut device: MutexGuard<'_, Device>) {
        device.end_life();
        self.news.wake();
        let busy = |device: &mut Device| matches!(device.stage, Stage::Busy(_));
        let waited = self.over.wait_timeout_while(device, GRACE, busy);
        let (device, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(device);
        if waited.timed_out() {
            tracing::error!(
                "a session did not let go of the guest's memory in {} s; the helper ends",
                GRACE.as_secs()
            );
            std::process::abort();
        }
    }

    // For the main thread.

    /// Whether there is something to do for the main thread.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let device = self.device();
        device.gone || matches!(device.stage, Stage::Asked(_))
    }

    /// What is to be done.
    #[must_use]
    pub fn next(&self) -> News {
        let mut device = self.device();
        if device.gone {
            return News::Gone;
        }
        let Stage::Asked(asked) = &device.stage else {
            return News::None;
        };
        let asked = asked.clone();
        device.stage = Stage::Busy(Session {
            asked: asked.clone(),
            answered: false,
            sources: true,
            leaving: false,
            running: None,
        });
        News::Asked(asked)
    }

    /// A dispatcher is about to serve the session.
    pub fn running(&self, waker: &Arc<Waker>, stop: &Arc<Stop>) {
        if let Stage::Busy(session) = &mut self.device().stage {
            session.running = Some((Arc::clone(waker), Arc::clone(stop)));
            if session.leaving {
                stop.leave();
            }
        }
    }

    /// Whether the session's driver has let go of it.
    #[must_use]
    pub fn leaving(&self) -> bool {
        matches!(&self.device().stage, Stage::Busy(session) if session.leaving)
    }

    /// Asks for a set-up once more, if there is no session: the last one could not be served then.
    pub fn invite(&self) {
        let mut device = self.device();
        if matches!(device.stage, Stage::Vacant) {
            device.pending.attach = true;
            device.flush();
        }
    }

    /// The session's ring is served, and its module was told of areas of sources, or of none.
    pub fn serves(&self, sources: bool) {
        let mut device = self.device();
        if let Stage::Busy(session) = &mut device.stage {
            session.answered = true;
            session.sources = sources;
            let ticket = session.asked.ticket;
            device.answer(ticket, Setup::Serving);
        }
    }

    /// Nothing has the session's memory any more. The driver is told so, unless it is shut out: by an event if it was
    /// served, else by this answer to its set-up.
    pub fn over(&self, after: After, answer: Setup) {
        let mut device = self.device();
        let stage = match after {
            After::Again => Stage::Vacant,
            After::Shut => Stage::Shut,
        };
        // First of all: with its answer, the driver may send another set-up.
        let before = std::mem::replace(&mut device.stage, stage);
        device.pending = Pending::default();
        if let Stage::Busy(session) = before {
            if session.leaving {
                // A new life has nothing to do with what was before.
                device.stage = Stage::Vacant;
                device.pending.attach = true;
            } else if session.answered {
                device.pending.attach = after == After::Again;
            } else {
                device.answer(session.asked.ticket, answer);
            }
        }
        device.flush();
        drop(device);
        self.over.notify_all();
    }

    // For both, and for the dispatcher.

    /// Tells the driver of an event, now or as soon as it has a buffer; nothing if its life is over.
    pub fn tell(&self, life: u64, event: Event) {
        let mut device = self.device();
        if device.life == life {
            *device.pending.flag(event) = true;
            device.flush();
        }
    }

    /// What the driver rings.
    pub(super) fn doorbells(&self) -> [Option<Arc<std::fs::File>>; 2] {
        let device = self.device();
        let [setup, events] = &device.queues;
        [setup.doorbell(), events.doorbell()]
    }
}
