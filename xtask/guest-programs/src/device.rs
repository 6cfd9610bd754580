//! The device as a helper sees it, without any of the care that a helper takes.
#![allow(unsafe_code)]

use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

use kgpu_core::abi::{Attach, AttachFlags, DEVICE_PATH, Features, IOC_ATTACH};
use kgpu_core::cell::Words;
use kgpu_core::num::index;
use kgpu_core::peer::Pool;
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
#[must_use]
pub fn handshake() -> Attach {
    Attach::request(Features::SERVICES, AttachFlags::SLEEPS, 0, "lies")
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
/// `len` bytes at `base` stay mapped until this is dropped, but for `hole`; readable, and writable
/// if `writable`.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
    writable: bool,
    /// Bytes that are no more, after [`Mapping::punch`] or [`Mapping::advise`].
    hole: Range<usize>,
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
            hole: 0..0,
        })
    }

    /// Makes it writable and executable as asked.
    ///
    /// # Errors
    /// What mprotect(2) said.
    pub fn protect(&self, flags: MprotectFlags) -> Result<(), Errno> {
        // SAFETY: this value's own mapping; who takes rights away gives them back before it is used.
        unsafe { rustix::mm::mprotect(self.base.as_ptr().cast(), self.len, flags) }
    }

    /// Makes it a page longer, where it is or elsewhere, out of `from` bytes of it.
    ///
    /// # Errors
    /// What mremap(2) said; where it said nothing, the new mapping is given up again.
    pub fn grow(&self, from: usize, flags: MremapFlags) -> Result<(), Errno> {
        let (base, len) = (self.base.as_ptr().cast(), self.len + 4096);
        // SAFETY: this value's own mapping; that it must not grow is what is being tried.
        unsafe { rustix::mm::mremap(base, from, len, flags) }.map(|_| ())
    }

    /// Bytes of the mapping.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.len
    }

    /// Moves it to another address.
    ///
    /// # Errors
    /// What mmap(2) or mremap(2) said.
    pub fn relocate(&mut self) -> Result<(), Errno> {
        let (rights, private) = (ProtFlags::empty(), MapFlags::PRIVATE);
        // SAFETY: a null hint replaces no mapping; it becomes the place that is moved to.
        let place =
            unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), self.len, rights, private) }?;
        let base = self.base.as_ptr().cast();
        let (len, flags) = (self.len, MremapFlags::MAYMOVE);
        // SAFETY: this value's own mapping, which nothing borrows, onto the place just made.
        let moved = unsafe { rustix::mm::mremap_fixed(base, len, len, flags, place) }?;
        self.base = NonNull::new(moved.cast()).ok_or(Errno::NOMEM)?;
        Ok(())
    }

    /// Unmaps some of its pages; they are not touched any more.
    ///
    /// # Errors
    /// What munmap(2) said.
    pub fn punch(&mut self, hole: Range<usize>) -> Result<(), Errno> {
        assert!(hole.end <= self.len, "the hole lies inside");
        // SAFETY: inside this value's own mapping; the hole is remembered as one.
        unsafe { rustix::mm::munmap(self.base.as_ptr().add(hole.start).cast(), hole.len()) }?;
        self.widen_hole(hole);
        Ok(())
    }

    /// Gives advice about all of it, or about a part that is not touched any more afterwards.
    ///
    /// # Errors
    /// What madvise(2) said.
    pub fn advise(&mut self, advice: libc::c_int, hole: Range<usize>) -> Result<(), Errno> {
        let part = if hole.is_empty() {
            0..self.len
        } else {
            hole.clone()
        };
        assert!(part.end <= self.len, "the part lies inside");
        // SAFETY: inside this value's own mapping. What the advice may take away is the hole.
        told(unsafe {
            libc::madvise(
                self.base.as_ptr().add(part.start).cast(),
                part.len(),
                advice,
            )
        })?;
        if !hole.is_empty() {
            self.widen_hole(hole);
        }
        Ok(())
    }

    /// There is one hole: what lies between two is left alone too.
    fn widen_hole(&mut self, hole: Range<usize>) {
        self.hole = if self.hole.is_empty() {
            hole
        } else {
            self.hole.start.min(hole.start)..self.hole.end.max(hole.end)
        };
    }

    /// Whether a byte of it can be read: asked of the kernel, so that a fault is an answer.
    ///
    /// # Errors
    /// What pipe(2) said.
    pub fn is_there(&self, at: usize) -> Result<bool, Errno> {
        assert!(at < self.len, "inside");
        let (_out, into) = rustix::pipe::pipe()?;
        // SAFETY: write(2) checks the address itself, and fails where nothing is to be read.
        let written =
            unsafe { libc::write(into.as_raw_fd(), self.base.as_ptr().add(at).cast(), 1) };
        Ok(written == 1)
    }

    /// Reads a byte by itself, whatever becomes of this process.
    #[must_use]
    pub fn touch(&self, at: usize) -> u8 {
        assert!(at < self.len, "inside");
        // SAFETY: inside the mapping's addresses; if nothing is mapped there, the process ends,
        // which is what is being tried.
        unsafe { self.base.as_ptr().add(at).read_volatile() }
    }

    /// The signal that ends a child that touches the mapping; `None` if none does.
    ///
    /// # Errors
    /// What fork(2) or waitpid(2) said.
    pub fn child_touches(&self) -> Result<Option<i32>, Errno> {
        // SAFETY: the child reads one byte and ends; this process has one thread.
        let child = unsafe { libc::fork() };
        told(child)?;
        if child == 0 {
            let _byte = self.touch(0);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(0) };
        }
        let mut status = 0;
        // SAFETY: our own child, and a place for its status.
        told(unsafe { libc::waitpid(child, &raw mut status, 0) })?;
        Ok(libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)))
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
    #[must_use]
    pub fn words(&self) -> Words<'_> {
        // SAFETY: mapped and page-aligned by the invariants; whoever shares it in this process does
        // so by atomic accesses too. Stores to a read-only mapping end the process.
        unsafe { Words::from_raw(self.base.as_ptr(), self.len) }
    }

    /// As shared bytes, for a pool that two threads of this process write to.
    #[must_use]
    pub fn shared_bytes(&self) -> SharedBytes<'_> {
        // SAFETY: mapped by the invariants; AtomicU8 has the layout of u8.
        let bytes = unsafe { std::slice::from_raw_parts(self.base.as_ptr().cast(), self.len) };
        SharedBytes(bytes)
    }

    /// The place of some bytes; `None` unless they lie inside and are all there.
    fn place(&self, at: u64, len: usize) -> Option<NonNull<u8>> {
        let at = index(at);
        let end = at.checked_add(len).filter(|end| *end <= self.len)?;
        if at < self.hole.end && self.hole.start < end {
            return None;
        }
        // SAFETY: inside the mapping, as just checked.
        Some(unsafe { self.base.add(at) })
    }

    /// Writes one byte all over it.
    pub fn fill(&self, byte: u8) {
        if self.writable {
            // SAFETY: the whole of the mapping, writable.
            unsafe { self.base.as_ptr().write_bytes(byte, self.len) };
        }
    }
}

impl Pool for Mapping {
    fn read(&self, at: u64, to: &mut [u8]) -> bool {
        let Some(from) = self.place(at, to.len()) else {
            return false;
        };
        // SAFETY: mapped, as `place` found; the copy is ours, and this process has no other thread
        // that writes here.
        unsafe { from.as_ptr().copy_to(to.as_mut_ptr(), to.len()) };
        true
    }

    fn write(&self, at: u64, from: &[u8]) -> bool {
        let Some(to) = self.place(at, from.len()).filter(|_| self.writable) else {
            return false;
        };
        // SAFETY: mapped and writable; see `read`.
        unsafe { to.as_ptr().copy_from(from.as_ptr(), from.len()) };
        true
    }
}

/// A mapping as bytes that any thread may read and write at any time.
#[derive(Clone, Copy)]
pub struct SharedBytes<'a>(&'a [AtomicU8]);

impl std::fmt::Debug for SharedBytes<'_> {
    /// Prints no data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedBytes({})", self.0.len())
    }
}

impl SharedBytes<'_> {
    fn part(&self, at: u64, len: usize) -> Option<&[AtomicU8]> {
        self.0.get(index(at)..index(at).checked_add(len)?)
    }
}

impl Pool for SharedBytes<'_> {
    fn read(&self, at: u64, to: &mut [u8]) -> bool {
        let Some(from) = self.part(at, to.len()) else {
            return false;
        };
        for (to, from) in to.iter_mut().zip(from) {
            *to = from.load(Ordering::Relaxed);
        }
        true
    }

    fn write(&self, at: u64, from: &[u8]) -> bool {
        let Some(to) = self.part(at, from.len()) else {
            return false;
        };
        for (to, from) in to.iter().zip(from) {
            to.store(*from, Ordering::Relaxed);
        }
        true
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this value's own mapping, which nothing borrows any more.
        let _gone = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// Makes a transform of a cipher's driver and sets a key, through AF_ALG.
///
/// # Errors
/// What the system call that failed said.
pub fn cipher(driver: &str, key_bytes: usize) -> Result<(), Errno> {
    // SAFETY: numbers only.
    let socket =
        unsafe { libc::socket(libc::AF_ALG, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0) };
    told(socket)?;
    // SAFETY: a descriptor of ours that nothing else closes.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut address = [0_u8; 88];
    address[..2].copy_from_slice(&38_u16.to_le_bytes());
    address[2..10].copy_from_slice(b"skcipher");
    if let Some(place) = address.get_mut(24..24 + driver.len().min(63)) {
        place.copy_from_slice(&driver.as_bytes()[..place.len()]);
    }
    // SAFETY: a `sockaddr_alg` has 88 bytes: family, type, two masks, name.
    told(unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), 88) })?;
    let key: Vec<u8> = (0..=u8::MAX).cycle().take(key_bytes).collect();
    let bytes = libc::socklen_t::try_from(key.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the key and its length.
    told(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_ALG,
            libc::ALG_SET_KEY,
            key.as_ptr().cast(),
            bytes,
        )
    })?;
    // SAFETY: no address is asked for.
    let operation = unsafe {
        libc::accept(
            socket.as_raw_fd(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    };
    told(operation)?;
    // SAFETY: a descriptor of ours that nothing else closes.
    drop(unsafe { OwnedFd::from_raw_fd(operation) });
    Ok(())
}
