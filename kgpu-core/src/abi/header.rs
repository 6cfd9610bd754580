//! The header page (written by the module) and the helper's words (written by the helper).

use super::{InvalidCode, MAGIC, MAJOR};

/// Bytes of the header page at the start of the control mapping.
pub const HEADER_BYTES: u32 = 4096;

abi_struct! {
    /// The constant part of the header, at offset 0 of the control mapping. Written once, by the
    /// module, before the helper can map it.
    #[derive(Debug)]
    pub struct Header [128] {
        /// [`super::MAGIC`].
        pub magic: u64,
        /// [`super::MAJOR`].
        pub major: u16,
        /// [`super::MINOR`].
        pub minor: u16,
        /// Generation of the session.
        pub session: u32,
        /// [`super::Features`] in force.
        pub features: u64,
        /// Sizes of submission, completion, tile and key entry.
        pub struct_sizes: [u16; 4],
        /// Submission entries, a power of two.
        pub sq_entries: u32,
        /// Completion entries, a power of two, never fewer than requests can be in flight.
        pub cq_entries: u32,
        /// Tiles in the tile table.
        pub tile_entries: u32,
        /// Slots in the key table.
        pub key_slots: u32,
        /// Offset of the submission entries in the control mapping.
        pub sq_offset: u64,
        /// Offset of the tile table in the control mapping.
        pub tile_offset: u64,
        /// Offset of the key table in the control mapping.
        pub key_offset: u64,
        /// Offset of the completion entries in the helper mapping.
        pub cq_offset: u64,
        /// Bytes of the control mapping.
        pub control_bytes: u64,
        /// Bytes of the helper mapping.
        pub helper_bytes: u64,
        /// Bytes of the pool mapping.
        pub pool_bytes: u64,
        /// Nanoseconds after which the module does a request itself.
        pub deadline_ns: u64,
        /// Zero.
        pub reserved: [u64; 2],
    }
}

abi_struct! {
    /// The words the helper writes, at offset 0 of the helper mapping, each in a cache line of
    /// its own.
    #[derive(Debug)]
    pub struct HelperWords [192] {
        /// Submissions consumed since the session began.
        pub sq_head: u64,
        /// Zero.
        pub reserved0: [u64; 7],
        /// Completions posted since the session began.
        pub cq_tail: u64,
        /// Zero.
        pub reserved1: [u64; 7],
        /// Grows while the helper is alive, at least ten times a second.
        pub heartbeat: u64,
        /// Not 0 while the helper sleeps, so that a submission needs the doorbell. Since 1.2; only
        /// where the doorbell costs something: in guests.
        pub asleep: u64,
        /// Zero.
        pub reserved2: [u64; 6],
    }
}

/// Byte offsets of the shared words, each in a cache line of its own.
pub mod word {
    /// Control mapping, written by the module: submissions published since the session began.
    pub const SQ_TAIL: u64 = 512;
    /// Control mapping, written by the module: completions consumed since the session began.
    pub const CQ_HEAD: u64 = 576;
    /// Control mapping, written by the module: [`super::SessionState`].
    pub const STATE: u64 = 640;
    /// Control mapping, written by the module: not 0 while it sleeps, so that a new completion
    /// needs `KGPU_IOC_KICK`.
    pub const KICK_NEEDED: u64 = 704;
    /// Helper mapping: `HelperWords::sq_head`.
    pub const SQ_HEAD: u64 = 0;
    /// Helper mapping: `HelperWords::cq_tail`.
    pub const CQ_TAIL: u64 = 64;
    /// Helper mapping: `HelperWords::heartbeat`.
    pub const HEARTBEAT: u64 = 128;
    /// Helper mapping: `HelperWords::asleep`.
    pub const ASLEEP: u64 = 136;
    /// Helper mapping: [`super::guest::SourceAreas`], before the completion entries.
    pub const SOURCES: u64 = 1024;
}

/// Where a session stands, in the word at [`word::STATE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SessionState {
    /// Attached; the helper is expected to map and start.
    Attached = 1,
    /// The module's known answers run through this helper.
    Testing = 2,
    /// Requests are routed to this helper.
    Live = 3,
    /// Nothing more is routed to this helper; it should finish, close the device and attach anew.
    Retired = 4,
    /// The helper failed its known answers or broke the protocol: it should end and tell its user.
    Quarantined = 5,
    /// Another helper took over: it should finish what is in the ring, close the device and end.
    /// Since 1.1; helpers of 1.0 are told [`SessionState::Retired`].
    Replaced = 6,
}

impl SessionState {
    /// The wire code.
    #[must_use]
    pub const fn code(self) -> u64 {
        self as u64
    }

    /// A lower-case name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            SessionState::Attached => "attached",
            SessionState::Testing => "testing",
            SessionState::Live => "live",
            SessionState::Retired => "retired",
            SessionState::Quarantined => "quarantined",
            SessionState::Replaced => "replaced",
        }
    }

    /// Whether a helper in this state still has work to expect.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            SessionState::Attached | SessionState::Testing | SessionState::Live
        )
    }
}

impl TryFrom<u64> for SessionState {
    type Error = InvalidCode;
    fn try_from(value: u64) -> Result<Self, InvalidCode> {
        match value {
            1 => Ok(SessionState::Attached),
            2 => Ok(SessionState::Testing),
            3 => Ok(SessionState::Live),
            4 => Ok(SessionState::Retired),
            5 => Ok(SessionState::Quarantined),
            6 => Ok(SessionState::Replaced),
            _ => Err(InvalidCode {
                what: "session state",
                value,
            }),
        }
    }
}

impl Header {
    /// Whether this side can work with the header's revision. Any minor will do: a module that
    /// accepted this helper's [`super::Attach`] uses what a later minor added only as far as the
    /// features in force name it.
    ///
    /// # Errors
    /// The first of magic, major and structure sizes that differs.
    pub fn check(&self) -> Result<(), InvalidCode> {
        check_revision(self.magic, self.major, self.struct_sizes)
    }
}

/// Sizes of submission, completion, tile and key entry in this build.
pub(super) const STRUCT_SIZES: [u16; 4] = [32, 32, 64, 128];

pub(super) fn check_revision(magic: u64, major: u16, sizes: [u16; 4]) -> Result<(), InvalidCode> {
    if magic != MAGIC {
        return Err(InvalidCode {
            what: "magic",
            value: magic,
        });
    }
    if major != MAJOR {
        return Err(InvalidCode {
            what: "ABI major",
            value: u64::from(major),
        });
    }
    for (size, want) in sizes.into_iter().zip(STRUCT_SIZES) {
        if size != want {
            return Err(InvalidCode {
                what: "structure size",
                value: u64::from(size),
            });
        }
    }
    Ok(())
}
