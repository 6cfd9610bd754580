//! A virtio device as the core sees it, and what its driver in the glue calls. Each function is declared in
//! `glue/glue.h` with the same words.

use alloc::boxed::Box;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use super::{Pages, glue};
use crate::errno::{Errno, code};
use crate::guest::{self, Guest};
use crate::kept;

/// A device, shared with the glue: all it answers after the device is gone is that it is broken.
///
/// # Invariants
/// `handle` is the glue's `struct kgpu_guest`, of which this holds a reference.
#[derive(Debug)]
pub struct GuestDevice {
    handle: NonNull<c_void>,
    number: u32,
}

// SAFETY: the glue counts references atomically and locks what it reaches by the handle; its
// functions may be called from any thread.
unsafe impl Send for GuestDevice {}
// SAFETY: as above.
unsafe impl Sync for GuestDevice {}

impl GuestDevice {
    /// The N of `virtioN`.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Rings the doorbell. `false` when the device is broken or gone. Callable in any context.
    #[must_use]
    pub fn notify(&self) -> bool {
        // SAFETY: ours, by the invariants.
        unsafe { glue::kgpu_glue_guest_notify(self.handle.as_ptr()) != 0 }
    }

    /// The device is broken or gone. Callable in any context.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        // SAFETY: ours, by the invariants.
        unsafe { glue::kgpu_glue_guest_is_broken(self.handle.as_ptr()) != 0 }
    }

    /// Has [`Guest::work`] run soon, unless the device is going, and wakes who waits for it to go. Callable in any
    /// context.
    pub fn wake(&self) {
        // SAFETY: ours, by the invariants.
        unsafe { glue::kgpu_glue_guest_wake(self.handle.as_ptr()) }
    }

    /// Reads the start of the configuration space; a device that is gone leaves it as it is. May sleep.
    pub fn read(&self, to: &mut [u8]) {
        // SAFETY: ours, by the invariants; `to` is writable for its length.
        unsafe {
            glue::kgpu_glue_guest_read(self.handle.as_ptr(), to.as_mut_ptr(), to.len());
        }
    }

    /// Hands the device the first `bytes` bytes of the pages, which stay as they are until it has
    /// answered or was reset.
    ///
    /// # Errors
    /// `ENOMEM`, or what the queue says: no room, a device that is gone.
    pub fn set_up(&self, pages: &Pages, bytes: u64) -> Result<(), Errno> {
        let (handle, pages) = (self.handle.as_ptr(), pages.handle());
        // SAFETY: both ours; the caller keeps the pages.
        match unsafe { glue::kgpu_glue_guest_set_up(handle, pages, bytes) } {
            0 => Ok(()),
            error => Err(Errno(-error)),
        }
    }
}

impl Clone for GuestDevice {
    fn clone(&self) -> Self {
        // SAFETY: ours, by the invariants; the copy holds the reference taken here.
        unsafe { glue::kgpu_glue_guest_get(self.handle.as_ptr()) };
        Self {
            handle: self.handle,
            number: self.number,
        }
    }
}

impl Drop for GuestDevice {
    fn drop(&mut self) {
        // SAFETY: our reference, by the invariants.
        unsafe { glue::kgpu_glue_guest_put(self.handle.as_ptr()) };
    }
}

/// # Safety
/// `handle` is a device of the glue's; `out` is a place for the result.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_guest_new(
    handle: *mut c_void,
    number: u32,
    out: *mut *mut Guest,
) -> c_int {
    let Some(handle) = NonNull::new(handle) else {
        return -Errno::INVAL.0;
    };
    // SAFETY: the caller's device; the reference goes to the value made below.
    unsafe { glue::kgpu_glue_guest_get(handle.as_ptr()) };
    code(guest::new(GuestDevice { handle, number }).map(|row| {
        // SAFETY: the caller's place. A row of one lies where its element lies.
        unsafe { out.write(Box::into_raw(row).cast()) };
    }))
}

/// # Safety
/// `guest` came from `kgpu_rust_guest_new`, has stopped, and is not used after.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_guest_free(guest: *mut Guest) {
    // SAFETY: the caller's promise; made from a Box of a row of one.
    drop(unsafe { Box::from_raw(guest.cast::<[Guest; 1]>()) });
}

/// # Safety
/// `guest` came from `kgpu_rust_guest_new` and is not freed yet.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_guest_event(guest: *const Guest, code: u64, bytes: u32) {
    // SAFETY: the caller's promise.
    unsafe { &*guest }.event(code, bytes);
}

/// # Safety
/// `guest` came from `kgpu_rust_guest_new` and is not freed yet.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_guest_answer(guest: *const Guest, code: u64, bytes: u32) {
    // SAFETY: the caller's promise.
    unsafe { &*guest }.answer(code, bytes);
}

/// After how many milliseconds to call it again; 0 for not before it is woken.
///
/// # Safety
/// `guest` came from `kgpu_rust_guest_new` and is not freed yet; one call at a time.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_guest_work(guest: *const Guest) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { &*guest }.work().unwrap_or(0)
}

/// # Safety
/// `guest` came from `kgpu_rust_guest_new` and is not freed yet.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_guest_start(guest: *const Guest) {
    // SAFETY: the caller's promise.
    unsafe { &*guest }.start();
}

/// # Safety
/// `guest` came from `kgpu_rust_guest_new` and is not freed yet.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_guest_stop(guest: *const Guest) {
    // SAFETY: the caller's promise.
    unsafe { &*guest }.stop();
}

/// # Safety
/// `guest` came from `kgpu_rust_guest_new` and is not freed yet.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_guest_is_closed(guest: *const Guest) -> c_int {
    // SAFETY: the caller's promise.
    c_int::from(unsafe { &*guest }.is_closed())
}

/// # Safety
/// `guest` came from `kgpu_rust_guest_new` and is not freed yet; its work does not run.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_guest_stopped(guest: *const Guest) {
    // SAFETY: the caller's promise.
    unsafe { &*guest }.stopped();
}

/// How many regions of former sessions are kept.
#[unsafe(no_mangle)]
pub(super) extern "C" fn kgpu_rust_guest_kept() -> u32 {
    u32::try_from(kept::count()).unwrap_or(u32::MAX)
}
