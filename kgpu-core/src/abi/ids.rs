//! Identifiers and codes: wire integers become types by `TryFrom`; unknown values are errors.

/// A wire integer that names nothing in this version of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCode {
    /// What the integer was meant to be.
    pub what: &'static str,
    /// The value.
    pub value: u64,
}

impl core::fmt::Display for InvalidCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "invalid {}: {}", self.what, self.value)
    }
}

/// Declares an enumeration of wire codes with its checked conversion.
macro_rules! codes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $repr:ty, $what:literal {
            $( $(#[$variant_meta:meta])* $variant:ident = $value:literal => $label:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant = $value, )*
        }
        impl $name {
            /// Every value, in wire order.
            pub const ALL: &'static [$name] = &[$( $name::$variant, )*];
            /// The wire code.
            #[must_use]
            pub const fn code(self) -> $repr {
                match self { $( $name::$variant => $value, )* }
            }
            /// A lower-case name for logs and command lines.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $( $name::$variant => $label, )* }
            }
        }
        impl TryFrom<$repr> for $name {
            type Error = InvalidCode;
            fn try_from(value: $repr) -> Result<Self, InvalidCode> {
                match value {
                    $( $value => Ok($name::$variant), )*
                    _ => Err(InvalidCode { what: $what, value: u64::from(value) }),
                }
            }
        }
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.label())
            }
        }
    };
}

codes! {
    /// What a request does with its data.
    pub enum Op: u8, "operation" {
        /// Encrypt (ciphers).
        Encrypt = 1 => "encrypt",
        /// Decrypt (ciphers).
        Decrypt = 2 => "decrypt",
        /// Compute an output per data unit (services).
        Compute = 3 => "compute",
    }
}

codes! {
    /// How the IV steps from one data unit to the next. What the mode counts inside a unit is the
    /// mode's own affair.
    pub enum IvStep: u8, "IV step" {
        /// Every unit starts from the same IV (or the request is one unit, or has no IV).
        None = 0 => "none",
        /// The first 8 bytes count, little-endian (dm-crypt's plain64).
        Le64 = 1 => "le64",
        /// The last 8 bytes of the IV count, big-endian (dm-crypt's plain64be).
        Be64 = 2 => "be64",
        /// All 16 bytes count, little-endian.
        Le128 = 3 => "le128",
        /// All 16 bytes count, big-endian.
        Be128 = 4 => "be128",
    }
}

codes! {
    /// The outcome of a request, as the helper tells it.
    pub enum Status: u16, "status" {
        /// Done; `written_len` bytes lie at the tiles' destinations.
        Ok = 0 => "ok",
        /// The helper finds the submission or a tile malformed.
        Malformed = 1 => "malformed",
        /// The helper does not know the algorithm or the operation.
        Unsupported = 2 => "unsupported",
        /// The key slot's generation is not the tile's.
        StaleKey = 3 => "stale key",
        /// The backend failed; `detail` is its own error code.
        BackendFailed = 4 => "backend failed",
        /// The helper is shutting down and did not compute it.
        ShuttingDown = 5 => "shutting down",
    }
}

/// The stable number of an algorithm. Assigned once, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlgorithmId(pub u16);

/// A request's number: the slot in the submitter's table and that slot's generation, so that a
/// completion that comes late names a generation that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// Index in the submitter's table.
    pub slot: u32,
    /// Generation of that slot.
    pub generation: u32,
}

impl RequestId {
    /// The wire form: generation in the high half.
    #[must_use]
    pub const fn to_wire(self) -> u64 {
        ((self.generation as u64) << 32) | self.slot as u64
    }

    /// From the wire form. Every value is some id; whether it is in flight is for the table to say.
    #[must_use]
    pub const fn from_wire(wire: u64) -> Self {
        Self {
            slot: crate::num::low32(wire),
            generation: crate::num::low32(wire >> 32),
        }
    }
}
