//! The helper's sign of life: a word that grows while the process is alive, however long a tile
//! takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kgpu_core::abi::word;

use crate::region::Region;

/// Twice as often as the ABI asks for.
const BEAT: Duration = Duration::from_millis(50);

/// A thread that writes the heartbeat word until dropped.
#[derive(Debug)]
pub struct Heartbeat {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Starts beating. The word has no other writer.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(region: Arc<Region>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("kgpu-heartbeat".into())
            .spawn(move || {
                let mut beats = 0;
                while !seen.load(Ordering::Relaxed) {
                    beats += 1;
                    region.helper().store(word::HEARTBEAT, beats);
                    std::thread::park_timeout(BEAT);
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
