//! The glue for tests on the host: enough of it for the parts that need no kernel. What a request
//! does is tested in a real kernel; a job that comes here fails the test.

use core::ffi::{c_int, c_void};
use std::cell::Cell;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

static LOCKED: Mutex<bool> = Mutex::new(false);
static UNLOCKED: Condvar = Condvar::new();

thread_local! {
    /// Priorities that were passed on to the crypto API, in this thread.
    pub(crate) static PRIORITIES: Cell<u32> = const { Cell::new(0) };
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_log(_level: c_int, text: *const u8, len: usize) {
    // SAFETY: the caller's text is readable for its length.
    let text = unsafe { core::slice::from_raw_parts(text, len) };
    eprintln!("log: {}", String::from_utf8_lossy(text));
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_now() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap()
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_lock() -> u64 {
    let mut locked = LOCKED.lock().unwrap();
    while *locked {
        locked = UNLOCKED.wait(locked).unwrap();
    }
    *locked = true;
    7
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_unlock(flags: u64) {
    assert_eq!(flags, 7, "unlocked with the flags of the lock");
    *LOCKED.lock().unwrap() = false;
    UNLOCKED.notify_one();
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_set_priority(_index: u32, _priority: c_int) {
    PRIORITIES.with(|count| count.set(count.get() + 1));
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_owner() -> u64 {
    1000
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_pid() -> c_int {
    1
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_fallback_driver(_index: u32, _len: *mut usize) -> *const u8 {
    core::ptr::null()
}

/// Glue functions that no host test reaches.
macro_rules! unreached {
    ($($name:ident($($arg:ident: $ty:ty),*) $(-> $result:ty)?;)*) => { $(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($arg: $ty),*) $(-> $result)? {
            let _unused = ($($arg,)*);
            unreachable!(stringify!($name))
        }
    )* };
}

unreached! {
    kgpu_glue_relax();
    kgpu_glue_capable() -> c_int;
    kgpu_glue_pages_new(count: usize) -> *mut c_void;
    kgpu_glue_pages_address(pages: *mut c_void) -> *mut u8;
    kgpu_glue_pages_free(pages: *mut c_void);
    kgpu_glue_copy_from_user(to: *mut u8, from: usize, len: usize) -> c_int;
    kgpu_glue_copy_to_user(to: usize, from: *const u8, len: usize) -> c_int;
    kgpu_glue_report(seq: *mut c_void, text: *const u8, len: usize);
    kgpu_glue_wake_engine();
    kgpu_glue_wake_helper();
    kgpu_glue_enqueue(job: *mut c_void) -> c_int;
    kgpu_glue_dequeue() -> *mut c_void;
    kgpu_glue_fallback_now(job: *mut c_void) -> c_int;
    kgpu_glue_fallback_later(job: *mut c_void, taken_over: c_int);
    kgpu_glue_read_source(job: *mut c_void, at: u32, to: *mut u8, len: u32);
    kgpu_glue_write_result(job: *mut c_void, from: *const u8, len: u32);
    kgpu_glue_set_iv(job: *mut c_void, iv: *const u8, len: u32);
    kgpu_glue_name_result(job: *mut c_void, taken_over: c_int);
    kgpu_glue_complete(job: *mut c_void, error: c_int);
    kgpu_glue_register_later();
}
