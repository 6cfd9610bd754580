//! One mapping of memory: made, looked at as atomic words, unmapped. No meaning of its bytes.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use kgpu_core::cell::Words;
use kgpu_core::num::index;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munlock, munmap};

use super::Piece;

/// What this process may do with a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Read only: a store ends the process.
    Read,
    /// Read and write.
    Write,
}

impl Access {
    const fn prot(self) -> ProtFlags {
        match self {
            Self::Read => ProtFlags::READ,
            Self::Write => ProtFlags::READ.union(ProtFlags::WRITE),
        }
    }
}

/// A mapping that this value owns.
///
/// # Invariants
/// `base` is page-aligned and `len` bytes from it stay mapped, readable, until the value is
/// dropped. Nothing else in this process knows the address, but for devices (`Window`).
#[derive(Debug)]
pub(super) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the value owns its mapping, which is not tied to a thread; all access goes through
// `words` (atomic) or through `Pool`, which keeps users apart.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` gives out atomic words only, and the base address to `Pool` alone.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of a device at a file offset, shared with the kernel.
    pub(super) fn device(
        device: BorrowedFd<'_>,
        offset: u64,
        len: usize,
        access: Access,
    ) -> Result<Self, Errno> {
        // SAFETY: a null hint without MAP_FIXED replaces no mapping of this process.
        let base = unsafe {
            mmap(
                std::ptr::null_mut(),
                len,
                access.prot(),
                MapFlags::SHARED,
                device,
                offset,
            )
        }?;
        Self::own(base, len)
    }

    /// Maps `len` bytes of zeroes.
    pub(super) fn anonymous(len: usize) -> Result<Self, Errno> {
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a null hint without MAP_FIXED replaces no mapping of this process.
        let base = unsafe { mmap_anonymous(std::ptr::null_mut(), len, prot, MapFlags::PRIVATE) }?;
        Self::own(base, len)
    }

    /// Maps pieces of files one behind the other, shared with whoever else has them mapped.
    pub(super) fn pieces(pieces: &[Piece], access: Access) -> Result<Self, Errno> {
        let sum = |sum: u64, piece: &Piece| sum.checked_add(piece.bytes);
        let len = pieces.iter().try_fold(0, sum).ok_or(Errno::INVAL)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a null hint without MAP_FIXED replaces no mapping of this process. Nothing may touch it yet.
        let base =
            unsafe { mmap_anonymous(std::ptr::null_mut(), index(len), ProtFlags::empty(), flags) }?;
        // Owned from here on: whatever part of it a failure leaves is unmapped.
        let whole = Self::own(base, index(len))?;
        let mut at = 0;
        for piece in pieces {
            // SAFETY: `at` is the sum of the pieces before, below `len`, the sum of all: inside the range.
            let to = unsafe { whole.base.as_ptr().add(at) };
            let flags = MapFlags::SHARED | MapFlags::FIXED;
            // SAFETY: MAP_FIXED replaces the addresses from `to` on, `piece.bytes` of them, which lie inside the
            // range that `whole` owns (as above) and to which nobody has a pointer yet. An address that is not
            // page-aligned, because a piece before was not whole pages, is refused with an error.
            unsafe {
                mmap(
                    to.cast(),
                    index(piece.bytes),
                    access.prot(),
                    flags,
                    &*piece.file,
                    piece.offset,
                )
            }?;
            at += index(piece.bytes);
        }
        Ok(whole)
    }

    /// Lets the system take the pages away again, where all of the process's memory is kept.
    pub(super) fn unlock(&self) {
        // SAFETY: this value's own mapping (invariant), whose bytes stay as they are.
        if let Err(errno) = unsafe { munlock(self.base.as_ptr().cast(), self.len) } {
            tracing::warn!(%errno, bytes = self.len, "unlocking failed");
        }
    }

    fn own(base: *mut core::ffi::c_void, len: usize) -> Result<Self, Errno> {
        let base = NonNull::new(base.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { base, len })
    }

    /// The mapping as shared words. Stores to a read-only mapping end the process.
    pub(super) fn words(&self) -> Words<'_> {
        // SAFETY: page-aligned and mapped for as long as `self` lives (invariant). This process
        // reaches a mapping that is used as words through `Words` only, hence atomically; the
        // kernel has mappings of its own. A store to a read-only page is a fault, not an access.
        unsafe { Words::from_raw(self.base.as_ptr(), self.len) }
    }

    /// Start of the mapping.
    pub(super) const fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes of the mapping.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own (invariant), and everything that borrows from it
        // is gone, since it borrowed from `self`.
        if let Err(errno) = unsafe { munmap(self.base.as_ptr().cast(), self.len) } {
            tracing::warn!(%errno, bytes = self.len, "unmapping failed");
        }
    }
}
