//! A session: one helper's time with its region, from attach to the closing of the device.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use kgpu_core::abi::{BACKEND_NAME_BYTES, Features, Layout, RingSizes, SessionState, word};
use kgpu_core::cell::Words;
use kgpu_core::keytable;
use kgpu_core::runs::{GRANULE, Run, Runs, words_for};
use kgpu_core::slots::{KeyId, Slot, Slots};

use crate::engine::Wrong;
use crate::errno::Errno;
use crate::ffi::{Guard, Guarded, GuestDevice, Pages, lock};
use crate::{ffi, params};

/// The books of a session's region, private to the module.
#[derive(Debug)]
pub struct Books {
    /// Granules of the pool.
    pub pool: Runs<Box<[u64]>>,
    /// Entries of the tile table.
    pub tiles: Runs<Box<[u64]>>,
    /// Key slots.
    pub slots: Slots<Box<[Slot]>>,
    /// Pool buffers that callers of `kgpu.h` hold.
    pub buffers: u32,
}

/// A session. Shared by the engine, the helper's file, and whoever holds pool buffers.
#[derive(Debug)]
pub struct Session {
    /// Its generation.
    pub generation: u32,
    /// Where everything lies.
    pub layout: Layout,
    /// Written by the module, read by the helper.
    pub control: Pages,
    /// Written by the helper.
    pub helper: Pages,
    /// The data of requests.
    pub pool: Pages,
    /// The books.
    pub books: Guarded<Books>,
    /// The helper serves the ring.
    pub started: AtomicBool,
    /// The helper asked not to be routed to any more.
    pub detached: AtomicBool,
    /// The device was closed: the helper is gone.
    pub closed: AtomicBool,
    /// Submissions published, for poll(2).
    pub published: AtomicU64,
    /// Bytes that a late helper may still write to.
    pub quarantined: AtomicU64,
    /// The engine has let go of it.
    pub gone: AtomicBool,
    /// Which mappings exist: bits 0 control, 1 helper, 2 pool.
    pub mapped: AtomicU32,
    /// Most bytes of a tile.
    pub tile_bytes: u32,
    /// Features in force.
    pub features: Features,
    /// Minor revision of the ABI that the helper was built for.
    pub minor: u16,
    /// The helper's backend, as it calls it.
    pub backend: [u8; BACKEND_NAME_BYTES],
    /// Who the helper is, and how it is woken.
    pub peer: Peer,
    /// What a recheck found.
    pub wrong: Found,
}

/// A place for the last finding of a recheck, which the engine has not looked at yet.
#[derive(Debug)]
pub struct Found {
    /// Spares the engine the lock.
    any: AtomicBool,
    wrong: Guarded<Option<Wrong>>,
}

impl Found {
    /// Leaves a finding.
    pub fn set(&self, wrong: Wrong) {
        *self.wrong.get(&mut lock()) = Some(wrong);
        self.any.store(true, Ordering::Release);
    }

    const fn none() -> Self {
        Self {
            any: AtomicBool::new(false),
            wrong: Guarded::new(None),
        }
    }

    /// Takes it.
    #[must_use]
    pub fn take(&self) -> Option<Wrong> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.any.store(false, Ordering::Release);
        self.wrong.get(&mut lock()).take()
    }
}

/// A row of default values, or `ENOMEM`.
pub fn row<T: Default>(count: usize) -> Result<Box<[T]>, Errno> {
    let mut row = Vec::new();
    row.try_reserve_exact(count).map_err(|_| Errno::NOMEM)?;
    row.resize_with(count, T::default);
    Ok(row.into_boxed_slice())
}

/// Who stands for a helper.
#[derive(Clone, Debug)]
pub enum Peer {
    /// A process that has `/dev/kgpu` open.
    Process(i32),
    /// A process on the host of this guest, behind a virtio device.
    Guest(GuestDevice),
}

impl core::fmt::Display for Peer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Process(pid) => write!(f, "{pid}"),
            Self::Guest(device) => write!(f, "guest device virtio{}", device.number()),
        }
    }
}

/// Shares a value, or `ENOMEM`.
#[cfg(kgpu_kernel)]
fn share<T>(value: T) -> Result<Arc<T>, Errno> {
    Arc::try_new(value).map_err(|_| Errno::NOMEM)
}

/// Shares a value.
#[cfg(not(kgpu_kernel))]
// As the kernel's, where it can fail.
#[allow(clippy::unnecessary_wraps)]
fn share<T>(value: T) -> Result<Arc<T>, Errno> {
    Ok(Arc::new(value))
}

/// What a helper's handshake says of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Most bytes of a tile; 0 for the default.
    pub tile_bytes: u32,
    /// Minor revision of the ABI.
    pub minor: u16,
    /// The backend's name.
    pub backend: [u8; BACKEND_NAME_BYTES],
}

impl Session {
    /// All three parts are mapped.
    pub const ALL_MAPPED: u32 = 0b111;

    /// Allocates a session with a fresh region. May sleep.
    ///
    /// # Errors
    /// `EINVAL` for module parameters that describe no region, `ENOMEM`.
    pub fn new(
        generation: u32,
        features: Features,
        Asked {
            tile_bytes,
            minor,
            backend,
        }: Asked,
        peer: Peer,
    ) -> Result<Arc<Self>, Errno> {
        let entries = params::RING_ENTRIES.get();
        let pool_bytes = u64::from(params::POOL_MIB.get()) << 20;
        let tile_bytes = if tile_bytes == 0 {
            kgpu_core::tiling::TILE_BYTES_DEFAULT
        } else {
            tile_bytes
        };
        let sizes = RingSizes {
            entries,
            // Enough for a full ring of small requests and for a pool full of tiles.
            tiles: u32::try_from(u64::from(entries) * 2 + pool_bytes / u64::from(tile_bytes) * 2)
                .map_err(|_| Errno::INVAL)?,
            keys: params::KEY_SLOTS.get(),
            pool_bytes,
        };
        let layout = Layout::new(sizes).map_err(|error| {
            ffi::log(
                ffi::Level::Warning,
                format_args!("module parameters ring_entries, pool_mib, key_slots: {error}"),
            );
            Errno::INVAL
        })?;
        let pages = |bytes| Pages::new(bytes).ok_or(Errno::NOMEM);
        let (control, helper, pool) = (
            pages(layout.control_bytes)?,
            pages(layout.helper_bytes)?,
            pages(pool_bytes)?,
        );
        let granules = u32::try_from(pool_bytes / u64::from(GRANULE)).map_err(|_| Errno::INVAL)?;
        let books = Books {
            pool: Runs::new(row(words_for(granules))?, granules),
            tiles: Runs::new(row(words_for(sizes.tiles))?, sizes.tiles),
            slots: Slots::new(row(kgpu_core::num::index(u64::from(sizes.keys)))?),
            buffers: 0,
        };
        let deadline = params::deadline_ns();
        // The control pages are zeroed and exist: the header fits at their start.
        let _inside = control
            .words()
            .store_entry(0, &layout.header(generation, features, deadline));
        let session = Self {
            generation,
            layout,
            control,
            helper,
            pool,
            books: Guarded::new(books),
            started: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            published: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
            mapped: AtomicU32::new(0),
            tile_bytes,
            features,
            minor,
            backend,
            peer,
            wrong: Found::none(),
        };
        // Nobody has seen it yet, so nobody is to be woken.
        let state = SessionState::Attached.code();
        session.control.words().store(word::STATE, state);
        share(session)
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> SessionState {
        // Our own page, which the helper can only read.
        SessionState::try_from(self.control.words().load(word::STATE))
            .unwrap_or(SessionState::Quarantined)
    }

    /// Tells the helper where the session stands.
    pub fn set_state(&self, state: SessionState) {
        self.control.words().store(word::STATE, state.code());
        self.ring();
    }

    /// Tells the helper that submissions were published.
    pub fn ring_for_submissions(&self) {
        if let Peer::Guest(_) = self.peer {
            // The tail before the look at the flag, the helper's flag before its last look at the
            // tail: one of the two sees the other. Set without need, it costs notifications.
            Words::fence();
            if self.helper.words().load(word::ASLEEP) == 0 {
                return;
            }
        }
        self.ring();
    }

    /// Wakes the helper, and closes the session of one that cannot be reached any more.
    fn ring(&self) {
        match &self.peer {
            Peer::Process(_) => ffi::wake_helper(),
            Peer::Guest(device) if device.notify() => {}
            Peer::Guest(_) => self.lost(),
        }
    }

    /// Closes the session if its helper cannot be reached any more. Of a process that is told by
    /// its file.
    pub fn look_for_helper(&self) {
        if let Peer::Guest(device) = &self.peer
            && device.is_broken()
        {
            self.lost();
        }
    }

    fn lost(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            ffi::log(
                ffi::Level::Notice,
                format_args!("{} is broken: its helper is gone", self.peer),
            );
            ffi::wake_engine();
        }
    }

    /// Tells whoever waits for it that the engine has let go of the session.
    pub fn tell_gone(&self) {
        self.gone.store(true, Ordering::Release);
        match &self.peer {
            Peer::Process(_) => ffi::wake_helper(),
            Peer::Guest(device) => device.wake(),
        }
    }

    /// Takes pool bytes.
    #[must_use]
    pub fn take_pool(&self, guard: &mut Guard, bytes: u32) -> Option<Run> {
        self.books.get(guard).pool.take(bytes.div_ceil(GRANULE))
    }

    /// The byte offset of a pool run.
    #[must_use]
    pub const fn pool_offset(run: Run) -> u64 {
        run.first as u64 * GRANULE as u64
    }
}

/// Most sessions at a time: the one that is routed to, one that is about to take over, and those
/// whose helpers were taken over from and are not gone yet.
pub const SESSIONS: usize = 4;

/// Who is attached. Under the lock.
#[derive(Debug)]
pub struct Attached {
    /// The sessions of open files.
    pub sessions: [Option<Arc<Session>>; SESSIONS],
    /// Generation of the last session.
    pub generation: u32,
}

impl Attached {
    /// The sessions.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.sessions.iter().flatten()
    }

    /// The session that stands for the helper: the one that is routed to, else the one that may be
    /// next, else the last one.
    #[must_use]
    pub fn current(&self) -> Option<&Arc<Session>> {
        self.all().max_by_key(|session| {
            let state = session.state();
            let live = state == SessionState::Live;
            (live, state.is_open(), session.generation)
        })
    }
}

/// Who is attached.
pub static ATTACHED: Guarded<Attached> = Guarded::new(Attached {
    sessions: [const { None }; SESSIONS],
    generation: 0,
});

/// The session that stands for the helper.
#[must_use]
pub fn current() -> Option<Arc<Session>> {
    ATTACHED.get(&mut lock()).current().cloned()
}

/// Forgets a key that its owner changed or freed, in the session that keys are filled into: the others
/// forget theirs when they are replaced, retired or quarantined.
pub fn retire_key(guard: &mut Guard, key: KeyId, hint: u32) {
    if key == 0 {
        return;
    }
    for at in 0..SESSIONS {
        let session = ATTACHED.get(guard).sessions.get(at).cloned().flatten();
        let Some(session) = session else { continue };
        if let Some((slot, generation)) = session.books.get(guard).slots.retire(key, hint) {
            keytable::clear(session.control.words(), &session.layout, slot, generation);
        }
        // `session` is not the last reference: the lock is held, so ATTACHED still has its own.
        drop(session);
    }
}

/// Routing switches that submitters read.
pub static LIVE: AtomicBool = AtomicBool::new(false);
/// The helper missed a deadline and has shown no life since.
pub static STALLED: AtomicBool = AtomicBool::new(false);
/// The helper reads sources where they lie: they need not be brought to the pool.
pub static IN_PLACE: AtomicBool = AtomicBool::new(false);

/// Sets the routing switches.
pub fn route(live: bool, stalled: bool, in_place: bool) {
    IN_PLACE.store(live && in_place, Ordering::Release);
    LIVE.store(live, Ordering::Release);
    STALLED.store(stalled, Ordering::Release);
}
