//! The glue for tests on the host: a small one, in memory, with the real one's contracts.
//!
//! Its state is the test thread's own. The module's statics are everybody's, so that tests that
//! touch them hold [`serial`].
// With the feature `mock` it is a program's, which fails by panic and uses a part of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg_attr(not(test), allow(dead_code, unused_imports))]

mod buffers;
mod compute;
mod guest;
mod jobs;
mod keys;
mod pages;
mod requests;
mod services;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use buffers::PoolBuffer;
pub(crate) use guest::MockGuest;
#[cfg(test)]
pub(crate) use jobs::{SOURCES, deliverers, read_source, set_source_pieces};
pub(crate) use jobs::{forget_jobs, run_work, set_queue_limit};
pub(crate) use keys::expand;
pub(crate) use pages::{live_pages, scatter};
pub(crate) use requests::{Request, Transform};
pub(crate) use services::{
    PRIORITIES, USER, advance, clock, on_log, set_capable, set_owner, set_user, take_woken, user,
};

/// Held by tests that touch the module's statics (routing, who is attached, parameters).
pub(crate) fn serial() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    // A test that failed leaves the statics as its clean-up left them.
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}
