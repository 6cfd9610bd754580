//! System calls with any arguments, and why they can't hurt the program that makes them.
//!
//! An address that a call gets is one of a buffer that is lent to it, or lies in the arena: address space that this
//! program reserved, puts its mappings of the device in, and never makes a reference to.
#![allow(unsafe_code)]

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, IntoRawFd, RawFd};
use std::sync::atomic::AtomicU64;

use kgpu_core::num::index;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// Bytes of the arena. Calls get addresses of its first half and lengths up to the other.
const ARENA: u64 = 1 << 28;

/// Most bytes that a call may be told to work on, from an address in the arena.
pub const REACH: u64 = ARENA / 2;

/// An argument of a system call.
#[derive(Debug)]
pub enum Arg<'a> {
    /// A number. No call must be given one as the address of memory that is mapped.
    Number(u64),
    /// A file descriptor, valid or not.
    Fd(RawFd),
    /// This many bytes into the first half of the arena.
    Arena(u64),
    /// Memory of ours that the call may read and write.
    Lent(&'a mut [u8]),
}

/// Reserved address space.
#[derive(Clone, Copy, Debug)]
pub struct Arena {
    base: u64,
}

fn wire(value: u64) -> i64 {
    i64::from_ne_bytes(value.to_ne_bytes())
}

/// The error number of the last call.
fn errno() -> u64 {
    let errno = std::io::Error::last_os_error().raw_os_error();
    u64::try_from(errno.unwrap_or(0)).unwrap_or(0)
}

fn told(result: isize) -> Result<u64, u64> {
    u64::try_from(result).map_err(|_| errno())
}

fn address<T>(pointer: *mut T) -> u64 {
    u64::try_from(pointer.expose_provenance()).unwrap_or(0)
}

impl Arena {
    /// Reserves it; it stays until the program ends. It lies low, where the kernel puts nothing of its own accord:
    /// what comes to lie in a hole that an unmapping left would not be ours alone.
    ///
    /// # Errors
    /// What mmap(2) said.
    pub fn new() -> Result<Self, Errno> {
        let low = std::ptr::without_provenance_mut(1 << 36);
        // SAFETY: refused where something is mapped already.
        let base = unsafe {
            rustix::mm::mmap_anonymous(
                low,
                index(ARENA),
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED_NOREPLACE,
            )
        }?;
        Ok(Self {
            base: address(base),
        })
    }

    /// The address of a place in its first half.
    pub fn at(self, offset: u64) -> u64 {
        self.base + offset % REACH
    }

    /// Makes a system call.
    ///
    /// # Errors
    /// The error number, of whatever value.
    pub fn call(self, number: i64, args: &mut [Arg<'_>]) -> Result<u64, u64> {
        let mut words = [0; 6];
        for (word, arg) in words.iter_mut().zip(args) {
            *word = match arg {
                Arg::Number(number) => wire(*number),
                Arg::Fd(fd) => i64::from(*fd),
                Arg::Arena(offset) => wire(self.at(*offset)),
                Arg::Lent(bytes) => wire(address(bytes.as_mut_ptr())),
            };
        }
        let [a, b, c, d, e, f] = words;
        // SAFETY: the calls that the steps make touch memory only at their address arguments. Those are
        // lent for the time of the call, lie in the arena, where no reference points, or are not mapped.
        let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
        u64::try_from(result).map_err(|_| errno())
    }

    /// A pipe: the end to read from and the end to write to.
    ///
    /// # Errors
    /// What pipe2(2) said.
    pub fn pipe(self) -> Result<[RawFd; 2], u64> {
        let mut ends = [0_u8; 8];
        // Not to block: another thread may have closed the other end, or taken what was in it.
        let flags = u64::try_from(libc::O_NONBLOCK).unwrap_or(0);
        self.call(
            libc::SYS_pipe2,
            &mut [Arg::Lent(&mut ends), Arg::Number(flags)],
        )?;
        let (chunks, _) = ends.as_chunks();
        match chunks {
            [from, to] => Ok([RawFd::from_le_bytes(*from), RawFd::from_le_bytes(*to)]),
            _ => Err(0),
        }
    }

    /// Closes two descriptors.
    pub fn close(self, fds: [RawFd; 2]) {
        for fd in fds {
            let _result = self.call(libc::SYS_close, &mut [Arg::Fd(fd)]);
        }
    }

    /// Reads (or writes) memory of the arena as a debugger does.
    ///
    /// # Errors
    /// The error number.
    pub fn peek(self, local: &mut [u8], offset: u64, write: bool) -> Result<u64, u64> {
        let remote = libc::iovec {
            iov_base: std::ptr::with_exposed_provenance_mut(index(self.at(offset))),
            iov_len: local.len(),
        };
        let local = libc::iovec {
            iov_base: local.as_mut_ptr().cast(),
            iov_len: local.len(),
        };
        let this = i32::try_from(std::process::id()).unwrap_or(0);
        // SAFETY: one side is lent, the other lies in the arena.
        told(unsafe {
            if write {
                libc::process_vm_writev(this, &raw const local, 1, &raw const remote, 1, 0)
            } else {
                libc::process_vm_readv(this, &raw const local, 1, &raw const remote, 1, 0)
            }
        })
    }

    /// Puts pages of the arena into a pipe without copying them.
    ///
    /// # Errors
    /// The error number.
    pub fn lend_pages(self, to: RawFd, offset: u64, len: usize) -> Result<u64, u64> {
        let pages = libc::iovec {
            iov_base: std::ptr::with_exposed_provenance_mut(index(self.at(offset))),
            iov_len: len,
        };
        // SAFETY: the pages lie in the arena.
        told(unsafe { libc::vmsplice(to, &raw const pages, 1, 0) })
    }

    /// A child process that makes the system calls, then reads and writes a byte at each of some places of the arena,
    /// which may end it.
    ///
    /// # Errors
    /// What fork(2) said, as a number.
    pub fn child(self, calls: &[(i64, [u64; 6])], touch: &[u64]) -> Result<Ended, u64> {
        // SAFETY: the child makes system calls, touches the arena and ends; it uses nothing that
        // another thread may hold.
        let child = unsafe { libc::fork() };
        if child == 0 {
            for (number, args) in calls {
                let [a, b, c, d, e, f] = args.map(wire);
                // SAFETY: as in `call`; the child's memory is its own.
                let _result = unsafe { libc::syscall(*number, a, b, c, d, e, f) };
            }
            for offset in touch {
                let place = std::ptr::with_exposed_provenance_mut::<u8>(index(self.at(*offset)));
                // SAFETY: no reference points into the arena; where nothing is mapped, the child ends.
                unsafe { place.write_volatile(place.read_volatile().wrapping_add(1)) };
            }
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(0) };
        }
        if child < 0 {
            return Err(1);
        }
        Ok(wait(child, true).unwrap_or(Ended::Gone))
    }
}

/// Sends a descriptor over a socket, and receives another one of the same open file.
///
/// # Errors
/// The error number.
pub fn pass(fd: RawFd) -> Result<u64, u64> {
    let number = |e: Errno| u64::try_from(e.raw_os_error()).unwrap_or(0);
    if fd < 0 {
        return Err(number(Errno::BADF));
    }
    let (flags, none) = (SocketFlags::CLOEXEC, None);
    let (from, to) =
        net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, none).map_err(number)?;
    // SAFETY: only its number is used, for a call that refuses one that means nothing.
    let fds = [unsafe { BorrowedFd::borrow_raw(fd) }];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    net::sendmsg(
        &to,
        &[IoSlice::new(b"fd")],
        &mut control,
        SendFlags::DONTWAIT,
    )
    .map_err(number)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut data = [0; 2];
    net::recvmsg(
        &from,
        &mut [IoSliceMut::new(&mut data)],
        &mut control,
        RecvFlags::DONTWAIT,
    )
    .map_err(number)?;
    let mut came = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let copy = came.next().map(IntoRawFd::into_raw_fd);
    copy.and_then(|fd| u64::try_from(fd).ok()).ok_or(0)
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with a status.
    Status(i32),
    /// By a signal.
    Signal(i32),
    /// Nobody knows.
    Gone,
}

/// Waits for a child, or only looks; `None` while it runs.
pub fn wait(child: i32, block: bool) -> Option<Ended> {
    let mut status = 0;
    let flags = if block { 0 } else { libc::WNOHANG };
    // SAFETY: a place for the status.
    let found = unsafe { libc::waitpid(child, &raw mut status, flags) };
    if found == 0 {
        return None;
    }
    Some(if found < 0 {
        Ended::Gone
    } else if libc::WIFSIGNALED(status) {
        Ended::Signal(libc::WTERMSIG(status))
    } else {
        Ended::Status(libc::WEXITSTATUS(status))
    })
}

/// Kills a child of ours.
pub fn kill(child: i32) {
    // SAFETY: a number; the child is ours and was not waited for.
    let _result = unsafe { libc::kill(child, libc::SIGKILL) };
}

/// Runs `work` in a child process, whose status is 0 if it returns.
///
/// # Errors
/// What fork(2) said. To be called while this process has one thread.
pub fn spawn(work: impl FnOnce()) -> Result<i32, Errno> {
    // SAFETY: one thread: no lock of the standard library can be held by another.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(Errno::AGAIN);
    }
    if child == 0 {
        work();
        // SAFETY: ends the child without what the parent has to flush.
        unsafe { libc::_exit(0) };
    }
    Ok(child)
}

/// Counters that this process shares with its children.
///
/// # Errors
/// What mmap(2) said.
pub fn shared_counters(count: usize) -> Result<&'static [AtomicU64], Errno> {
    let bytes = count * size_of::<AtomicU64>();
    // SAFETY: a null hint without MAP_FIXED replaces no mapping of this process.
    let base = unsafe {
        rustix::mm::mmap_anonymous(
            std::ptr::null_mut(),
            bytes,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED,
        )
    }?;
    // SAFETY: `count` zeroed words, aligned to a page, mapped for as long as the process lives; all
    // who have them use them as atomics.
    Ok(unsafe { std::slice::from_raw_parts(base.cast::<AtomicU64>(), count) })
}

/// Gives up every privilege for good: user and group 1000, no capability.
///
/// # Errors
/// The call that failed.
pub fn drop_privileges() -> Result<(), &'static str> {
    // SAFETY: an empty list, which is not read.
    if unsafe { libc::setgroups(0, std::ptr::null()) } != 0 {
        return Err("setgroups");
    }
    // SAFETY: numbers only.
    if unsafe { libc::setgid(1000) } != 0 {
        return Err("setgid");
    }
    // SAFETY: numbers only; this process has one thread.
    if unsafe { libc::setuid(1000) } != 0 {
        return Err("setuid");
    }
    Ok(())
}
