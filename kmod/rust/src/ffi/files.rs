//! The device's file operations, as the glue calls them. Each function is declared in `glue/glue.h` with
//! the same words.

use alloc::boxed::Box;
use core::ffi::{c_int, c_void};

use super::Pages;
use crate::device::{self, Mapping, Opener};
use crate::errno::code;

/// # Safety
/// `out` is a place for the result.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_open(out: *mut *mut Opener) -> c_int {
    code(device::open().map(|row| {
        // SAFETY: the caller's place. A row of one lies where its element lies.
        unsafe { out.write(Box::into_raw(row).cast()) };
    }))
}

/// # Safety
/// `opener` came from `kgpu_rust_open` and is not freed yet.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_ioctl(
    opener: *const Opener,
    request: u32,
    argument: usize,
) -> c_int {
    // SAFETY: the caller's promise.
    code(unsafe { &*opener }.ioctl(request, argument))
}

/// # Safety
/// `opener` came from `kgpu_rust_open` and is not freed yet; `pages_out` is a place for the result.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_map(
    opener: *const Opener,
    offset: u64,
    bytes: u64,
    writable: c_int,
    shared: c_int,
    executable: c_int,
    pages_out: *mut *mut c_void,
) -> c_int {
    let mapping = Mapping {
        offset,
        bytes,
        writable: writable != 0,
        shared: shared != 0,
        executable: executable != 0,
    };
    // SAFETY: the caller's promise.
    let opener = unsafe { &*opener };
    code(opener.map(mapping, Pages::handle).map(|handle| {
        // SAFETY: the caller's place. The pages live as long as the session, and each inserted
        // page has a reference of its own from then on.
        unsafe { pages_out.write(handle) };
    }))
}

/// Bit 0: submissions wait. Bit 1: the session is over.
///
/// # Safety
/// `opener` came from `kgpu_rust_open` and is not freed yet.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_poll(opener: *const Opener) -> u32 {
    // SAFETY: the caller's promise.
    let ready = unsafe { &*opener }.poll();
    u32::from(ready.submissions) | u32::from(ready.over) << 1
}

/// # Safety
/// `opener` came from `kgpu_rust_open` and is not freed yet.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_close(opener: *const Opener) {
    // SAFETY: the caller's promise.
    unsafe { &*opener }.close();
}

/// # Safety
/// `opener` came from `kgpu_rust_open` and is not freed yet.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_is_closed(opener: *const Opener) -> c_int {
    // SAFETY: the caller's promise.
    c_int::from(unsafe { &*opener }.is_closed())
}

/// # Safety
/// `opener` came from `kgpu_rust_open`, is closed, and is not used after.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_closed(opener: *mut Opener) {
    // SAFETY: the caller's promise; made from a Box of a row of one.
    let row = unsafe { Box::from_raw(opener.cast::<[Opener; 1]>()) };
    row[0].leave();
}
