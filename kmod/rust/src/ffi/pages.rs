//! Pages of a region: ordinary kernel pages, mapped into the kernel side by side.

use core::ffi::c_void;
use core::ptr::NonNull;

use kgpu_core::abi::PAGE;
use kgpu_core::abi::guest::PageRun;
use kgpu_core::cell::Words;
use kgpu_core::num::index;

use super::glue;

/// Zeroed pages, owned. When dropped they are cleared and let go; a page that somebody still has
/// pinned or mapped (a GPU driver, a helper that is not gone yet) returns to the kernel only when
/// that reference goes too: this is what keeps late writes away from everybody else.
///
/// # Invariants
/// `handle` is the glue's `struct kgpu_pages` of `bytes` bytes, mapped at `address`.
#[derive(Debug)]
pub struct Pages {
    handle: NonNull<c_void>,
    address: NonNull<u8>,
    bytes: u64,
}

// SAFETY: the handle is only used to free the pages, once, and the memory is shared memory by
// nature: every access goes through atomics (`words`) or the glue's memcpy.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    /// Allocates `bytes` bytes of pages (a multiple of the page size). May sleep.
    #[must_use]
    pub fn new(bytes: u64) -> Option<Self> {
        // SAFETY: a plain count; the result is checked.
        let handle = NonNull::new(unsafe { glue::kgpu_glue_pages_new(index(bytes / PAGE)) })?;
        // SAFETY: `handle` was just made.
        let address = NonNull::new(unsafe { glue::kgpu_glue_pages_address(handle.as_ptr()) });
        match address {
            Some(address) => Some(Self {
                handle,
                address,
                bytes: bytes / PAGE * PAGE,
            }),
            None => {
                // SAFETY: `handle` was just made and goes nowhere else.
                unsafe { glue::kgpu_glue_pages_free(handle.as_ptr()) };
                None
            }
        }
    }

    /// Bytes of the pages.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The pages in physical memory, in their order: what follows on itself is one run.
    pub fn runs(&self, mut each: impl FnMut(PageRun)) {
        let mut at = 0;
        while at < self.bytes {
            let mut address = 0;
            let first = index(at / PAGE);
            // SAFETY: the pages are ours, `first` is one of them, `address` is a place for the result.
            let bytes =
                unsafe { glue::kgpu_glue_pages_run(self.handle.as_ptr(), first, &raw mut address) };
            each(PageRun { address, bytes });
            at += bytes.max(PAGE);
        }
    }

    /// Where some of the bytes lie in physical memory, in order: addresses, and bytes that follow on themselves there. None
    /// unless all lie inside.
    pub fn physical(&self, offset: u64, len: u32) -> impl Iterator<Item = (u64, u32)> {
        let inside = self.at(offset, u64::from(len)).is_some();
        let (mut at, mut left) = (offset, if inside { len } else { 0 });
        core::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let mut address = 0;
            let first = index(at / PAGE);
            // SAFETY: the pages are ours, `first` is one of them, `address` is a place for the result.
            let bytes =
                unsafe { glue::kgpu_glue_pages_run(self.handle.as_ptr(), first, &raw mut address) };
            let skip = at % PAGE;
            let run = u32::try_from(bytes.saturating_sub(skip)).unwrap_or(u32::MAX);
            let run = run.min(left);
            left -= run;
            at += u64::from(run);
            (run > 0).then_some((address + skip, run))
        })
    }

    /// The pages as shared words.
    #[must_use]
    pub fn words(&self) -> Words<'_> {
        // SAFETY: mapped and aligned to pages for as long as `self` lives, by the invariants; all
        // our accesses to these pages go through Words, the helper's through its own mapping.
        unsafe { Words::from_raw(self.address.as_ptr(), index(self.bytes)) }
    }

    /// The address of `len` bytes at `offset`; `None` unless they lie inside.
    pub(super) fn at(&self, offset: u64, len: u64) -> Option<NonNull<u8>> {
        if offset.checked_add(len)? > self.bytes {
            return None;
        }
        // SAFETY: inside the mapping, as just checked.
        Some(unsafe { self.address.add(index(offset)) })
    }

    /// Copies bytes out of the pages; nothing unless they lie inside.
    pub fn read(&self, offset: u64, to: &mut [u8]) {
        if let Some(from) = self.at(offset, to.len() as u64) {
            for (i, byte) in to.iter_mut().enumerate() {
                // SAFETY: inside the pages, as `at` checked. The helper may be changing the byte:
                // it is read once, volatile, as a byte of any value.
                *byte = unsafe { from.add(i).read_volatile() };
            }
        }
    }

    /// Copies bytes into the pages; nothing unless they fit inside.
    pub fn write(&self, offset: u64, from: &[u8]) {
        if let Some(to) = self.at(offset, from.len() as u64) {
            for (i, byte) in from.iter().enumerate() {
                // SAFETY: inside the pages, as `at` checked; the helper may be looking.
                unsafe { to.add(i).write_volatile(*byte) };
            }
        }
    }

    /// The glue's handle, to map the pages into a process.
    pub(super) fn handle(&self) -> *mut c_void {
        self.handle.as_ptr()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: ours, by the invariants, and not used after this.
        unsafe { glue::kgpu_glue_pages_free(self.handle.as_ptr()) }
    }
}
