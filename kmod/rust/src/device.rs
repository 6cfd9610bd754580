//! The helper's side of the module: what `/dev/kgpu` answers.
//!
//! Whoever opens it must be CAP_SYS_ADMIN, at open and again at attach. Every refusal has one errno
//! and one rate-limited line.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use kgpu_core::abi::{
    Attach, IOC_ATTACH, IOC_DETACH, IOC_KICK, IOC_START, Ioctl, MAJOR, MAP_CONTROL, MAP_HELPER,
    MAP_POOL, MINOR, SessionState, word,
};
use zerocopy::{FromZeros, IntoBytes};

use crate::attach::{Holder, Refusal};
use crate::errno::Errno;
use crate::ffi::{self, Level, Pages, log};
use crate::session::{Peer, Session};

fn refuse(errno: Errno, why: core::fmt::Arguments<'_>) -> Errno {
    log(
        Level::Warning,
        format_args!("process {}: {why}", ffi::pid()),
    );
    errno
}

/// What a mapping asks for.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// File offset.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
    /// Writable now.
    pub writable: bool,
    /// Shared with other mappings.
    pub shared: bool,
    /// Executable now.
    pub executable: bool,
}

/// What poll(2) reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Submissions wait.
    pub submissions: bool,
    /// The session is over.
    pub over: bool,
}

/// An open file of the device.
#[derive(Debug)]
pub struct Opener {
    /// Its session, once attached.
    holder: Holder,
}

/// Opens the device. The result is a row of one, because a row can be allocated fallibly.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `ENOMEM`.
pub fn open() -> Result<Box<[Opener; 1]>, Errno> {
    if !ffi::capable() {
        return Err(refuse(
            Errno::PERM,
            format_args!("opening /dev/kgpu needs CAP_SYS_ADMIN"),
        ));
    }
    let mut row = Vec::new();
    row.try_reserve_exact(1).map_err(|_| Errno::NOMEM)?;
    row.push(Opener {
        holder: Holder::new(),
    });
    row.into_boxed_slice().try_into().map_err(|_| Errno::NOMEM)
}

impl Opener {
    /// Closes the file: its helper is gone.
    pub fn close(&self) {
        self.holder.close();
    }

    /// The engine has let go of the session, or there was none.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.holder.is_closed()
    }

    /// Forgets the session, which [`Opener::is_closed`]; the file is freed after this. May sleep.
    pub fn leave(&self) {
        // Maybe the last reference: dropped here, where sleeping is allowed.
        drop(self.holder.leave());
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.holder.session()
    }

    fn need_session(&self, what: &str) -> Result<Arc<Session>, Errno> {
        self.session()
            .ok_or_else(|| refuse(Errno::NXIO, format_args!("{what} before KGPU_IOC_ATTACH")))
    }

    /// An ioctl.
    ///
    /// # Errors
    /// `ENOTTY` for a number that is none of ours, `EINVAL` for one of another size or a handshake
    /// that does not fit, `EPERM`, `EBUSY` for a second attach and while another helper is attached
    /// or taking over, `ENXIO` before attach, `EFAULT`, `ENOMEM`.
    pub fn ioctl(&self, request: u32, argument: usize) -> Result<(), Errno> {
        if request == IOC_ATTACH.request {
            return self.attach(argument);
        }
        if request == IOC_START.request {
            return self.start();
        }
        if request == IOC_KICK.request {
            self.need_session("KGPU_IOC_KICK")?;
            ffi::wake_engine();
            return Ok(());
        }
        if request == IOC_DETACH.request {
            self.need_session("KGPU_IOC_DETACH")?
                .detached
                .store(true, Ordering::Release);
            ffi::wake_engine();
            return Ok(());
        }
        if let Some(known) = Ioctl::ALL
            .iter()
            .find(|known| known.same_but_for_size(request))
        {
            return Err(refuse(
                Errno::INVAL,
                format_args!(
                    "{} with another argument size: built for another ABI than {MAJOR}.{MINOR}?",
                    known.name
                ),
            ));
        }
        Err(refuse(
            Errno::NOTTY,
            format_args!("unknown ioctl {request:#x}"),
        ))
    }

    fn attach(&self, argument: usize) -> Result<(), Errno> {
        if !ffi::capable() {
            return Err(refuse(
                Errno::PERM,
                format_args!("attaching needs CAP_SYS_ADMIN"),
            ));
        }
        let mut handshake = Attach::new_zeroed();
        ffi::copy_from_user(handshake.as_mut_bytes(), argument)?;
        let peer = Peer::Process(ffi::pid());
        let told = self.holder.attach(&mut handshake, &peer, |answer, _| {
            ffi::copy_to_user(argument, answer.as_bytes())
        });
        told.map(drop).map_err(|refusal| match refusal {
            Refusal::Failed(errno) => errno,
            refusal => refuse(refusal.errno(), format_args!("{refusal}")),
        })
    }

    fn start(&self) -> Result<(), Errno> {
        let session = self.need_session("KGPU_IOC_START")?;
        if session.mapped.load(Ordering::Acquire) != Session::ALL_MAPPED {
            return Err(refuse(
                Errno::INVAL,
                format_args!("KGPU_IOC_START before all three mappings exist"),
            ));
        }
        session.started.store(true, Ordering::Release);
        ffi::wake_engine();
        Ok(())
    }

    /// Which part of the session's region a mapping is, for the glue to insert its pages.
    ///
    /// # Errors
    /// `ENXIO` before attach and for offsets or sizes that are not a part, `EACCES` for a writable
    /// mapping of the control part or an executable one of any, `EINVAL` for a private mapping, `EBUSY` for a part mapped before.
    pub fn map<R>(&self, mapping: Mapping, insert: impl FnOnce(&Pages) -> R) -> Result<R, Errno> {
        let session = self.need_session("mmap")?;
        let (part, pages) = match mapping.offset {
            MAP_CONTROL => (0, &session.control),
            MAP_HELPER => (1, &session.helper),
            MAP_POOL => (2, &session.pool),
            offset => {
                return Err(refuse(
                    Errno::NXIO,
                    format_args!("mmap at offset {offset:#x}: no such part"),
                ));
            }
        };
        if mapping.bytes != pages.bytes() {
            return Err(refuse(
                Errno::NXIO,
                format_args!(
                    "mmap of {} bytes at {:#x}: the part has {}",
                    mapping.bytes,
                    mapping.offset,
                    pages.bytes()
                ),
            ));
        }
        if part == 0 && mapping.writable {
            return Err(refuse(
                Errno::ACCES,
                format_args!("mmap: the control part is read-only"),
            ));
        }
        if mapping.executable {
            return Err(refuse(
                Errno::ACCES,
                format_args!("mmap: the region holds data, not code"),
            ));
        }
        if !mapping.shared {
            return Err(refuse(
                Errno::INVAL,
                format_args!("mmap: MAP_SHARED is needed"),
            ));
        }
        let bit = 1 << part;
        if session.mapped.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return Err(refuse(
                Errno::BUSY,
                format_args!("mmap: part {part} is mapped already"),
            ));
        }
        Ok(insert(pages))
    }

    /// What poll(2) reports now.
    #[must_use]
    pub fn poll(&self) -> Ready {
        let Some(session) = self.session() else {
            return Ready {
                submissions: false,
                over: true,
            };
        };
        let over = matches!(
            session.state(),
            SessionState::Retired | SessionState::Quarantined | SessionState::Replaced
        );
        // The helper's own word: if it lies, it only fools itself.
        let head = session.helper.words().load(word::SQ_HEAD);
        Ready {
            submissions: session.published.load(Ordering::Acquire) != head,
            over,
        }
    }
}
