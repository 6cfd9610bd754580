//! The error numbers the module returns (`asm-generic/errno*.h`).

/// An error number, positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

#[allow(missing_docs)]
impl Errno {
    pub const PERM: Self = Self(1);
    pub const NOENT: Self = Self(2);
    pub const IO: Self = Self(5);
    pub const NXIO: Self = Self(6);
    pub const AGAIN: Self = Self(11);
    pub const NOMEM: Self = Self(12);
    pub const ACCES: Self = Self(13);
    pub const FAULT: Self = Self(14);
    pub const BUSY: Self = Self(16);
    pub const INVAL: Self = Self(22);
    pub const NOTTY: Self = Self(25);
    pub const NOSPC: Self = Self(28);
    pub const PROTO: Self = Self(71);
    pub const INPROGRESS: Self = Self(115);
}

/// What C expects: 0 or a negative error number.
#[must_use]
pub fn code(result: Result<(), Errno>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(errno) => -errno.0,
    }
}
