//! The helper's side of the module: what `/dev/kgpu` answers.
//!
//! Whoever opens it must be CAP_SYS_ADMIN, at open and again at attach; one at a time. Every refusal
//! has one errno and one rate-limited line.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use kgpu_core::abi::{
    Attach, Features, IOC_ATTACH, IOC_DETACH, IOC_KICK, IOC_START, Ioctl, MAJOR, MAP_CONTROL,
    MAP_HELPER, MAP_POOL, MINOR, SessionState, word,
};
use zerocopy::{FromZeros, IntoBytes};

use crate::counters::GLOBAL;
use crate::engine::{self, Active};
use crate::errno::Errno;
use crate::ffi::{self, Level, Pages, lock, log};
use crate::session::{self, ATTACHED, Session};

/// Features of this module.
const FEATURES: Features = Features::SERVICES;
/// All three mappings exist.
const ALL_MAPPED: u32 = 0b111;

fn refuse(errno: Errno, why: core::fmt::Arguments<'_>) -> Errno {
    log(
        Level::Warning,
        format_args!("process {}: {why}", ffi::pid()),
    );
    errno
}

/// Opens the device: takes the helper's role.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `EBUSY` while another has it open.
pub fn open() -> Result<(), Errno> {
    if !ffi::capable() {
        return Err(refuse(
            Errno::PERM,
            format_args!("opening /dev/kgpu needs CAP_SYS_ADMIN"),
        ));
    }
    let mut guard = lock();
    let attached = ATTACHED.get(&mut guard);
    if attached.open {
        drop(guard);
        return Err(refuse(
            Errno::BUSY,
            format_args!("/dev/kgpu is open already: one helper at a time"),
        ));
    }
    attached.open = true;
    Ok(())
}

/// Closes the device. The engine must be idle again before the next open: see [`closed`].
pub fn close() {
    if let Some(session) = session::current() {
        session.closed.store(true, Ordering::Release);
        ffi::wake_engine();
    }
}

/// The engine has let go of the session, or there was none.
#[must_use]
pub fn is_closed() -> bool {
    engine::is_idle()
}

/// Gives the helper's role back.
pub fn closed() {
    let mut guard = lock();
    let attached = ATTACHED.get(&mut guard);
    let session = attached.session.take();
    attached.open = false;
    drop(guard);
    // Maybe the last reference: dropped here, where sleeping is allowed.
    drop(session);
}

/// An ioctl.
///
/// # Errors
/// `ENOTTY` for a number that is none of ours, `EINVAL` for one of another size or a handshake
/// that does not fit, `EPERM`, `EBUSY` for a second attach, `ENXIO` before attach, `EFAULT`,
/// `ENOMEM`, `EAGAIN` while the last session is being closed.
pub fn ioctl(request: u32, argument: usize) -> Result<(), Errno> {
    if request == IOC_ATTACH.request {
        return attach(argument);
    }
    if request == IOC_START.request {
        return start();
    }
    if request == IOC_KICK.request {
        need_session("KGPU_IOC_KICK")?;
        ffi::wake_engine();
        return Ok(());
    }
    if request == IOC_DETACH.request {
        need_session("KGPU_IOC_DETACH")?
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

fn need_session(what: &str) -> Result<Arc<Session>, Errno> {
    session::current()
        .ok_or_else(|| refuse(Errno::NXIO, format_args!("{what} before KGPU_IOC_ATTACH")))
}

fn attach(argument: usize) -> Result<(), Errno> {
    if !ffi::capable() {
        return Err(refuse(
            Errno::PERM,
            format_args!("attaching needs CAP_SYS_ADMIN"),
        ));
    }
    let mut handshake = Attach::new_zeroed();
    ffi::copy_from_user(handshake.as_mut_bytes(), argument)?;
    let (_flags, features) = handshake.check().map_err(|error| {
        refuse(
            Errno::INVAL,
            format_args!("handshake refused: {error}; this module speaks ABI {MAJOR}.{MINOR}"),
        )
    })?;
    let generation = {
        let mut guard = lock();
        let attached = ATTACHED.get(&mut guard);
        if attached.session.is_some() {
            drop(guard);
            return Err(refuse(
                Errno::BUSY,
                format_args!("attached already: close the device first"),
            ));
        }
        attached.generation = attached.generation.wrapping_add(1);
        attached.generation
    };
    let in_force = features & FEATURES;
    // Shown in the status file, which a terminal may print.
    for byte in &mut handshake.backend {
        if *byte != 0 && !byte.is_ascii_graphic() {
            *byte = b'?';
        }
    }
    let session = Session::new(
        generation,
        handshake.tile_bytes,
        in_force,
        handshake.backend,
    )?;
    let active = Active::new(session.clone())?;
    handshake.session = generation;
    handshake.features_in_force = in_force.bits();
    handshake.control_bytes = session.layout.control_bytes;
    handshake.helper_bytes = session.layout.helper_bytes;
    handshake.pool_bytes = session.layout.sizes.pool_bytes;
    ffi::copy_to_user(argument, handshake.as_bytes())?;
    {
        let mut guard = lock();
        let attached = ATTACHED.get(&mut guard);
        if attached.session.is_some() {
            // Two threads of one helper attached at once; the other one was first.
            drop(guard);
            return Err(Errno::BUSY);
        }
        attached.session = Some(session);
    }
    if !engine::hand_over(active) {
        let session = ATTACHED.get(&mut lock()).session.take();
        drop(session);
        return Err(Errno::AGAIN);
    }
    GLOBAL.sessions.add(1);
    log(
        Level::Info,
        format_args!("helper {} attached: session {generation}", ffi::pid()),
    );
    Ok(())
}

fn start() -> Result<(), Errno> {
    let session = need_session("KGPU_IOC_START")?;
    if session.mapped.load(Ordering::Acquire) != ALL_MAPPED {
        return Err(refuse(
            Errno::INVAL,
            format_args!("KGPU_IOC_START before all three mappings exist"),
        ));
    }
    session.started.store(true, Ordering::Release);
    ffi::wake_engine();
    Ok(())
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

/// Which part of the session's region a mapping is, for the glue to insert its pages.
///
/// # Errors
/// `ENXIO` before attach and for offsets or sizes that are not a part, `EACCES` for a writable
/// mapping of the control part or an executable one of any, `EINVAL` for a private mapping, `EBUSY` for a part mapped before.
pub fn map<R>(mapping: Mapping, insert: impl FnOnce(&Pages) -> R) -> Result<R, Errno> {
    let session = need_session("mmap")?;
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

/// What poll(2) reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Submissions wait.
    pub submissions: bool,
    /// The session is over.
    pub over: bool,
}

/// What poll(2) reports now.
#[must_use]
pub fn poll() -> Ready {
    let Some(session) = session::current() else {
        return Ready {
            submissions: false,
            over: true,
        };
    };
    let over = matches!(
        session.state(),
        SessionState::Retired | SessionState::Quarantined
    );
    // The helper's own word: if it lies, it only fools itself.
    let head = session.helper.words().load(word::SQ_HEAD);
    Ready {
        submissions: session.published.load(Ordering::Acquire) != head,
        over,
    }
}
