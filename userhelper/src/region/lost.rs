//! What happens when mapped memory is not there any more: a guest's machine may shorten the file behind it at any
//! time, and the next access is SIGBUS. The process of that guest says so and ends; nothing else lives here.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

use signal_hook::consts::SIGBUS;

use crate::error::exit;

/// The last line of such a process.
const LAST_LINE: &[u8] =
    b"kgpu: the guest's machine took back memory that this helper was working on (SIGBUS); its process ends\n";

/// Ends the process with a line and [`exit::MEMORY_LOST`] when it touches memory that is gone.
///
/// # Errors
/// What the kernel said.
pub fn end_on_lost_memory() -> std::io::Result<()> {
    let end = || {
        // SAFETY: the standard error of a process is open as long as it does not close it, which this one does
        // nowhere; were it closed, the write would fail, and that is not looked at.
        let stderr = unsafe { BorrowedFd::borrow_raw(2) };
        let _ = rustix::io::write(stderr, LAST_LINE);
        signal_hook::low_level::exit(i32::from(exit::MEMORY_LOST));
    };
    // SAFETY: `end` makes two system calls, write and _exit, both of which a signal handler may make, takes no lock
    // and no memory, and does not return, so that the access that failed is not made again.
    unsafe { signal_hook::low_level::register(SIGBUS, end) }.map(|_| ())
}
