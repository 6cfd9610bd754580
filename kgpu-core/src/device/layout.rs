//! The structures that a kernel reads. Little-endian words, addresses as the device sees them.

use static_assertions::const_assert_eq;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Words of a schedule's [`Header`].
pub const HEADER_WORDS: usize = 4;

/// One tile of a launch: [`crate::abi::Tile`] with addresses, and the geometry of its items.
#[repr(C, align(16))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Tile {
    /// Address of the source. Any alignment; multiples of 16 are fast.
    pub src: u64,
    /// Address of the destination: the source's own or disjoint.
    pub dst: u64,
    /// IV at the start of the tile (XTS: of its data unit), as the words of its bytes.
    pub iv: [u32; 4],
    /// Source bytes, at least 1.
    pub len: u32,
    /// Bytes of a data unit; at most `len` (a tile inside a longer unit has one unit, of `len`).
    pub unit: u32,
    /// Blocks between the start of the data unit and the tile (XTS; else 0).
    pub first_block: u32,
    /// Cells of the first item that lie before the tile: 0, or in counter mode the low bits of the
    /// counter where the kernel wants items aligned to it.
    pub skew: u32,
    /// Items of the tiles before this one.
    pub first_item: u32,
    /// Items of each data unit, when units are longer than an item; else 0.
    pub unit_items: u32,
    /// Data units of each item, when units are not longer than an item; else 1.
    pub item_units: u32,
    /// Scratch cells of the tiles before this one.
    pub scratch: u32,
    /// Where the key's schedule lies: its address is this many cells above the launch's base.
    pub key: u32,
    /// Generation of the key.
    pub generation: u32,
    /// How the IV steps: the code of an [`crate::abi::IvStep`].
    pub iv_step: u32,
    /// Zero.
    pub reserved: u32,
}
const_assert_eq!(size_of::<Tile>(), 96 - 16);

/// A run of items under one key.
#[repr(C, align(16))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Span {
    /// The first of its items, counted over the launch.
    pub first_item: u32,
    /// How many items, at least 1.
    pub items: u32,
    /// The first tile that it has items of.
    pub first_tile: u32,
    /// How many tiles it has items of.
    pub tiles: u32,
    /// Where the key's schedule lies, as in [`Tile::key`].
    pub key: u32,
    /// Generation of the key.
    pub generation: u32,
    /// The first of its scratch cells.
    pub scratch: u32,
    /// How many scratch cells.
    pub scratch_cells: u32,
}
const_assert_eq!(size_of::<Span>(), 32);

/// What every schedule starts with.
#[repr(C, align(16))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Header {
    /// Generation of the key; a span of another one is not computed.
    pub generation: u32,
    /// The algorithm's id.
    pub algorithm: u32,
    /// Bytes of the key (of both keys, for XTS).
    pub key_len: u32,
    /// Zero.
    pub reserved: u32,
}
const_assert_eq!(size_of::<Header>(), 4 * HEADER_WORDS);

/// What a launch tells: words that kernels add to. Zeroed before the launch.
#[repr(C, align(16))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Stats {
    /// Items computed: all of the launch's, or something went wrong.
    pub items: u32,
    /// Spans left out because their key's schedule is of another generation.
    pub stale: u32,
    /// Zero.
    pub reserved: [u32; 2],
}
const_assert_eq!(size_of::<Stats>(), 16);

/// What a kernel counts as an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// Up to [`super::ITEM_CELLS`] consecutive cells of a tile.
    Cells,
    /// The same, the first item shortened so that items start where the low 8 bits of the block
    /// counter are 0.
    Counters,
    /// One data unit, which one thread computes from start to end.
    Units,
}

/// What a kernel needs scratch memory for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scratch {
    /// Nothing.
    None,
    /// A cell for each data unit of each item.
    Units,
    /// This many cells for each item.
    Items(u32),
}
