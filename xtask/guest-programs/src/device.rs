//! The device as a helper sees it, without any of the care that a helper takes.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::NonNull;

use kgpu_core::abi::{Attach, AttachFlags, DEVICE_PATH, Features, IOC_ATTACH};
use kgpu_core::cell::Words;
use kgpu_core::num::index;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, MremapFlags, MsyncFlags, ProtFlags};

/// Opens the device.
///
/// # Errors
/// What open(2) said.
pub fn open() -> Result<OwnedFd, Errno> {
    rustix::fs::open(DEVICE_PATH, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

fn told(result: libc::c_int) -> Result<(), Errno> {
    if result >= 0 {
        return Ok(());
    }
    let errno = std::io::Error::last_os_error().raw_os_error();
    Err(Errno::from_raw_os_error(errno.unwrap_or(libc::EIO)))
}

/// An ioctl of any number, with an argument that points to no memory of ours.
///
/// # Errors
/// What ioctl(2) said.
pub fn ioctl(device: &OwnedFd, request: u32) -> Result<(), Errno> {
    // SAFETY: the module reads and writes no memory but at the argument, and page 0 is not mapped.
    told(unsafe { libc::ioctl(device.as_raw_fd(), libc::c_ulong::from(request), 0) })
}

/// The handshake as a helper of this build sends it.
pub fn handshake() -> Attach {
    Attach::request(Features::all(), AttachFlags::SLEEPS, 0, "lies")
}

/// Sends a handshake under an ioctl number that carries its size, or another one.
///
/// # Errors
/// What ioctl(2) said.
pub fn attach_as(device: &OwnedFd, request: u32, attach: &mut Attach) -> Result<(), Errno> {
    let argument: *mut Attach = attach;
    // SAFETY: the module reads and writes an `Attach` at the argument at most, of which every bit
    // pattern is valid.
    told(unsafe { libc::ioctl(device.as_raw_fd(), libc::c_ulong::from(request), argument) })
}

/// Sends a handshake.
///
/// # Errors
/// What ioctl(2) said.
pub fn attach(device: &OwnedFd, attach: &mut Attach) -> Result<(), Errno> {
    attach_as(device, IOC_ATTACH.request, attach)
}

/// A mapping of the device.
///
/// # Invariants
/// `len` bytes at `base` stay mapped until this is dropped, readable, and writable if `writable`.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
    writable: bool,
}

impl Mapping {
    /// Maps a part.
    ///
    /// # Errors
    /// What mmap(2) said.
    pub fn new(
        device: &OwnedFd,
        offset: u64,
        len: u64,
        prot: ProtFlags,
        flags: MapFlags,
    ) -> Result<Self, Errno> {
        let len = index(len);
        // SAFETY: a null hint without MAP_FIXED replaces no mapping of this process.
        let base = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                prot,
                flags,
                device.as_fd(),
                offset,
            )
        }?;
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(Errno::NOMEM)?,
            len,
            writable: prot.contains(ProtFlags::WRITE),
        })
    }

    /// Makes it writable and executable as asked.
    ///
    /// # Errors
    /// What mprotect(2) said.
    pub fn protect(&self, flags: MprotectFlags) -> Result<(), Errno> {
        // SAFETY: this value's own mapping; rights are only added.
        unsafe { rustix::mm::mprotect(self.base.as_ptr().cast(), self.len, flags) }
    }

    /// Makes it a page longer.
    ///
    /// # Errors
    /// What mremap(2) said.
    pub fn grow(&self) -> Result<(), Errno> {
        let (base, len) = (self.base.as_ptr().cast(), self.len);
        // SAFETY: this value's own mapping; where it grows, it is not moved.
        unsafe { rustix::mm::mremap(base, len, len + 4096, MremapFlags::empty()) }.map(|_| ())
    }

    /// Whether a child of this process has the mapping.
    ///
    /// # Errors
    /// What fork(2) or waitpid(2) said.
    pub fn child_has_it(&self) -> Result<bool, Errno> {
        // SAFETY: the child makes one system call and ends; it touches nothing of ours.
        let child = unsafe { libc::fork() };
        told(child)?;
        if child == 0 {
            // SAFETY: an address range that is looked up, not accessed.
            let there = unsafe {
                rustix::mm::msync(self.base.as_ptr().cast(), self.len, MsyncFlags::ASYNC)
            };
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(there != Err(Errno::NOMEM))) };
        }
        let mut status = 0;
        // SAFETY: our own child, and a place for its status.
        told(unsafe { libc::waitpid(child, &raw mut status, 0) })?;
        Ok(libc::WEXITSTATUS(status) == 1)
    }

    /// As shared words.
    pub fn words(&self) -> Words<'_> {
        // SAFETY: mapped and page-aligned by the invariants; this process has one thread, which
        // makes no references to the memory. Stores to a read-only mapping end the process.
        unsafe { Words::from_raw(self.base.as_ptr(), self.len) }
    }

    /// A copy of some bytes; `None` unless they lie inside.
    pub fn read(&self, offset: u64, len: u32) -> Option<Vec<u8>> {
        let (at, len) = (index(offset), index(u64::from(len)));
        if at.checked_add(len)? > self.len {
            return None;
        }
        let mut bytes = vec![0; len];
        // SAFETY: inside the mapping, as just checked; the copy is ours.
        unsafe {
            self.base
                .add(at)
                .copy_to(NonNull::new(bytes.as_mut_ptr())?, len)
        };
        Some(bytes)
    }

    /// Writes bytes; nothing unless they fit inside.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        let at = index(offset);
        let fits = at
            .checked_add(bytes.len())
            .is_some_and(|end| end <= self.len);
        if fits && self.writable {
            // SAFETY: inside the mapping, as just checked, and writable.
            unsafe {
                self.base
                    .as_ptr()
                    .add(at)
                    .copy_from(bytes.as_ptr(), bytes.len())
            };
        }
    }

    /// Writes one byte all over it.
    pub fn fill(&self, byte: u8) {
        if self.writable {
            // SAFETY: the whole of the mapping, writable.
            unsafe { self.base.as_ptr().write_bytes(byte, self.len) };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this value's own mapping, which nothing borrows any more.
        let _gone = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
