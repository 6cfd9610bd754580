//! The glue's functions as Rust sees them. Each is declared in `glue/glue.h` with the same words.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};

unsafe extern "C" {
    // Services: glue/services.c
    pub(super) fn kgpu_glue_log(level: c_int, text: *const u8, len: usize);
    #[cfg(kgpu_kernel)]
    pub(super) fn kgpu_glue_alloc(size: usize) -> *mut c_void;
    #[cfg(kgpu_kernel)]
    pub(super) fn kgpu_glue_free(memory: *mut c_void);
    #[cfg(kgpu_kernel)]
    pub(super) fn kgpu_glue_bug();
    pub(super) fn kgpu_glue_now() -> u64;
    pub(super) fn kgpu_glue_lock() -> u64;
    pub(super) fn kgpu_glue_unlock(flags: u64);
    pub(super) fn kgpu_glue_random() -> u32;
    pub(super) fn kgpu_glue_relax();
    pub(super) fn kgpu_glue_owner() -> u64;
    pub(super) fn kgpu_glue_processors() -> u32;
    pub(super) fn kgpu_glue_pid() -> c_int;
    pub(super) fn kgpu_glue_capable() -> c_int;
    pub(super) fn kgpu_glue_pages_new(count: usize) -> *mut c_void;
    pub(super) fn kgpu_glue_pages_address(pages: *mut c_void) -> *mut u8;
    pub(super) fn kgpu_glue_pages_free(pages: *mut c_void);
    /// Bytes that follow on themselves in physical memory from a page on, and their address.
    pub(super) fn kgpu_glue_pages_run(pages: *mut c_void, first: usize, address: *mut u64) -> u64;
    pub(super) fn kgpu_glue_copy_from_user(to: *mut u8, from: usize, len: usize) -> c_int;
    pub(super) fn kgpu_glue_copy_to_user(to: usize, from: *const u8, len: usize) -> c_int;
    pub(super) fn kgpu_glue_report(seq: *mut c_void, text: *const u8, len: usize);

    // The engine's thread and the helper's wait queue: glue/main.c, glue/device.c
    pub(super) fn kgpu_glue_wake_engine();
    pub(super) fn kgpu_glue_wake_helper();

    // Guest devices: glue/virtio.c
    pub(super) fn kgpu_glue_guest_get(guest: *mut c_void);
    pub(super) fn kgpu_glue_guest_put(guest: *mut c_void);
    pub(super) fn kgpu_glue_guest_notify(guest: *mut c_void) -> c_int;
    pub(super) fn kgpu_glue_guest_is_broken(guest: *mut c_void) -> c_int;
    pub(super) fn kgpu_glue_guest_wake(guest: *mut c_void);
    pub(super) fn kgpu_glue_guest_read(guest: *mut c_void, to: *mut u8, len: usize);
    pub(super) fn kgpu_glue_guest_set_up(
        guest: *mut c_void,
        pages: *mut c_void,
        bytes: u64,
    ) -> c_int;

    // Jobs: glue/job.c
    pub(super) fn kgpu_glue_enqueue(job: *mut c_void) -> c_int;
    /// The result is how many of `most` places for jobs were filled.
    pub(super) fn kgpu_glue_dequeue(jobs: *mut *mut c_void, most: u32) -> u32;
    pub(super) fn kgpu_glue_fallback_now(job: *mut c_void) -> c_int;
    pub(super) fn kgpu_glue_fallback_later(job: *mut c_void, taken_over: c_int);
    pub(super) fn kgpu_glue_deliver_later(number: u32);
    /// Where a job's source begins, for the next.
    pub(super) fn kgpu_glue_source(job: *mut c_void) -> *mut c_void;
    /// Bytes that follow on themselves in physical memory, and their address; `at` goes behind them. 0 at the end.
    pub(super) fn kgpu_glue_source_run(at: *mut *mut c_void, address: *mut u64) -> u32;
    pub(super) fn kgpu_glue_read_source(job: *mut c_void, at: u32, to: *mut u8, len: u32);
    pub(super) fn kgpu_glue_read_result(job: *mut c_void, at: u32, to: *mut u8, len: u32);
    pub(super) fn kgpu_glue_write_result(job: *mut c_void, from: *const u8, len: u32);
    pub(super) fn kgpu_glue_set_iv(job: *mut c_void, iv: *const u8, len: u32);
    pub(super) fn kgpu_glue_name_result(job: *mut c_void, taken_over: c_int);
    pub(super) fn kgpu_glue_complete(job: *mut c_void, error: c_int);

    // Crypto API: glue/skcipher.c
    pub(super) fn kgpu_glue_set_priority(index: u32, priority: c_int);
    pub(super) fn kgpu_glue_register_later();
    pub(super) fn kgpu_glue_fallback_driver(index: u32, len: *mut usize) -> *const u8;
}
