//! ABI v1: every structure that lies in shared memory or crosses an ioctl of `/dev/kgpu`.
//!
//! The region is three mappings, so that each page has one writer (but for the pool, whose bytes
//! nobody trusts):
//!
//! | mapping | file offset | helper may | holds |
//! | --- | --- | --- | --- |
//! | control | [`MAP_CONTROL`] | read | [`Header`], submission entries, tiles, key table |
//! | helper | [`MAP_HELPER`] | read, write | [`HelperWords`], completion entries |
//! | pool | [`MAP_POOL`] | read, write | the data of requests |
//!
//! A change of any size, offset or meaning needs a new [`MAJOR`] (incompatible) or [`MINOR`]
//! (a reserved field gains a meaning); `tests/golden_layout.rs` fails otherwise.

// zerocopy's derives make hidden helper types without Debug; our own structures all have it.
#![allow(missing_debug_implementations)]

#[macro_use]
mod reflect;

mod entry;
mod flags;
pub mod guest;
mod header;
mod ids;
mod ioctl;
mod key;
mod layout;
mod tile;

pub use entry::{Completion, Submission};
pub use flags::{AttachFlags, Features, SubmissionFlags, TileFlags};
pub use header::{HEADER_BYTES, Header, HelperWords, SessionState, word};
pub use ids::{AlgorithmId, InvalidCode, IvStep, Op, RequestId, Status};
pub use ioctl::{Attach, BACKEND_NAME_BYTES, IOC_ATTACH, IOC_DETACH, IOC_KICK, IOC_START, Ioctl};
pub use key::{KEY_BYTES_MAX, KeyEntry};
pub use layout::{Layout, LayoutError, PAGE, RingSizes};
pub use reflect::{Field, Reflect};
pub use tile::Tile;

/// First word of the header and of [`Attach`]: `kgpu-abi` in ASCII, little-endian.
pub const MAGIC: u64 = u64::from_le_bytes(*b"kgpu-abi");
/// Incompatible revisions of this ABI.
pub const MAJOR: u16 = 1;
/// Compatible revisions of this ABI.
pub const MINOR: u16 = 3;

/// File offset at which the control mapping starts.
pub const MAP_CONTROL: u64 = 0;
/// File offset at which the helper-written mapping starts.
pub const MAP_HELPER: u64 = 1 << 32;
/// File offset at which the pool mapping starts.
pub const MAP_POOL: u64 = 2 << 32;

/// The name of the device node.
pub const DEVICE_PATH: &str = "/dev/kgpu";

/// Calls `$visit!(Type)` for each structure of the ABI: the golden layout test and the C header
/// generator walk this list, so that no structure can be forgotten by either.
#[macro_export]
macro_rules! for_each_abi_struct {
    ($visit:ident) => {
        $visit!($crate::abi::Header);
        $visit!($crate::abi::HelperWords);
        $visit!($crate::abi::Submission);
        $visit!($crate::abi::Completion);
        $visit!($crate::abi::Tile);
        $visit!($crate::abi::KeyEntry);
        $visit!($crate::abi::Attach);
        $visit!($crate::abi::guest::PageRun);
        $visit!($crate::abi::guest::SourceAreas);
    };
}
