//! A user of the crypto API (AF_ALG) with known secrets, that keeps no copy of them: a key is unmasked for the call
//! that sets it, the plaintext for the call that sends it, and both are cleared behind it, in registers too: what the kernel
//! saved of them stays in its memory after this process, where a scan would take it for the module's or the helper's.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use kgpu_userhelper::wipe;
use kgpu_verify::residue::MASK;
use zeroize::{Zeroize, Zeroizing};

use super::secrets::{self, KEY_BYTES, KEYS};

/// Bytes of a request.
const REQUEST: usize = 4096;
/// Bytes of an IV.
const IV: usize = 16;

fn told(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn own(fd: libc::c_int) -> io::Result<OwnedFd> {
    let fd = told(fd)?;
    // SAFETY: a descriptor that a system call has just given to this process, and nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn size(bytes: usize) -> libc::socklen_t {
    libc::socklen_t::try_from(bytes).unwrap_or(0)
}

/// A transform: the socket that it is bound to.
#[derive(Debug)]
struct Transform(OwnedFd);

impl Transform {
    fn open(driver: &str) -> io::Result<Self> {
        // SAFETY: makes a descriptor; no memory is involved.
        let socket = own(unsafe {
            libc::socket(libc::AF_ALG, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0)
        })?;
        // SAFETY: integers and bytes: all zeroes are one.
        let mut address: libc::sockaddr_alg = unsafe { std::mem::zeroed() };
        address.salg_family = libc::sa_family_t::try_from(libc::AF_ALG).unwrap_or(0);
        address.salg_type[..8].copy_from_slice(b"skcipher");
        for (to, from) in address.salg_name.iter_mut().zip(driver.bytes()) {
            *to = from;
        }
        let at = (&raw const address).cast();
        // SAFETY: reads the address, which lives during the call.
        told(unsafe { libc::bind(socket.as_raw_fd(), at, size(size_of_val(&address))) })?;
        Ok(Self(socket))
    }

    fn set_key(&self, number: u64, bytes: usize) -> io::Result<()> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        for (to, from) in key.iter_mut().zip(secrets::key(number)) {
            *to = from ^ MASK;
        }
        let at = key.as_ptr().cast();
        // SAFETY: reads the key, which is as long or longer.
        told(unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_ALG,
                libc::ALG_SET_KEY,
                at,
                size(bytes.min(KEY_BYTES)),
            )
        })?;
        Ok(())
    }

    /// Encrypts the plaintext `requests` times, one after the other.
    fn run(&self, requests: u64) -> io::Result<()> {
        // SAFETY: accepts a descriptor; no address is asked for.
        let operation = own(unsafe {
            libc::accept4(
                self.0.as_raw_fd(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                libc::SOCK_CLOEXEC,
            )
        })?;
        let mut answers = File::from(operation.try_clone()?);
        let mut data = Zeroizing::new([0u8; REQUEST]);
        for _ in 0..requests {
            for (to, from) in data.iter_mut().zip(secrets::plaintext()) {
                *to = from ^ MASK;
            }
            send(&operation, &mut *data)?;
            data.zeroize();
            answers.read_exact(&mut *data)?;
        }
        Ok(())
    }
}

/// Sends an encryption of `data` under a zero IV.
fn send(operation: &OwnedFd, data: &mut [u8]) -> io::Result<()> {
    /// Control messages at their alignment.
    #[repr(align(8))]
    struct Control([u8; 128]);
    let mut control = Control([0; 128]);
    let mut part = libc::iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: data.len(),
    };
    let op: u32 = libc::ALG_OP_ENCRYPT.try_into().unwrap_or(1);
    let len: u32 = IV.try_into().unwrap_or(16);
    // SAFETY: integers and pointers: all zeroes are one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: computes a size.
    let sizes = unsafe { (libc::CMSG_SPACE(4), libc::CMSG_SPACE(4 + len)) };
    message.msg_controllen = usize::try_from(sizes.0 + sizes.1).unwrap_or(0);
    // SAFETY: the headers and their data lie in `control`, which is as long as `msg_controllen` or longer, by the
    // macros' own arithmetic; the IV's bytes are zero already.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const message);
        (*first).cmsg_level = libc::SOL_ALG;
        (*first).cmsg_type = libc::ALG_SET_OP;
        (*first).cmsg_len = usize::try_from(libc::CMSG_LEN(4)).unwrap_or(0);
        libc::CMSG_DATA(first).cast::<u32>().write_unaligned(op);
        let second = libc::CMSG_NXTHDR(&raw const message, first);
        (*second).cmsg_level = libc::SOL_ALG;
        (*second).cmsg_type = libc::ALG_SET_IV;
        (*second).cmsg_len = usize::try_from(libc::CMSG_LEN(4 + len)).unwrap_or(0);
        libc::CMSG_DATA(second).cast::<u32>().write_unaligned(len);
    }
    // SAFETY: everything that the message names lives during the call.
    let sent = unsafe { libc::sendmsg(operation.as_raw_fd(), &raw const message, 0) };
    if usize::try_from(sent).ok() == Some(data.len()) {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Does what standard input says, a line each, until it ends.
///
/// # Errors
/// What the kernel refused.
pub fn run(driver: &str, key_bytes: usize) -> io::Result<()> {
    let mut transform = Some(Transform::open(driver)?);
    let mut answer = io::stdout();
    writeln!(answer, "open")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (what, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number = number.parse::<u64>().map_err(io::Error::other)?;
        let open = || io::Error::other("the transform is closed");
        match what {
            "open" => transform = Some(Transform::open(driver)?),
            "close" => transform = None,
            "key" if number < KEYS => transform
                .as_ref()
                .ok_or_else(open)?
                .set_key(number, key_bytes)?,
            "run" => transform.as_ref().ok_or_else(open)?.run(number)?,
            _ => return Err(io::Error::other(format!("`{line}` is no order"))),
        }
        wipe::leftovers();
        writeln!(answer, "done {line}")?;
        answer.flush()?;
    }
    wipe::leftovers_at_end();
    Ok(())
}
