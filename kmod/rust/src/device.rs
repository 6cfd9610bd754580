//! The helper's side of the module: what `/dev/kgpu` answers.
//!
//! Whoever opens it must be CAP_SYS_ADMIN, at open and again at attach. One helper at a time serves;
//! another may attach beside it only to take over. Every refusal has one errno and one rate-limited
//! line.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use kgpu_core::abi::{
    Attach, AttachFlags, Features, IOC_ATTACH, IOC_DETACH, IOC_KICK, IOC_START, Ioctl, MAJOR,
    MAP_CONTROL, MAP_HELPER, MAP_POOL, MINOR, SessionState, word,
};
use zerocopy::{FromZeros, IntoBytes};

use crate::counters::GLOBAL;
use crate::engine::{self, Active};
use crate::errno::Errno;
use crate::ffi::{self, Guard, Guarded, Level, Pages, lock, log};
use crate::session::{ATTACHED, Asked, Session};

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
    session: Guarded<Option<Arc<Session>>>,
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
        session: Guarded::new(None),
    });
    row.into_boxed_slice().try_into().map_err(|_| Errno::NOMEM)
}

impl Opener {
    /// Closes the file: its helper is gone.
    pub fn close(&self) {
        if let Some(session) = self.session() {
            session.closed.store(true, Ordering::Release);
            ffi::wake_engine();
        }
    }

    /// The engine has let go of the session, or there was none.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.session()
            .is_none_or(|session| session.gone.load(Ordering::Acquire))
    }

    /// Forgets the session, which [`Opener::is_closed`]; the file is freed after this. May sleep.
    pub fn leave(&self) {
        let last = {
            let mut guard = lock();
            let ours = self.session.get(&mut guard).take();
            let places = &mut ATTACHED.get(&mut guard).sessions;
            let place = places.iter_mut().find(|place| match (place, &ours) {
                (Some(attached), Some(ours)) => Arc::ptr_eq(attached, ours),
                _ => false,
            });
            (ours, place.and_then(Option::take))
        };
        // Maybe the last references: dropped here, where sleeping is allowed.
        drop(last);
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.session.get(&mut lock()).clone()
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
        let (flags, features) = handshake.check().map_err(|error| {
            refuse(
                Errno::INVAL,
                format_args!("handshake refused: {error}; this module speaks ABI {MAJOR}.{MINOR}"),
            )
        })?;
        let takeover = flags.contains(AttachFlags::TAKEOVER);
        let generation = {
            let mut guard = lock();
            let admitted = self.admit(&mut guard, takeover);
            let attached = ATTACHED.get(&mut guard);
            if admitted.is_ok() {
                attached.generation = attached.generation.wrapping_add(1);
            }
            let generation = attached.generation;
            drop(guard);
            admitted.map_err(|why| refuse(Errno::BUSY, format_args!("{why}")))?;
            generation
        };
        let in_force = features & FEATURES;
        // Shown in the status file, which a terminal may print.
        for byte in &mut handshake.backend {
            if *byte != 0 && !byte.is_ascii_graphic() {
                *byte = b'?';
            }
        }
        let asked = Asked {
            tile_bytes: handshake.tile_bytes,
            minor: handshake.minor,
            backend: handshake.backend,
        };
        let session = Session::new(generation, in_force, asked)?;
        let active = Active::new(session.clone())?;
        handshake.session = generation;
        handshake.features_in_force = in_force.bits();
        handshake.control_bytes = session.layout.control_bytes;
        handshake.helper_bytes = session.layout.helper_bytes;
        handshake.pool_bytes = session.layout.sizes.pool_bytes;
        ffi::copy_to_user(argument, handshake.as_bytes())?;
        // Another may have attached meanwhile. What is refused is dropped without the lock.
        let refused = {
            let mut guard = lock();
            match self.admit(&mut guard, takeover) {
                Err(_) => Some((session, active)),
                Ok(at) => match engine::hand_over(&mut guard, active) {
                    Err(active) => Some((session, active)),
                    Ok(()) => {
                        *self.session.get(&mut guard) = Some(session.clone());
                        if let Some(place) = ATTACHED.get(&mut guard).sessions.get_mut(at) {
                            *place = Some(session);
                        }
                        None
                    }
                },
            }
        };
        if refused.is_some() {
            return Err(Errno::BUSY);
        }
        ffi::wake_engine();
        GLOBAL.sessions.add(1);
        log(
            Level::Info,
            format_args!("helper {} attached: session {generation}", ffi::pid()),
        );
        Ok(())
    }

    /// The place for a new session of this file, or why there is none.
    fn admit(&self, guard: &mut Guard, takeover: bool) -> Result<usize, &'static str> {
        if self.session.get(guard).is_some() {
            return Err("attached already: close the device first");
        }
        let attached = ATTACHED.get(guard);
        // A helper whose file is closed is gone, though its session is still being taken down.
        let mut others = attached
            .all()
            .filter(|session| !session.closed.load(Ordering::Acquire));
        let joining = |session: &Arc<Session>| {
            matches!(
                session.state(),
                SessionState::Attached | SessionState::Testing
            )
        };
        if !takeover && others.next().is_some() {
            return Err(
                "another helper is attached: only one that takes over may attach beside it",
            );
        }
        if takeover && others.any(joining) {
            return Err("another helper is being tested: wait for it before taking over");
        }
        attached
            .sessions
            .iter()
            .position(Option::is_none)
            .ok_or("too many helpers that were replaced are still there: end them")
    }

    fn start(&self) -> Result<(), Errno> {
        let session = self.need_session("KGPU_IOC_START")?;
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
