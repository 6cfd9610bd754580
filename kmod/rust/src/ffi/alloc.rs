//! The allocator (kmalloc) and what becomes of a panic.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;

use super::glue;

#[derive(Debug)]
struct Kernel;

// SAFETY: the glue's allocator returns null or memory of at least the asked size, aligned to 8
// bytes, and for sizes that are powers of two to the size (up to a page).
unsafe impl GlobalAlloc for Kernel {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = if layout.align() > 8 {
            layout.size().max(layout.align()).next_power_of_two()
        } else {
            layout.size()
        };
        // SAFETY: plain sizes; called in contexts that may sleep only (attach, transforms, load).
        unsafe { glue::kgpu_glue_alloc(size).cast() }
    }

    unsafe fn dealloc(&self, memory: *mut u8, _layout: Layout) {
        // SAFETY: the caller returns what `alloc` gave.
        unsafe { glue::kgpu_glue_free(memory.cast::<c_void>()) }
    }
}

#[global_allocator]
static ALLOCATOR: Kernel = Kernel;

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    super::log(super::Level::Error, format_args!("{info}"));
    // SAFETY: BUG() does not come back in practice; ud2 stops the CPU's way here if it does.
    unsafe {
        glue::kgpu_glue_bug();
        core::arch::asm!("ud2", options(noreturn))
    }
}
