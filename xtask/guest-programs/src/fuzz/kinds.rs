//! The kinds of steps, and how often each comes.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $weight:literal,)*) => {
        /// A kind of step.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All of them with their weights.
            pub const ALL: &'static [(Self, u64)] = &[$((Self::$name, $weight)),*];
        }
    };
}

kinds! {
    /// Open as a helper does.
    Open 6,
    /// Open in other ways.
    OpenOther 2,
    /// Close, perhaps under another thread's call, perhaps twice.
    Close 4,
    /// Another descriptor of the same open file.
    Dup 2,
    /// A descriptor that came over a socket.
    Send 1,
    /// A right handshake.
    Attach 6,
    /// A handshake with fields changed.
    AttachSpoiled 6,
    /// START.
    Start 5,
    /// KICK.
    Kick 4,
    /// DETACH.
    Detach 2,
    /// Ioctls that the ABI has not.
    IoctlOther 6,
    /// A handshake at an address that is bad or mapped by the device.
    IoctlPointer 4,
    /// Map a part as a helper does, at a place where something may be.
    MapPart 14,
    /// Map with any offset, size, protection and flags.
    MapOther 8,
    /// Unmap a range, often a part of a mapping.
    Unmap 6,
    /// Move, grow or shrink a range.
    Remap 4,
    /// Change a range's protection.
    Protect 5,
    /// madvise(2) with any advice.
    Advise 5,
    /// mlock(2), munlock(2), msync(2).
    Lock 3,
    /// poll(2).
    Poll 3,
    /// read(2), pread(2).
    Read 2,
    /// write(2), pwrite(2).
    Write 2,
    /// lseek(2).
    Seek 2,
    /// splice(2), sendfile(2), vmsplice(2) of a mapping.
    Splice 2,
    /// fcntl(2).
    Control 3,
    /// fstat(2), fsync(2), ftruncate(2), fallocate(2), flock(2).
    FileOther 3,
    /// Write ring words through a mapping.
    StoreWord 8,
    /// Read them.
    LoadWord 4,
    /// process_vm_readv(2) and process_vm_writev(2) on a mapping.
    Peek 3,
    /// A child with the descriptors and mappings, which makes calls and touches memory.
    Child 1,
    /// A child that a signal ended (counted, not made).
    ChildSignal 0,
}
