//! The ioctls of `/dev/kgpu` and the handshake they carry.

/// Bytes of a backend's name in [`Attach`], zero-padded ASCII.
pub const BACKEND_NAME_BYTES: usize = 16;

abi_struct! {
    /// The handshake: the helper fills the first half, the module answers in the second.
    #[derive(Debug)]
    pub struct Attach [128] {
        /// [`super::MAGIC`].
        pub magic: u64,
        /// [`super::MAJOR`] the helper was built for.
        pub major: u16,
        /// [`super::MINOR`] the helper was built for.
        pub minor: u16,
        /// [`super::AttachFlags`].
        pub flags: u32,
        /// [`super::Features`] the helper has.
        pub features: u64,
        /// Sizes of submission, completion, tile and key entry the helper was built for.
        pub struct_sizes: [u16; 4],
        /// Most bytes of a tile the helper prefers: a power of two from 4 KiB to 1 MiB, or 0 for
        /// the module's default.
        pub tile_bytes: u32,
        /// Zero.
        pub reserved_in: u32,
        /// The backend's name for the status file.
        pub backend: [u8; 16],
        /// Out: generation of the session.
        pub session: u32,
        /// Out: zero.
        pub reserved_out: u32,
        /// Out: [`super::Features`] in force (those of both sides).
        pub features_in_force: u64,
        /// Out: bytes of the control mapping.
        pub control_bytes: u64,
        /// Out: bytes of the helper-written mapping.
        pub helper_bytes: u64,
        /// Out: bytes of the pool mapping.
        pub pool_bytes: u64,
        /// Out: zero.
        pub reserved_tail: [u64; 4],
    }
}

/// An ioctl's number as Linux encodes it (`asm-generic/ioctl.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ioctl {
    /// Name in the C header.
    pub name: &'static str,
    /// The request number.
    pub request: u32,
}

const TYPE: u32 = 0x4b; // 'K'

const fn ioctl(name: &'static str, number: u32, direction: u32, size: u32) -> Ioctl {
    Ioctl {
        name,
        request: (direction << 30) | (size << 16) | (TYPE << 8) | number,
    }
}

/// Opens a session: [`Attach`] in and out. The mappings exist from then on.
pub const IOC_ATTACH: Ioctl = ioctl("KGPU_IOC_ATTACH", 1, 3, 128);
/// The mappings are in place and the helper serves the ring: the module starts its known answers.
pub const IOC_START: Ioctl = ioctl("KGPU_IOC_START", 2, 0, 0);
/// Completions were posted while the module was not polling.
pub const IOC_KICK: Ioctl = ioctl("KGPU_IOC_KICK", 3, 0, 0);
/// Stops routing to this helper. Requests in flight may still be completed until the device is closed.
pub const IOC_DETACH: Ioctl = ioctl("KGPU_IOC_DETACH", 4, 0, 0);

impl Ioctl {
    /// All ioctls, for the C header.
    pub const ALL: &'static [Ioctl] = &[IOC_ATTACH, IOC_START, IOC_KICK, IOC_DETACH];

    /// Whether `request` is this ioctl but for the size it carries: a helper built for another
    /// revision of the structure.
    #[must_use]
    pub const fn same_but_for_size(self, request: u32) -> bool {
        const SIZE_MASK: u32 = 0x3fff << 16;
        self.request & !SIZE_MASK == request & !SIZE_MASK && self.request != request
    }
}

impl Attach {
    /// A helper's side of the handshake for this build.
    #[must_use]
    pub fn request(
        features: super::Features,
        flags: super::AttachFlags,
        tile_bytes: u32,
        backend: &str,
    ) -> Self {
        let mut name = [0; BACKEND_NAME_BYTES];
        for (to, from) in name
            .iter_mut()
            .zip(backend.bytes().filter(u8::is_ascii_graphic))
        {
            *to = from;
        }
        Self {
            magic: super::MAGIC,
            major: super::MAJOR,
            minor: super::MINOR,
            flags: flags.bits(),
            features: features.bits(),
            struct_sizes: super::header::STRUCT_SIZES,
            tile_bytes,
            reserved_in: 0,
            backend: name,
            session: 0,
            reserved_out: 0,
            features_in_force: 0,
            control_bytes: 0,
            helper_bytes: 0,
            pool_bytes: 0,
            reserved_tail: [0; 4],
        }
    }

    /// Checks a helper's side of the handshake: revision, unknown bits, reserved fields, tile size.
    ///
    /// # Errors
    /// The first field that is off, with its value.
    pub fn check(&self) -> Result<(super::AttachFlags, super::Features), super::InvalidCode> {
        let bad = |what, value| Err(super::InvalidCode { what, value });
        super::header::check_revision(self.magic, self.major, self.struct_sizes)?;
        // A module serves helpers of its own minor revision and of older ones.
        if self.minor > super::MINOR {
            return bad("ABI minor", u64::from(self.minor));
        }
        let Some(flags) = super::AttachFlags::from_bits(self.flags) else {
            return bad("attach flags", u64::from(self.flags));
        };
        let Some(features) = super::Features::from_bits(self.features) else {
            return bad("features", self.features);
        };
        let reserved = [u64::from(self.reserved_in), u64::from(self.reserved_out)];
        for value in reserved.into_iter().chain(self.reserved_tail) {
            if value != 0 {
                return bad("reserved field", value);
            }
        }
        if self.tile_bytes != 0
            && !(self.tile_bytes.is_power_of_two() && (4096..=1 << 20).contains(&self.tile_bytes))
        {
            return bad("tile size", u64::from(self.tile_bytes));
        }
        Ok((flags, features))
    }
}
