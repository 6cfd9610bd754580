//! Where everything lies in the three mappings, computed once by the module and checked once by
//! the helper.

#[cfg(any(kani, test))]
mod proofs;

use super::header::STRUCT_SIZES;
use super::{Features, HEADER_BYTES, Header, HelperWords, MAGIC, MAJOR, MINOR, Reflect};

/// Bytes of a page: mappings and the parts in them start on page boundaries.
pub const PAGE: u64 = 4096;

/// The sizes a session is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSizes {
    /// Submission and completion entries, a power of two.
    pub entries: u32,
    /// Tiles in the tile table.
    pub tiles: u32,
    /// Key slots.
    pub keys: u32,
    /// Pool bytes, a multiple of the page size.
    pub pool_bytes: u64,
}

/// Byte offsets and sizes of the parts of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The sizes this layout is for.
    pub sizes: RingSizes,
    /// Offset of the submission entries in the control mapping.
    pub sq_offset: u64,
    /// Offset of the tile table in the control mapping.
    pub tile_offset: u64,
    /// Offset of the key table in the control mapping.
    pub key_offset: u64,
    /// Bytes of the control mapping.
    pub control_bytes: u64,
    /// Offset of the completion entries in the helper mapping.
    pub cq_offset: u64,
    /// Bytes of the helper mapping.
    pub helper_bytes: u64,
}

/// Why a header or a set of sizes describes no valid region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// Entries must be a power of two from 2 to 2^16.
    Entries(u32),
    /// Tiles must be from 1 to 2^20.
    Tiles(u32),
    /// Key slots must be from 1 to 2^16.
    Keys(u32),
    /// The pool must be a non-zero multiple of the page size, below 4 GiB.
    Pool(u64),
    /// The header names another place for a part than this build computes.
    Offset {
        /// Which part.
        what: &'static str,
        /// What this build computes.
        expected: u64,
        /// What the header says.
        found: u64,
    },
}

impl core::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Entries(n) => write!(f, "{n} ring entries: need a power of two from 2 to 65536"),
            Self::Tiles(n) => write!(f, "{n} tiles: need 1 to 1048576"),
            Self::Keys(n) => write!(f, "{n} key slots: need 1 to 65536"),
            Self::Pool(n) => write!(f, "pool of {n} bytes: need whole pages, below 4 GiB"),
            Self::Offset {
                what,
                expected,
                found,
            } => {
                write!(f, "{what} is {found}, expected {expected}")
            }
        }
    }
}

const fn page_up(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE) * PAGE
}

impl Layout {
    /// Lays out a region.
    ///
    /// # Errors
    /// The first size that is out of bounds.
    pub const fn new(sizes: RingSizes) -> Result<Self, LayoutError> {
        if !sizes.entries.is_power_of_two() || sizes.entries < 2 || sizes.entries > 1 << 16 {
            return Err(LayoutError::Entries(sizes.entries));
        }
        if sizes.tiles == 0 || sizes.tiles > 1 << 20 {
            return Err(LayoutError::Tiles(sizes.tiles));
        }
        if sizes.keys == 0 || sizes.keys > 1 << 16 {
            return Err(LayoutError::Keys(sizes.keys));
        }
        if sizes.pool_bytes == 0
            || !sizes.pool_bytes.is_multiple_of(PAGE)
            || sizes.pool_bytes >= 1 << 32
        {
            return Err(LayoutError::Pool(sizes.pool_bytes));
        }
        let sq_offset = HEADER_BYTES as u64;
        let tile_offset = sq_offset + page_up(sizes.entries as u64 * STRUCT_SIZES[0] as u64);
        let key_offset = tile_offset + page_up(sizes.tiles as u64 * STRUCT_SIZES[2] as u64);
        let control_bytes = key_offset + page_up(sizes.keys as u64 * STRUCT_SIZES[3] as u64);
        let cq_offset = page_up(HelperWords::SIZE as u64);
        let helper_bytes = cq_offset + page_up(sizes.entries as u64 * STRUCT_SIZES[1] as u64);
        Ok(Self {
            sizes,
            sq_offset,
            tile_offset,
            key_offset,
            control_bytes,
            cq_offset,
            helper_bytes,
        })
    }

    /// The header that describes this layout.
    #[must_use]
    pub const fn header(&self, session: u32, features: Features, deadline_ns: u64) -> Header {
        Header {
            magic: MAGIC,
            major: MAJOR,
            minor: MINOR,
            session,
            features: features.bits(),
            struct_sizes: STRUCT_SIZES,
            sq_entries: self.sizes.entries,
            cq_entries: self.sizes.entries,
            tile_entries: self.sizes.tiles,
            key_slots: self.sizes.keys,
            sq_offset: self.sq_offset,
            tile_offset: self.tile_offset,
            key_offset: self.key_offset,
            cq_offset: self.cq_offset,
            control_bytes: self.control_bytes,
            helper_bytes: self.helper_bytes,
            pool_bytes: self.sizes.pool_bytes,
            deadline_ns,
            reserved: [0; 2],
        }
    }

    /// The layout a header describes: computed from its sizes, and every offset compared.
    ///
    /// # Errors
    /// A size out of bounds or an offset that differs from the computed one.
    pub fn from_header(header: &Header) -> Result<Self, LayoutError> {
        let layout = Self::new(RingSizes {
            entries: header.sq_entries,
            tiles: header.tile_entries,
            keys: header.key_slots,
            pool_bytes: header.pool_bytes,
        })?;
        let same = |what, expected, found| {
            if expected == found {
                Ok(())
            } else {
                Err(LayoutError::Offset {
                    what,
                    expected,
                    found,
                })
            }
        };
        same(
            "cq_entries",
            u64::from(header.sq_entries),
            u64::from(header.cq_entries),
        )?;
        same("sq_offset", layout.sq_offset, header.sq_offset)?;
        same("tile_offset", layout.tile_offset, header.tile_offset)?;
        same("key_offset", layout.key_offset, header.key_offset)?;
        same("cq_offset", layout.cq_offset, header.cq_offset)?;
        same("control_bytes", layout.control_bytes, header.control_bytes)?;
        same("helper_bytes", layout.helper_bytes, header.helper_bytes)?;
        Ok(layout)
    }
}
