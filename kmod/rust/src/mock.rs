//! The module for programs that drive it from outside: its glue is in memory, its helper played.
//!
//! Nothing of the module's own is here; what a program may do is what the kernel, the crypto API
//! and a helper can do.

use alloc::vec::Vec;

use kgpu_core::abi::{Attach, Header, MAP_CONTROL};
use zerocopy::FromBytes;

use crate::device::{self, Mapping, Opener, Ready};
use crate::engine::Engine;
use crate::engine::tests::random;
use crate::errno::Errno;
use crate::ffi::mock;

/// Runs the schedule that `rolls` says: submitters, an honest and a lying helper, its death, time,
/// new keys, in any order. Every request must be answered once, with the right bytes.
///
/// # Panics
/// When one is not, or when the books of the region do not add up at the end.
pub fn schedule(rolls: &[u8]) {
    random::play(rolls);
}

/// An engine, and `/dev/kgpu` as processes see it.
#[derive(Debug)]
pub struct Machine {
    engine: Engine,
    files: Vec<Opener>,
}

impl Machine {
    /// An engine without a helper, small regions, a process with CAP_SYS_ADMIN. One at a time in a
    /// program.
    ///
    /// # Errors
    /// What an engine may need and not get.
    pub fn new() -> Result<Self, Errno> {
        for (which, text) in [(5, "16"), (6, "1"), (7, "8")] {
            crate::params::set(which, text)?;
        }
        mock::set_capable(true);
        Ok(Self {
            engine: Engine::new()?,
            files: Vec::new(),
        })
    }

    /// Whether the process has CAP_SYS_ADMIN from now on.
    pub fn set_capable(&self, capable: bool) {
        mock::set_capable(capable);
    }

    /// open(2).
    ///
    /// # Errors
    /// What it says.
    pub fn open(&mut self) -> Result<(), Errno> {
        let [opener] = *device::open()?;
        self.files.push(opener);
        Ok(())
    }

    /// How many files are open; they count from 0.
    #[must_use]
    pub fn files(&self) -> usize {
        self.files.len()
    }

    fn file(&self, file: usize) -> Result<&Opener, Errno> {
        self.files.get(file).ok_or(Errno::NOENT)
    }

    /// close(2), by the process's end. Files after it count one less.
    ///
    /// # Panics
    /// When the engine does not let go of the file's session.
    pub fn close(&mut self, file: usize) {
        if file >= self.files.len() {
            return;
        }
        let opener = self.files.remove(file);
        opener.close();
        // A pass or two is all that the engine may need to let go.
        for _ in 0..10 {
            if opener.is_closed() {
                break;
            }
            self.engine.pass();
        }
        assert!(opener.is_closed(), "the engine keeps a closed session");
        opener.leave();
        drop(opener);
        mock::run_work();
    }

    /// ioctl(2), the argument's address `off` bytes from where `argument` lies.
    ///
    /// # Errors
    /// What the ioctl says.
    pub fn ioctl(
        &self,
        file: usize,
        request: u32,
        argument: &[u8],
        off: usize,
    ) -> Result<(), Errno> {
        mock::set_user(argument);
        self.file(file)?
            .ioctl(request, mock::USER.wrapping_add(off))
    }

    /// What the last ioctl left in the argument, if it was a whole handshake.
    #[must_use]
    pub fn answer(&self) -> Option<Attach> {
        Attach::read_from_bytes(&mock::user()).ok()
    }

    /// mmap(2). The result is the header, if the control part was mapped, and how many bytes were.
    ///
    /// # Errors
    /// What the mapping says.
    pub fn map(&self, file: usize, mapping: Mapping) -> Result<(Option<Header>, u64), Errno> {
        self.file(file)?.map(mapping, |pages| {
            let is_control = mapping.offset == MAP_CONTROL;
            let header = is_control.then(|| pages.words().load_entry(0)).flatten();
            (header, pages.bytes())
        })
    }

    /// poll(2).
    ///
    /// # Errors
    /// `ENOENT` for a file that is not open.
    pub fn poll(&self, file: usize) -> Result<Ready, Errno> {
        Ok(self.file(file)?.poll())
    }

    /// Writes to the helper's mapping of the session that stands for the helper, as one that has it
    /// mapped may.
    pub fn write_word(&self, offset: u64, value: u64) {
        if let Some(session) = crate::session::current() {
            session.helper.words().store(offset, value);
        }
    }

    /// One pass of the engine.
    pub fn pass(&mut self) {
        self.engine.pass();
        mock::run_work();
    }

    /// Moves the clock on.
    pub fn advance(&self, ns: u64) {
        mock::advance(ns);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        while !self.files.is_empty() {
            self.close(0);
        }
        mock::forget_jobs();
        assert_eq!(mock::live_pages(), 0, "regions are kept");
    }
}
