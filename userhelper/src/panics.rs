//! What a panic may say: where it happened, and nothing else. Its message could quote the data that
//! was being worked on, and an algorithm that panics could do so for every tile.

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU32, Ordering};

/// Panics that are logged; the rest is silent.
const LOGGED: u32 = 16;

/// Logs the places of the first panics of this process from now on.
pub fn log_places_only() {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        if SEEN.fetch_add(1, Ordering::Relaxed) < LOGGED {
            let place = panic
                .location()
                .map(ToString::to_string)
                .unwrap_or_default();
            let thread = std::thread::current();
            let thread = thread.name().unwrap_or_default();
            tracing::error!(
                thread,
                place,
                "panic: this is a bug, please report the place"
            );
        }
    }));
}
