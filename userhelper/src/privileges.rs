//! What the helper takes from the system at its start, and the rights it gives up afterwards.
//!
//! A helper serves the kernel's own storage: if it waited for memory that can only be had by
//! writing to a disk it serves, both would hang. So it is marked as part of the write-out path,
//! keeps its memory, is the last to be killed for memory, and leaves no core behind.

use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, configure_io_flusher_behavior, set_dumpable_behavior,
    setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use crate::error::UserError;

fn warn(what: &str, errno: &dyn std::fmt::Display, next: &str) {
    tracing::warn!("{what} failed: {errno}; {next}");
}

/// Takes what a helper needs. To be called before any thread is started: the write-out mark is a
/// thread's own and inherited by those it starts. What can't be had is logged with what to do.
pub fn take() {
    if let Err(errno) = configure_io_flusher_behavior(true) {
        warn(
            "PR_SET_IO_FLUSHER",
            &errno,
            "under memory pressure this helper may wait for a disk that it serves: start it with \
             CAP_SYS_RESOURCE, on Linux 5.6 or later",
        );
    }
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", "-1000") {
        warn(
            "setting the OOM score",
            &error,
            "the helper may be killed when memory runs out: start it with CAP_SYS_RESOURCE",
        );
    }
    keep_secrets();
}

/// Keeps what is in memory out of core dumps, swap and other processes of the same user. All that a guest's helper
/// takes: it serves no storage of this machine, and dies before what does.
pub fn keep_secrets() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let no_core = setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(errno) = no_core {
        warn(
            "forbidding core dumps",
            &errno,
            "a crash could write keys to disk: set `ulimit -c 0`",
        );
    }
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    // Locked on fault only: reservations that are never touched stay free. The limit is raised
    // because the right to exceed it is about to be given up, and a new session maps a new pool.
    let lock = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let locked = setrlimit(Resource::Memlock, unlimited).and_then(|()| mlockall(lock));
    if let Err(errno) = locked {
        warn(
            "locking memory",
            &errno,
            "keys may be swapped out: start the helper with CAP_SYS_RESOURCE and CAP_IPC_LOCK",
        );
    }
}

/// The one right that is kept, and kept switched off: attaching anew after the module retired a
/// session needs it.
pub const KEPT: CapabilitySet = CapabilitySet::SYS_ADMIN;

/// Gives every right up but [`KEPT`], which stays permitted and not in effect. For the main thread.
///
/// # Errors
/// What the kernel said.
pub fn drop_all_but_kept() -> Result<(), Errno> {
    drop_all_but(KEPT)
}

/// Gives every right up for good, also those that a program started later could have got. For the main thread of a
/// helper that needs none.
///
/// # Errors
/// What the kernel said.
pub fn drop_all_for_good() -> Result<(), Errno> {
    drop_all_but(CapabilitySet::empty())
}

/// Rights that could not be given up, for the user.
#[must_use]
pub fn not_dropped(errno: Errno) -> UserError {
    UserError::failure(
        format!("dropping rights failed: {errno}"),
        "look whether a security module forbids capset(2) or prctl(2) to this program",
    )
}

fn drop_all_but(kept: CapabilitySet) -> Result<(), Errno> {
    let held = capabilities(None)?;
    if held.effective.contains(CapabilitySet::SETPCAP) {
        for (_, right) in CapabilitySet::all().iter_names() {
            match remove_capability_from_bounding_set(right) {
                // The kernel is older than the right.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    match clear_ambient_capability_set() {
        Ok(()) | Err(Errno::INVAL) => {}
        Err(errno) => return Err(errno),
    }
    set_no_new_privs(true)?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: held.permitted & kept,
            inheritable: CapabilitySet::empty(),
        },
    )
}

/// Gives the kept right up too. For every other thread, as its first act; those that it starts
/// have none either.
///
/// # Errors
/// What the kernel said.
pub fn drop_all() -> Result<(), Errno> {
    set_no_new_privs(true)?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        },
    )
}

/// Runs `work` with [`KEPT`] in effect, if this thread may have it.
///
/// # Errors
/// What the kernel said when the right could not be switched off again.
pub fn with_kept<R>(work: impl FnOnce() -> R) -> Result<R, Errno> {
    let held = capabilities(None)?;
    let raised = CapabilitySets {
        effective: held.effective | (held.permitted & KEPT),
        ..held
    };
    set_capabilities(None, raised)?;
    let result = work();
    set_capabilities(None, held)?;
    Ok(result)
}
