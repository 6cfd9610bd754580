//! Log, clock, lock, who runs, user memory.

use core::ffi::{c_int, c_void};
use std::cell::{Cell, RefCell};
use std::sync::{Condvar, Mutex};
use std::thread::ThreadId;

use crate::errno::Errno;

/// The engine's lock.
struct Holder {
    thread: Option<ThreadId>,
    waiting: usize,
}

static HOLDER: Mutex<Holder> = Mutex::new(Holder {
    thread: None,
    waiting: 0,
});
static UNLOCKED: Condvar = Condvar::new();

/// Where the test's user memory begins, as the module sees it.
pub(crate) const USER: usize = 0x1000;

/// What a test hangs into the log.
type OnLog = Box<dyn Fn(&str)>;

thread_local! {
    /// Priorities that were passed on to the crypto API, in this thread.
    pub(crate) static PRIORITIES: Cell<u32> = const { Cell::new(0) };
    static CLOCK: Cell<u64> = const { Cell::new(1_000_000_000) };
    static WOKEN: Cell<bool> = const { Cell::new(false) };
    static RANDOM: Cell<u32> = const { Cell::new(0) };
    static OWNER: Cell<u64> = const { Cell::new(1000) };
    static CAPABLE: Cell<bool> = const { Cell::new(true) };
    static MEMORY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static ON_LOG: RefCell<Option<OnLog>> = const { RefCell::new(None) };
}

/// Moves the clock on.
pub(crate) fn advance(ns: u64) {
    CLOCK.set(CLOCK.get() + ns);
}

/// What the clock says.
pub(crate) fn clock() -> u64 {
    CLOCK.get()
}

/// Whether the engine was woken since the last look.
pub(crate) fn take_woken() -> bool {
    WOKEN.replace(false)
}

/// Who runs from now on.
pub(crate) fn set_owner(owner: u64) {
    OWNER.set(owner);
}

/// Whether who runs has CAP_SYS_ADMIN.
pub(crate) fn set_capable(capable: bool) {
    CAPABLE.set(capable);
}

/// Fills the user memory, which begins at [`USER`].
pub(crate) fn set_user(bytes: &[u8]) {
    MEMORY.with_borrow_mut(|memory| *memory = bytes.to_vec());
}

/// What lies in the user memory.
pub(crate) fn user() -> Vec<u8> {
    MEMORY.with_borrow(Clone::clone)
}

/// Has the next line of the log looked at: the one place where a test can act as somebody who runs
/// beside the engine.
pub(crate) fn on_log(look: impl Fn(&str) + 'static) {
    ON_LOG.set(Some(Box::new(look)));
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_log(_level: c_int, text: *const u8, len: usize) {
    // SAFETY: the caller's text is readable for its length.
    let text = String::from_utf8_lossy(unsafe { core::slice::from_raw_parts(text, len) });
    #[cfg(test)]
    eprintln!("log: {text}");
    if let Some(look) = ON_LOG.take() {
        look(&text);
    }
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_now() -> u64 {
    clock()
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_lock() -> u64 {
    let me = std::thread::current().id();
    let mut holder = HOLDER.lock().unwrap();
    assert_ne!(
        holder.thread,
        Some(me),
        "the lock is taken while it is held"
    );
    holder.waiting += 1;
    while holder.thread.is_some() {
        holder = UNLOCKED.wait(holder).unwrap();
    }
    holder.waiting -= 1;
    holder.thread = Some(me);
    7
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_unlock(flags: u64) {
    assert_eq!(flags, 7, "unlocked with the flags of the lock");
    let mut holder = HOLDER.lock().unwrap();
    holder.thread = None;
    // Waking is a system call even where nobody waits, and most of the engine's tests have one thread.
    if holder.waiting > 0 {
        UNLOCKED.notify_one();
    }
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_random() -> u32 {
    RANDOM.set(RANDOM.get().wrapping_add(1));
    RANDOM.get()
}

/// Polling takes time: without it a test's clock would stand still.
#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_relax() {
    advance(5_000);
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_owner() -> u64 {
    OWNER.get()
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_processors() -> u32 {
    2
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_pid() -> c_int {
    1
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_capable() -> c_int {
    c_int::from(CAPABLE.get())
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_copy_from_user(to: *mut u8, from: usize, len: usize) -> c_int {
    MEMORY.with_borrow(|memory| {
        let Some(bytes) = from
            .checked_sub(USER)
            .and_then(|at| memory.get(at..at.checked_add(len)?))
        else {
            return -Errno::FAULT.0;
        };
        // SAFETY: the caller's place is writable for `len` bytes, which `bytes` has.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), len) };
        0
    })
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_copy_to_user(to: usize, from: *const u8, len: usize) -> c_int {
    MEMORY.with_borrow_mut(|memory| {
        let Some(bytes) = to
            .checked_sub(USER)
            .and_then(|at| memory.get_mut(at..at.checked_add(len)?))
        else {
            return -Errno::FAULT.0;
        };
        // SAFETY: the caller's bytes are readable for `len`, which `bytes` has room for.
        bytes.copy_from_slice(unsafe { core::slice::from_raw_parts(from, len) });
        0
    })
}

/// A seq_file is a `String` here.
#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_report(seq: *mut c_void, text: *const u8, len: usize) {
    // SAFETY: the test passed its own String as the file; the text is readable for its length.
    let (seq, text) = unsafe {
        (
            &mut *seq.cast::<String>(),
            core::slice::from_raw_parts(text, len),
        )
    };
    seq.push_str(&String::from_utf8_lossy(text));
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_wake_engine() {
    WOKEN.set(true);
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_wake_helper() {}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_set_priority(_index: u32, _priority: c_int) {
    PRIORITIES.set(PRIORITIES.get() + 1);
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_register_later() {}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_fallback_driver(_index: u32, _len: *mut usize) -> *const u8 {
    core::ptr::null()
}
