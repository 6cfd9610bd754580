//! The thread that waits for the device while the dispatcher sleeps, and wakes it. While the dispatcher is awake
//! it polls instead, which is faster, and this thread sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::device::{Queue, Wait};
use crate::waker::Waker;

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Waiter {
    queues: Option<Sender<Queue>>,
    /// Whether the thread has a queue to wait for.
    armed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Waiter {
    pub(super) fn start(wait: Box<dyn Wait>, dispatcher: Arc<Waker>) -> std::io::Result<Self> {
        let (queues, next) = channel();
        let armed = Arc::new(AtomicBool::new(false));
        let busy = Arc::clone(&armed);
        let thread = std::thread::Builder::new()
            .name("kgpu-gpu-waiter".into())
            .spawn(move || {
                for queue in next {
                    wait.wait(queue);
                    // Before waking: whoever finds it still set falls asleep before the wake-up.
                    busy.store(false, Ordering::SeqCst);
                    dispatcher.wake();
                }
            })?;
        Ok(Self {
            queues: Some(queues),
            armed,
            thread: Some(thread),
        })
    }

    /// Has the dispatcher woken when a queue comes to its mark, or one that was asked for earlier. To be called
    /// when the dispatcher has said that it is going to sleep.
    pub(super) fn arm(&self, queue: Queue) {
        if !self.armed.swap(true, Ordering::SeqCst)
            && let Some(queues) = &self.queues
        {
            // The thread listens until this is dropped.
            let _ = queues.send(queue);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        drop(self.queues.take());
        if let Some(thread) = self.thread.take() {
            // It ends with the batch that it waits for, if any.
            let _ = thread.join();
        }
    }
}
