//! Attaching: from a helper's handshake to a session that the engine serves, whoever brought the
//! handshake, and the place where whoever stands for the helper keeps the session.
//!
//! One helper at a time serves; another may attach beside it only to take over. What carries the
//! handshake (an ioctl, a configuration space) is none of this.

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use kgpu_core::abi::{Attach, AttachFlags, Features, InvalidCode, MAJOR, MINOR, SessionState};

use crate::counters::GLOBAL;
use crate::engine::{self, Active};
use crate::errno::Errno;
use crate::ffi::{self, Guard, Guarded, Level, lock, log};
use crate::session::{ATTACHED, Asked, Peer, Session};

/// Features of this module, with a helper of this kind.
const fn features(peer: &Peer) -> Features {
    match peer {
        Peer::Process(_) => Features::SERVICES,
        Peer::Guest(_) => Features::SERVICES.union(Features::GUEST_SOURCES),
    }
}

/// Why a helper may not attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its handshake does not fit this module.
    Handshake(InvalidCode),
    /// There is no place for it, for this reason.
    Busy(&'static str),
    /// Something else failed, which has been told or needs no telling.
    Failed(Errno),
}

impl Refusal {
    /// Its error number.
    #[must_use]
    pub const fn errno(self) -> Errno {
        match self {
            Self::Handshake(_) => Errno::INVAL,
            Self::Busy(_) => Errno::BUSY,
            Self::Failed(errno) => errno,
        }
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Handshake(error) => write!(
                f,
                "handshake refused: {error}; this module speaks ABI {MAJOR}.{MINOR}"
            ),
            Self::Busy(why) => write!(f, "{why}"),
            Self::Failed(errno) => write!(f, "error {}", errno.0),
        }
    }
}

/// Where the session of one helper is kept.
#[derive(Debug)]
pub struct Holder {
    session: Guarded<Option<Arc<Session>>>,
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

impl Holder {
    /// Holds nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            session: Guarded::new(None),
        }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> Option<Arc<Session>> {
        self.session.get(&mut lock()).clone()
    }

    /// Closes the session: its helper is gone.
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

    /// Forgets the session, which [`Holder::is_closed`]. What comes back may be the last reference:
    /// it is to be dropped where sleeping is allowed.
    #[must_use]
    pub fn leave(&self) -> Option<Arc<Session>> {
        let (ours, attached) = {
            let mut guard = lock();
            let ours = self.session.get(&mut guard).take();
            let places = &mut ATTACHED.get(&mut guard).sessions;
            let place = places.iter_mut().find(|place| match (place, &ours) {
                (Some(attached), Some(ours)) => Arc::ptr_eq(attached, ours),
                _ => false,
            });
            (ours, place.and_then(Option::take))
        };
        drop(attached);
        ours
    }

    /// Attaches a helper: checks its half of the handshake, makes a session, fills the module's half,
    /// has it told, and hands the session to the engine. Nothing is left of one that was refused. May
    /// sleep.
    ///
    /// # Errors
    /// Why not; [`Refusal::Busy`] is the one that goes away by itself.
    pub fn attach(
        &self,
        handshake: &mut Attach,
        peer: &Peer,
        tell: impl FnOnce(&Attach, &Session) -> Result<(), Errno>,
    ) -> Result<Arc<Session>, Refusal> {
        let (flags, features) = handshake.check().map_err(Refusal::Handshake)?;
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
            admitted.map_err(Refusal::Busy)?;
            generation
        };
        let in_force = features & self::features(peer);
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
        let session =
            Session::new(generation, in_force, asked, peer.clone()).map_err(Refusal::Failed)?;
        let active = Active::new(session.clone()).map_err(Refusal::Failed)?;
        handshake.session = generation;
        handshake.features_in_force = in_force.bits();
        handshake.control_bytes = session.layout.control_bytes;
        handshake.helper_bytes = session.layout.helper_bytes;
        handshake.pool_bytes = session.layout.sizes.pool_bytes;
        tell(handshake, &session).map_err(Refusal::Failed)?;
        // Another may have attached meanwhile. What is refused is dropped without the lock.
        let refused = {
            let mut guard = lock();
            match self.admit(&mut guard, takeover) {
                Err(why) => Some((why, active)),
                Ok(at) => match engine::hand_over(&mut guard, active) {
                    Err(active) => Some(("the engine has not taken the helpers before", active)),
                    Ok(()) => {
                        *self.session.get(&mut guard) = Some(session.clone());
                        if let Some(place) = ATTACHED.get(&mut guard).sessions.get_mut(at) {
                            *place = Some(session.clone());
                        }
                        None
                    }
                },
            }
        };
        if let Some((why, _dropped)) = refused {
            return Err(Refusal::Busy(why));
        }
        ffi::wake_engine();
        GLOBAL.sessions.add(1);
        log(
            Level::Info,
            format_args!("helper {peer} attached: session {generation}"),
        );
        Ok(session)
    }

    /// The place for a new session of this holder, or why there is none.
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
}
