//! The tile: the piece of a request that can be computed alone.

abi_struct! {
    /// A piece of a request: one algorithm, one operation, one key, its own IV. Written by the
    /// module.
    ///
    /// The tile covers `len` source bytes: whole data units, or a part of one. `iv` is the IV of
    /// the tile's first data unit as it stands at the tile's first block: for CTR the counter
    /// block, for CBC decryption the preceding ciphertext block. XTS alone keeps the unit's IV
    /// and counts in `first_block`, since its tweak sequence starts from the encrypted IV.
    #[derive(Debug)]
    pub struct Tile [64] {
        /// Source: byte offset in the pool; with [`super::TileFlags::GUEST_SOURCE`] a guest-physical address.
        pub src: u64,
        /// Destination: byte offset in the pool; equal to that of the source, or disjoint from it.
        pub dst: u64,
        /// Source bytes.
        pub len: u32,
        /// Destination bytes.
        pub dst_len: u32,
        /// Index in the key table; 0 for algorithms without a key.
        pub key_slot: u32,
        /// Generation the slot must have; 0 for algorithms without a key.
        pub key_generation: u32,
        /// Bytes from one data unit to the next, at least 1. The last unit may be short where the
        /// algorithm allows it.
        pub data_unit_size: u32,
        /// Blocks between the start of the tile's first data unit and the tile (XTS; else 0).
        pub first_block: u32,
        /// IV, the first `iv_size` bytes; the rest zero.
        pub iv: [u8; 16],
        /// [`super::AlgorithmId`].
        pub algorithm: u16,
        /// [`super::Op`].
        pub op: u8,
        /// [`super::IvStep`].
        pub iv_step: u8,
        /// [`super::TileFlags`].
        pub flags: u32,
    }
}
