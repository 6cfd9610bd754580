//! Pool buffers as a caller of `kgpu.h` has them.

use core::ptr::null_mut;
use std::cell::Cell;
use std::rc::Rc;

use kgpu_core::num::index;

use super::pages::kgpu_glue_pages_address;
use crate::ffi::exports::{GluePlace, kgpu_rust_buffer_free, kgpu_rust_buffer_new};

/// Bytes of the pool of the session that was current.
pub(crate) struct PoolBuffer {
    pub(super) place: GluePlace,
    /// A late helper may still write to it.
    pub(crate) lost: Cell<bool>,
}

impl PoolBuffer {
    /// A buffer with these bytes; the module's error number when there is none.
    pub(crate) fn new(bytes: &[u8]) -> Result<Rc<Self>, i32> {
        let mut place = GluePlace {
            owner: core::ptr::null(),
            pages: null_mut(),
            offset: 0,
            session: 0,
            len: 0,
        };
        // SAFETY: a place for the result.
        match unsafe { kgpu_rust_buffer_new(u32::try_from(bytes.len()).unwrap(), &raw mut place) } {
            0 => {
                let this = Rc::new(Self {
                    place,
                    lost: Cell::new(false),
                });
                this.write(bytes);
                Ok(this)
            }
            error => Err(error),
        }
    }

    fn address(&self) -> *mut u8 {
        let pool = kgpu_glue_pages_address(self.place.pages);
        // SAFETY: the core says that the buffer lies in the pool.
        unsafe { pool.add(index(self.place.offset)) }
    }

    /// Its bytes.
    pub(crate) fn read(&self) -> Vec<u8> {
        let len = index(u64::from(self.place.len));
        // SAFETY: the buffer's bytes; the session keeps its pool while buffers are held, and in a
        // test nobody writes meanwhile.
        unsafe { core::slice::from_raw_parts(self.address(), len) }.to_vec()
    }

    /// Writes its first bytes.
    pub(crate) fn write(&self, bytes: &[u8]) {
        assert!(bytes.len() <= index(u64::from(self.place.len)));
        // SAFETY: as above; inside the buffer, as just checked.
        unsafe {
            self.address()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }
}

impl Drop for PoolBuffer {
    fn drop(&mut self) {
        // SAFETY: filled by `kgpu_rust_buffer_new`, given back once, here.
        unsafe { kgpu_rust_buffer_free(&raw const self.place, i32::from(self.lost.get())) };
    }
}
