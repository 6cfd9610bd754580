//! Entries of the two rings: a request handed over, and its completion.

abi_struct! {
    /// A request handed to the helper. Written by the module.
    #[derive(Debug)]
    pub struct Submission [32] {
        /// [`super::RequestId`]: slot and generation; echoed in the completion.
        pub request: u64,
        /// Generation of the session this request belongs to.
        pub session: u32,
        /// Index of the request's first tile in the tile table.
        pub tile_first: u32,
        /// Number of its tiles, consecutive in the tile table, at least 1.
        pub tile_count: u32,
        /// Bytes of source data over all tiles.
        pub bytes: u32,
        /// Bytes that must be written over all tiles: the completion's `written_len` must be this.
        pub written_len: u32,
        /// [`super::AlgorithmId`].
        pub algorithm: u16,
        /// [`super::Op`].
        pub op: u8,
        /// [`super::SubmissionFlags`].
        pub flags: u8,
    }
}

abi_struct! {
    /// A finished request. Written by the helper; nothing in it is trusted.
    #[derive(Debug)]
    pub struct Completion [32] {
        /// The submission's `request`.
        pub request: u64,
        /// The submission's `session`.
        pub session: u32,
        /// Bytes written; must be the submission's `written_len` when `status` is OK, else 0.
        pub written_len: u32,
        /// [`super::Status`].
        pub status: u16,
        /// Number of the helper's backend that computed it; for statistics only.
        pub backend: u16,
        /// Zero.
        pub reserved: u32,
        /// The backend's own error code when `status` is not OK; for the log only.
        pub detail: u64,
    }
}
