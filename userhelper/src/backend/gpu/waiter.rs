//! The thread that waits for the device while the dispatcher sleeps, and wakes it. While the dispatcher is awake
//! it polls instead, which is faster, and this thread sleeps. What passes between the two is one word and a wake-up:
//! nothing is allocated.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};

use super::device::{Queue, Wait};
use crate::waker::Waker;

/// The order's word: nothing to do, or an end; else a queue's number.
const IDLE: usize = usize::MAX;
const END: usize = usize::MAX - 1;

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Waiter {
    /// The queue that the thread is to wait for, or waits for: it takes it back when it has.
    order: Arc<AtomicUsize>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

impl Waiter {
    pub(super) fn start(wait: Box<dyn Wait>, dispatcher: Arc<Waker>) -> std::io::Result<Self> {
        let order = Arc::new(AtomicUsize::new(IDLE));
        let orders = Arc::clone(&order);
        let handle = std::thread::Builder::new()
            .name("kgpu-gpu-waiter".into())
            .spawn(move || {
                loop {
                    match orders.load(Ordering::SeqCst) {
                        END => return,
                        IDLE => std::thread::park(),
                        queue => {
                            wait.wait(queue);
                            // Before waking: whoever finds it still set falls asleep before the wake-up. An end that
                            // was ordered meanwhile stays.
                            let took = orders.compare_exchange(
                                queue,
                                IDLE,
                                Ordering::SeqCst,
                                Ordering::SeqCst,
                            );
                            if took.is_ok() {
                                dispatcher.wake();
                            }
                        }
                    }
                }
            })?;
        Ok(Self {
            order,
            thread: handle.thread().clone(),
            handle: Some(handle),
        })
    }

    /// Has the dispatcher woken when a queue comes to its mark, or one that was asked for earlier. To be called
    /// when the dispatcher has said that it is going to sleep.
    pub(super) fn arm(&self, queue: Queue) {
        let free = self
            .order
            .compare_exchange(IDLE, queue, Ordering::SeqCst, Ordering::SeqCst);
        if free.is_ok() {
            self.thread.unpark();
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.order.store(END, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(thread) = self.handle.take() {
            // It ends with the batch that it waits for, if any.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    /// Tells of each wait's begin, and ends it when told to.
    struct Told(Sender<Queue>, std::sync::Mutex<Receiver<()>>);

    impl Wait for Told {
        fn wait(&self, queue: Queue) {
            self.0.send(queue).unwrap();
            // An error is the test's end.
            let _ = self.1.lock().unwrap().recv();
        }
    }

    #[test]
    fn waits_for_one_queue_at_a_time_and_wakes_for_each() {
        let (begun, begins) = channel();
        let (end, ends) = channel();
        let waker = Arc::new(Waker::new().unwrap());
        let told = Told(begun, std::sync::Mutex::new(ends));
        let waiter = Waiter::start(Box::new(told), Arc::clone(&waker)).unwrap();
        for queue in [3, 0, 3] {
            waker.going_to_sleep();
            waiter.arm(queue);
            assert_eq!(begins.recv().unwrap(), queue);
            // One at a time: this one is not taken.
            waiter.arm(9);
            end.send(()).unwrap();
            // Woken, or the wait would take a minute and the next begin would not be asked for.
            let since = std::time::Instant::now();
            waker.sleep(None, Duration::from_secs(60)).unwrap();
            assert!(since.elapsed() < Duration::from_secs(30));
        }
        assert!(begins.try_recv().is_err());
        // Dropped in the middle of a wait, it ends with it.
        waiter.arm(1);
        assert_eq!(begins.recv().unwrap(), 1);
        drop(end);
        drop(waiter);
        assert!(begins.try_recv().is_err());
    }
}
