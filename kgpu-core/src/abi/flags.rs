//! Flag words. Unknown bits are refused: use `from_bits`, never `from_bits_truncate`.

bitflags::bitflags! {
    /// What a side can do, in the header (module) and in `Attach` (helper).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Features: u64 {
        /// Algorithms that are not ciphers (no key, no IV, other output length).
        const SERVICES = 1 << 0;
        /// Tiles may have sources in the guest's memory outside of the pool. Since 1.3; in guests only.
        const GUEST_SOURCES = 1 << 1;
    }

    /// How a helper wants to be attached.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct AttachFlags: u32 {
        /// The helper polls the ring only for a bounded time and then sleeps in poll(2).
        const SLEEPS = 1 << 0;
        /// It takes over from the helper that is attached, once it has passed its known answers.
        /// Since 1.1.
        const TAKEOVER = 1 << 1;
    }

    /// Properties of one submission. None is defined in this version.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SubmissionFlags: u8 {
    }

    /// Properties of one tile.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct TileFlags: u32 {
        /// `src` is a guest-physical address, and all `len` bytes lie in one of the areas that the helper named
        /// ([`super::guest::SourceAreas`]). Since 1.3; only with [`Features::GUEST_SOURCES`] in force.
        const GUEST_SOURCE = 1 << 0;
    }
}
