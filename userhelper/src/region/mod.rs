//! The region shared with the module: control and helper words, and the data pool.
//!
//! A region is a device's three mappings, or three of pieces of a guest's memory (and the areas of it that sources are
//! read in), or the same three in anonymous
//! memory for a ring inside one process. `mapping`, `pool`, `sources` and `lost` are the only places that touch raw memory or
//! its signals.

pub mod lost;
mod mapping;
mod pool;
mod sources;

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use kgpu_core::abi::guest::{PageRun, SourceAreas};
use kgpu_core::abi::{
    Attach, Features, Header, InvalidCode, Layout, LayoutError, MAP_CONTROL, MAP_HELPER, MAP_POOL,
    SessionState, word,
};
use kgpu_core::cell::Words;
use kgpu_core::num::index;
use rustix::io::Errno;

use mapping::{Access, Mapping};
use pool::Other;
pub use pool::{Lane, Pool, Source, Span, SpanError, Window};
pub use sources::SourceArea;
use sources::Sources;

/// Why a region could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RegionError {
    /// A mapping failed.
    #[error("mapping the {what} ({bytes} bytes) failed: {errno}")]
    Map {
        /// Which mapping.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// What the kernel said.
        errno: Errno,
    },
    /// The header is not of this build's revision.
    #[error("the module's header has an {0}")]
    Revision(InvalidCode),
    /// The header describes no valid region.
    #[error("the module's header does not fit: {0}")]
    Layout(LayoutError),
    /// Header and handshake disagree.
    #[error("the module's header says {found} for {what}, its handshake said {expected}")]
    Handshake {
        /// Which field.
        what: &'static str,
        /// What the handshake said.
        expected: u64,
        /// What the header says.
        found: u64,
    },
}

/// Bytes of a file that are part of a region.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The file, which others have mapped too.
    pub file: Arc<File>,
    /// Where the bytes start, a multiple of the page.
    pub offset: u64,
    /// How many there are, a multiple of the page.
    pub bytes: u64,
}

/// The parts of a region, each a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Control,
    Helper,
    Pool,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Control => "control pages",
            Self::Helper => "helper pages",
            Self::Pool => "pool",
        }
    }
}

/// The three mappings of one session. Unmapped when dropped.
#[derive(Debug)]
pub struct Region {
    control: Mapping,
    helper: Mapping,
    pool: Pool,
    sources: Sources,
    header: Header,
    layout: Layout,
}

impl Region {
    /// Maps a session that the device has just attached. `lanes` parties will use the pool.
    ///
    /// # Errors
    /// [`RegionError`]: a mapping failed, or the header is not one that this build can serve.
    pub fn of_device(
        device: BorrowedFd<'_>,
        attach: &Attach,
        lanes: usize,
    ) -> Result<Self, RegionError> {
        Self::open(attach, lanes, Other::Kernel, |part, access| {
            let (offset, bytes) = match part {
                Part::Control => (MAP_CONTROL, attach.control_bytes),
                Part::Helper => (MAP_HELPER, attach.helper_bytes),
                Part::Pool => (MAP_POOL, attach.pool_bytes),
            };
            Mapping::device(device, offset, index(bytes), access)
        })
    }

    /// Maps a session of a guest, whose control, helper and pool part lie in pieces of files. `lanes` parties will use
    /// the pool, on copies: the guest may write to it at any moment.
    ///
    /// # Errors
    /// [`RegionError`]: a mapping failed, or the header is not one that this build can serve.
    pub fn of_pieces(
        [control, helper, pool]: [&[Piece]; 3],
        attach: &Attach,
        lanes: usize,
    ) -> Result<Self, RegionError> {
        let tile = index(u64::from(attach.tile_bytes));
        Self::open(
            attach,
            lanes,
            Other::Guest { tile },
            |part, access| match part {
                Part::Control => Mapping::pieces(control, access),
                Part::Helper => Mapping::pieces(helper, access),
                Part::Pool => Mapping::pieces(pool, access),
            },
        )
    }

    /// Maps the parts of a session, the control part first: what its header says is checked, against this build and
    /// against the handshake, before anything else is mapped. The header is read once.
    fn open(
        attach: &Attach,
        lanes: usize,
        other: Other,
        map: impl Fn(Part, Access) -> Result<Mapping, Errno>,
    ) -> Result<Self, RegionError> {
        let map = |part: Part, bytes, access| {
            let mapping = map(part, access).map_err(|errno| RegionError::Map {
                what: part.name(),
                bytes,
                errno,
            })?;
            let found = u64::try_from(mapping.len()).unwrap_or(u64::MAX);
            if found == bytes {
                Ok(mapping)
            } else {
                Err(RegionError::Handshake {
                    what: part.name(),
                    expected: bytes,
                    found,
                })
            }
        };
        let control = map(Part::Control, attach.control_bytes, Access::Read)?;
        let header: Header = control
            .words()
            .load_entry(0)
            .ok_or(RegionError::Handshake {
                what: "control_bytes",
                expected: u64::try_from(size_of::<Header>()).unwrap_or(u64::MAX),
                found: attach.control_bytes,
            })?;
        header.check().map_err(RegionError::Revision)?;
        let layout = Layout::from_header(&header).map_err(RegionError::Layout)?;
        for (what, expected, found) in [
            (
                "session",
                u64::from(attach.session),
                u64::from(header.session),
            ),
            ("features", attach.features_in_force, header.features),
            ("control_bytes", attach.control_bytes, header.control_bytes),
            ("helper_bytes", attach.helper_bytes, header.helper_bytes),
            ("pool_bytes", attach.pool_bytes, header.pool_bytes),
        ] {
            if expected != found {
                return Err(RegionError::Handshake {
                    what,
                    expected,
                    found,
                });
            }
        }
        let helper = map(Part::Helper, attach.helper_bytes, Access::Write)?;
        let pool = map(Part::Pool, attach.pool_bytes, Access::Write)?;
        Ok(Self {
            control,
            helper,
            pool: Pool::new(pool, lanes, other),
            sources: Sources::none(),
            header,
            layout,
        })
    }

    /// A region inside this process, its header written, its state `Live`.
    ///
    /// # Errors
    /// [`RegionError::Map`] when there is not enough memory.
    pub fn in_process(layout: Layout, session: u32, lanes: usize) -> Result<Self, RegionError> {
        let features = Features::SERVICES;
        Self::of_module(layout, session, features, lanes, |_, bytes| {
            Mapping::anonymous(index(bytes))
        })
    }

    /// As [`Region::in_process`], with a guest's sources in place, for tests of a helper that has them. Lanes work on
    /// copies, made for tiles of `tile` bytes.
    ///
    /// # Errors
    /// [`RegionError::Map`] when there is not enough memory, or the areas can't be mapped.
    pub fn in_process_of_guest(
        layout: Layout,
        session: u32,
        lanes: usize,
        areas: &[SourceArea],
        tile: usize,
    ) -> Result<Self, RegionError> {
        let features = Features::SERVICES | Features::GUEST_SOURCES;
        let mut region = Self::of_module(layout, session, features, lanes, |_, bytes| {
            Mapping::anonymous(index(bytes))
        })?;
        region.pool = region.pool.of_guest(tile);
        region.map_sources(areas, true)?;
        Ok(region)
    }

    /// The module's side of a region in pieces of files, its header written, its state `Live`: for tests that play
    /// a guest.
    ///
    /// # Errors
    /// [`RegionError::Map`] when a mapping failed.
    pub fn in_pieces(
        [control, helper, pool]: [&[Piece]; 3],
        layout: Layout,
        session: u32,
        features: Features,
        lanes: usize,
    ) -> Result<Self, RegionError> {
        Self::of_module(layout, session, features, lanes, |part, _| match part {
            Part::Control => Mapping::pieces(control, Access::Write),
            Part::Helper => Mapping::pieces(helper, Access::Write),
            Part::Pool => Mapping::pieces(pool, Access::Write),
        })
    }

    fn of_module(
        layout: Layout,
        session: u32,
        features: Features,
        lanes: usize,
        map: impl Fn(Part, u64) -> Result<Mapping, Errno>,
    ) -> Result<Self, RegionError> {
        let map = |part: Part, bytes| {
            map(part, bytes).map_err(|errno| RegionError::Map {
                what: part.name(),
                bytes,
                errno,
            })
        };
        let control = map(Part::Control, layout.control_bytes)?;
        let helper = map(Part::Helper, layout.helper_bytes)?;
        let pool = map(Part::Pool, layout.sizes.pool_bytes)?;
        let header = layout.header(session, features, u64::MAX);
        let words = control.words();
        if !words.store_entry(0, &header) {
            return Err(RegionError::Handshake {
                what: "control_bytes",
                expected: layout.control_bytes,
                found: 0,
            });
        }
        words.store(word::STATE, SessionState::Live.code());
        Ok(Self {
            control,
            helper,
            pool: Pool::new(pool, lanes, Other::Kernel),
            sources: Sources::none(),
            header,
            layout,
        })
    }

    /// Maps the areas of a guest's memory that sources may lie in, outside of the pool; where the session does without,
    /// none. With `device`, such that a device's driver can register them.
    ///
    /// # Errors
    /// [`RegionError::Map`]; there are none then.
    pub fn map_sources(&mut self, areas: &[SourceArea], device: bool) -> Result<(), RegionError> {
        if !self.has(Features::GUEST_SOURCES) {
            return Ok(());
        }
        let access = if device { Access::Write } else { Access::Read };
        let bytes = areas.iter().map(|area| area.piece.bytes);
        let failed = |errno| RegionError::Map {
            what: "guest's memory",
            bytes: bytes.fold(0, u64::saturating_add),
            errno,
        };
        self.sources = Sources::map(areas, access).map_err(failed)?;
        Ok(())
    }

    /// Tells the module where sources may lie, before its session is served: in the areas that are mapped, or nowhere
    /// unless `read`. Only what it was told of is read.
    pub fn name_sources(&self, read: bool) {
        if !self.has(Features::GUEST_SOURCES) {
            return;
        }
        let areas = if read {
            self.sources.name()
        } else {
            SourceAreas::NONE
        };
        if !areas.store(self.helper()) {
            tracing::error!("the helper's pages have no room for the areas of sources");
        }
    }

    /// The areas that sources may lie in, outside of the pool; none before the module was told of them.
    #[must_use]
    pub fn sources(&self) -> &[PageRun] {
        self.sources.named()
    }

    /// Whether a span's bytes can be lent, as far as that can be told by itself.
    ///
    /// # Errors
    /// [`SpanError`], but for [`SpanError::Taken`].
    pub fn check(&self, span: &Span) -> Result<(), SpanError> {
        span.check(self.pool.len(), self.sources())
    }

    /// Whether a feature is in force.
    fn has(&self, feature: Features) -> bool {
        Features::from_bits_retain(self.header.features).contains(feature)
    }

    /// The control mapping. Only the module's side may store to it: on a device's it is read-only
    /// and a store ends the process.
    #[must_use]
    pub fn control(&self) -> Words<'_> {
        self.control.words()
    }

    /// The helper mapping.
    #[must_use]
    pub fn helper(&self) -> Words<'_> {
        self.helper.words()
    }

    /// The data pool.
    #[must_use]
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Where everything lies.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Generation of the session.
    #[must_use]
    pub const fn session(&self) -> u32 {
        self.header.session
    }

    /// Where the session stands, by one look at the module's word.
    ///
    /// # Errors
    /// The word, when it names no state.
    pub fn state(&self) -> Result<SessionState, InvalidCode> {
        SessionState::try_from(self.control().load(word::STATE))
    }
}
