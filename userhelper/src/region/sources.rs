//! A guest's memory outside of its pool, as far as sources are read there in place: mapped by areas, copied from and
//! never referred to. Devices reach it by address, through a `Window`.
//!
//! The areas are mapped apart from everything else, the pool's own pages among them once more. So what a lane or a
//! device writes to the pool at the same time is written through another mapping: as a guest's own stores are, it can
//! make wrong bytes and nothing worse.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use kgpu_core::abi::guest::{self, AREAS_MAX, PageRun, SourceAreas};
use kgpu_core::num::index;
use rustix::io::Errno;

use super::mapping::{Access, Mapping};
use super::{Piece, SpanError};

/// An area of a guest's memory that sources may lie in.
#[derive(Clone, Debug)]
pub struct SourceArea {
    /// Guest-physical address, a multiple of the page.
    pub address: u64,
    /// Where it lies.
    pub piece: Piece,
}

impl SourceArea {
    /// As the guest names it.
    #[must_use]
    pub const fn run(&self) -> PageRun {
        PageRun {
            address: self.address,
            bytes: self.piece.bytes,
        }
    }
}

/// The areas of a session; none where nothing is read in place.
#[derive(Debug)]
pub(super) struct Sources {
    areas: SourceAreas,
    /// By area.
    maps: Vec<Mapping>,
    /// Whether the module was told of them.
    named: AtomicBool,
}

impl Sources {
    pub(super) const fn none() -> Self {
        Self {
            areas: SourceAreas::NONE,
            maps: Vec::new(),
            named: AtomicBool::new(false),
        }
    }

    /// Maps areas. A device's driver registers only memory that may be written, though nobody writes here.
    pub(super) fn map(areas: &[SourceArea], access: Access) -> Result<Self, Errno> {
        let areas = areas.get(..AREAS_MAX).unwrap_or(areas);
        let map = |area: &SourceArea| {
            let map = Mapping::pieces(std::slice::from_ref(&area.piece), access)?;
            // What is read of it once must not stay in the host's memory for ever.
            map.unlock();
            Ok(map)
        };
        let sources = Self {
            areas: SourceAreas::of(areas.iter().map(SourceArea::run)),
            maps: areas.iter().map(map).collect::<Result<_, Errno>>()?,
            named: AtomicBool::new(false),
        };
        match sources.areas.checked() {
            Ok(_) => Ok(sources),
            Err(_) => Err(Errno::INVAL),
        }
    }

    /// All areas, whether the module was told of them or not.
    pub(super) fn all(&self) -> &[PageRun] {
        self.areas.areas.get(..self.maps.len()).unwrap_or_default()
    }

    /// What the module is to be told, and that it is told.
    pub(super) fn name(&self) -> SourceAreas {
        self.named.store(true, Ordering::Release);
        self.areas
    }

    /// The areas that the module was told of.
    pub(super) fn named(&self) -> &[PageRun] {
        if self.named.load(Ordering::Acquire) {
            self.all()
        } else {
            &[]
        }
    }

    /// An area by its number.
    pub(super) fn area(&self, area: usize) -> &Mapping {
        // PANIC: who asks has the number from `all`, which has as many areas as there are mappings.
        &self.maps[area]
    }

    /// Copies bytes out, all of them from one area.
    pub(super) fn copy_out(&self, address: u64, to: &mut [u8]) -> Result<(), SpanError> {
        let bytes = u64::try_from(to.len()).unwrap_or(u64::MAX);
        let mut areas = self.all().iter().zip(&self.maps);
        let (area, map) = areas
            .find(|(area, _)| guest::holds(std::slice::from_ref(area), address, bytes))
            .ok_or(SpanError::NoArea {
                address,
                len: u32::try_from(to.len()).unwrap_or(u32::MAX),
            })?;
        let at = index(address - area.address);
        // SAFETY: `holds` put the bytes inside the area, whose mapping is as long as it (`Mapping::pieces`) and lives as
        // long as `self`; `to` is this process's own and apart from it. No reference to the guest's bytes is made: the
        // guest may write them meanwhile, then any bytes are what is copied, and they stay so.
        unsafe {
            let from = map.base().as_ptr().add(at);
            std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len());
        }
        Ok(())
    }
}
