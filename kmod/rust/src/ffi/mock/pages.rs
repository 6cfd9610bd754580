//! Pages: one aligned, zeroed allocation, counted until it is let go.

use core::ffi::c_void;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;

const PAGE: usize = 4096;

struct MockPages {
    address: *mut u8,
    layout: Layout,
}

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static RUN: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Pages lie in physical memory in runs of at most so many.
pub(crate) fn scatter(run: usize) {
    RUN.set(run);
}

/// An address is the one in this process, spread so that each run lies apart.
#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_pages_run(pages: *mut c_void, first: usize, address: *mut u64) -> u64 {
    // SAFETY: the caller's pages came from `kgpu_glue_pages_new` and were not freed.
    let pages = unsafe { &*pages.cast::<MockPages>() };
    let count = pages.layout.size() / PAGE;
    assert!(first < count);
    let run = RUN.get();
    let (nth, left) = (first / run, run - first % run);
    let physical = pages.address as usize + (first + nth) * PAGE;
    // SAFETY: the caller's place.
    unsafe { address.write(physical as u64) };
    (left.min(count - first) * PAGE) as u64
}

/// Pages that this thread allocated and did not let go.
pub(crate) fn live_pages() -> usize {
    LIVE.get()
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_pages_new(count: usize) -> *mut c_void {
    let layout = Layout::from_size_align(count * PAGE, PAGE).unwrap();
    assert!(count > 0, "no pages are asked for");
    // SAFETY: the size is not 0.
    let address = unsafe { alloc_zeroed(layout) };
    assert!(!address.is_null());
    LIVE.set(LIVE.get() + count);
    Box::into_raw(Box::new(MockPages { address, layout })).cast()
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn kgpu_glue_pages_address(pages: *mut c_void) -> *mut u8 {
    // SAFETY: the caller's pages came from `kgpu_glue_pages_new` and were not freed.
    unsafe { (*pages.cast::<MockPages>()).address }
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_pages_free(pages: *mut c_void) {
    // SAFETY: the caller's pages came from `kgpu_glue_pages_new` and are freed once.
    let pages = unsafe { Box::from_raw(pages.cast::<MockPages>()) };
    LIVE.set(LIVE.get() - pages.layout.size() / PAGE);
    // SAFETY: allocated with this layout.
    unsafe { dealloc(pages.address, pages.layout) };
}
