//! The steps on the device itself: open and close, handshakes, ioctls. Which step comes next is chosen here too.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use kgpu_core::abi::{
    Attach, AttachFlags, DEVICE_PATH, IOC_ATTACH, IOC_DETACH, IOC_KICK, IOC_START,
};
use zerocopy::{FromBytes, IntoBytes};

use super::kinds::Kind;
use super::random::Random;
use super::raw::{Arena, Arg, REACH};
use super::tally::Tally;
use kgpu_guest::device::handshake;

/// Numbers at which things change.
pub const EDGES: &[u64] = &[
    0,
    1,
    7,
    8,
    4095,
    4096,
    4097,
    8192,
    65536,
    1 << 20,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    2 << 32,
    3 << 32,
    1 << 47,
    1 << 63,
    u64::MAX - 4095,
    u64::MAX,
];

/// Addresses where nothing of ours can be: null, not canonical, the kernel's.
pub const BAD: &[u64] = &[
    0,
    8,
    1 << 47,
    0xffff_8880_0000_0000,
    0xffff_ffff_8100_0000,
    u64::MAX,
];

/// Most tries of one kind of step that has to succeed.
const TRIES: u32 = 2_000;

/// Descriptors and sizes that the threads of a process share.
#[derive(Debug)]
pub struct Shared {
    fds: [AtomicI32; 8],
    /// Bytes of control, helper and pool part, from the last handshake that worked.
    sizes: [AtomicU64; 3],
}

impl Shared {
    /// With a descriptor to begin with, or -1, and the sizes of its parts.
    pub fn new(fd: RawFd, sizes: [u64; 3]) -> Self {
        let shared = Self {
            fds: [const { AtomicI32::new(-1) }; 8],
            sizes: sizes.map(AtomicU64::new),
        };
        shared.fds[0].store(fd, Ordering::Relaxed);
        shared
    }
}

/// Bytes of all three parts, as a handshake's answer says.
pub fn sizes_of(answer: &Attach) -> [u64; 3] {
    [answer.control_bytes, answer.helper_bytes, answer.pool_bytes]
}

/// One thread's view of a run.
#[derive(Debug)]
pub struct Stepper<'a> {
    /// Chooses.
    pub random: Random,
    /// Where mappings go.
    pub arena: Arena,
    /// What the threads share.
    pub shared: &'a Shared,
    /// Counts.
    pub tally: Tally,
}

impl Stepper<'_> {
    /// Makes one step and counts it.
    pub fn step(&mut self) {
        let kind = self.choose();
        let result = self.make(kind);
        self.tally.count(kind, result);
    }

    /// Tries each of these until it succeeds, and maps parts in between, as a session needs them all. Counts every try.
    pub fn insist(&mut self, kinds: &[Kind]) {
        for kind in kinds {
            for _ in 0..TRIES {
                let result = self.make(*kind);
                self.tally.count(*kind, result);
                if result.is_ok() {
                    break;
                }
                let mapped = self.map_part();
                self.tally.count(Kind::MapPart, mapped);
            }
        }
    }

    fn choose(&mut self) -> Kind {
        let mut at = self
            .random
            .below(Kind::ALL.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in Kind::ALL {
            if at < *weight {
                return *kind;
            }
            at -= weight;
        }
        Kind::Open
    }

    fn make(&mut self, kind: Kind) -> Result<u64, u64> {
        match kind {
            Kind::Open => self.open(libc::O_RDWR | libc::O_CLOEXEC),
            Kind::OpenOther => self.open_other(),
            Kind::Close => self.close(),
            Kind::Dup => {
                let fd = self.fd();
                let copy = self.call(libc::SYS_dup, &mut [Arg::Fd(fd)])?;
                self.keep(copy);
                Ok(copy)
            }
            Kind::Send => self.send(),
            Kind::Attach => {
                let mut request = handshake();
                if self.random.one_in(3) {
                    request.flags |= AttachFlags::TAKEOVER.bits();
                }
                self.attach(request)
            }
            Kind::AttachSpoiled => {
                let spoiled = self.spoiled();
                self.attach(spoiled)
            }
            Kind::Start => self.ioctl(IOC_START.request, Arg::Number(0)),
            Kind::Kick => self.ioctl(IOC_KICK.request, Arg::Number(0)),
            Kind::Detach => self.ioctl(IOC_DETACH.request, Arg::Number(0)),
            Kind::IoctlOther => self.ioctl_other(),
            Kind::IoctlPointer => {
                let argument = self.pointer();
                self.ioctl(IOC_ATTACH.request, argument)
            }
            Kind::MapPart => self.map_part(),
            Kind::MapOther => self.map_other(),
            Kind::Unmap => self.unmap(),
            Kind::Remap => self.remap(),
            Kind::Protect => self.protect(),
            Kind::Advise => self.advise(),
            Kind::Lock => self.lock(),
            Kind::StoreWord => self.word(true),
            Kind::LoadWord => self.word(false),
            Kind::Peek => self.peek(),
            Kind::Child | Kind::ChildSignal => self.child(),
            Kind::Poll => self.poll(),
            Kind::Read => self.transfer(&[libc::SYS_read, libc::SYS_pread64]),
            Kind::Write => self.transfer(&[libc::SYS_write, libc::SYS_pwrite64]),
            Kind::Seek => self.seek(),
            Kind::Splice => self.splice(),
            Kind::Control => self.control(),
            Kind::FileOther => self.file_other(),
        }
    }

    /// A system call.
    pub fn call(&self, number: i64, args: &mut [Arg<'_>]) -> Result<u64, u64> {
        self.arena.call(number, args)
    }

    fn slot(&mut self) -> &AtomicI32 {
        let [a, b, c, d, e, f, g, h] = &self.shared.fds;
        match self.random.below(8) {
            0 => a,
            1 => b,
            2 => c,
            3 => d,
            4 => e,
            5 => f,
            6 => g,
            _ => h,
        }
    }

    /// A descriptor that some thread opened and has perhaps closed.
    pub fn fd(&mut self) -> RawFd {
        for _ in 0..6 {
            let fd = self.slot().load(Ordering::Relaxed);
            if fd >= 0 {
                return fd;
            }
        }
        -1
    }

    /// Keeps a descriptor, closing the one it takes the place of.
    pub fn keep(&mut self, fd: u64) {
        let fd = RawFd::try_from(fd).unwrap_or(-1);
        let old = self.slot().swap(fd, Ordering::Relaxed);
        if old >= 0 {
            let _result = self.call(libc::SYS_close, &mut [Arg::Fd(old)]);
        }
    }

    /// Bytes of a part.
    pub fn size(&self, part: usize) -> u64 {
        self.shared
            .sizes
            .get(part)
            .map_or(0, |size| size.load(Ordering::Relaxed))
    }

    fn open(&mut self, flags: i32) -> Result<u64, u64> {
        let mut path = DEVICE_PATH.as_bytes().to_vec();
        path.push(0);
        let flags = u64::try_from(flags).unwrap_or(0);
        let fd = self.call(
            libc::SYS_openat,
            &mut [
                Arg::Fd(libc::AT_FDCWD),
                Arg::Lent(&mut path),
                Arg::Number(flags),
                Arg::Number(0o600),
            ],
        )?;
        self.keep(fd);
        Ok(fd)
    }

    fn open_other(&mut self) -> Result<u64, u64> {
        let flags = self.random.of(&[
            libc::O_RDONLY,
            libc::O_WRONLY,
            libc::O_PATH,
            libc::O_RDWR | libc::O_NONBLOCK,
            libc::O_RDWR | libc::O_TRUNC | libc::O_APPEND,
            libc::O_RDWR | libc::O_DIRECTORY,
            libc::O_RDWR | libc::O_DIRECT | libc::O_SYNC,
            libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
            3,
        ]);
        self.open(flags)
    }

    fn close(&mut self) -> Result<u64, u64> {
        let stays = self.random.one_in(4);
        let slot = self.slot();
        let fd = if stays {
            slot.load(Ordering::Relaxed)
        } else {
            slot.swap(-1, Ordering::Relaxed)
        };
        self.call(libc::SYS_close, &mut [Arg::Fd(fd)])
    }

    fn ioctl(&mut self, request: u32, argument: Arg<'_>) -> Result<u64, u64> {
        let fd = Arg::Fd(self.fd());
        let request = Arg::Number(u64::from(request));
        self.call(libc::SYS_ioctl, &mut [fd, request, argument])
    }

    fn attach(&mut self, mut request: Attach) -> Result<u64, u64> {
        let result = self.ioctl(IOC_ATTACH.request, Arg::Lent(request.as_mut_bytes()))?;
        for (size, bytes) in self.shared.sizes.iter().zip(sizes_of(&request)) {
            size.store(bytes, Ordering::Relaxed);
        }
        // Steps at random seldom come to a session that is tested: half of them get there at once.
        if self.random.one_in(2) {
            for _ in 0..12 {
                let mapped = self.map_part();
                self.tally.count(Kind::MapPart, mapped);
            }
            let started = self.ioctl(IOC_START.request, Arg::Number(0));
            self.tally.count(Kind::Start, started);
        }
        Ok(result)
    }

    /// A handshake with one or two of its bytes changed, or a field at an edge.
    fn spoiled(&mut self) -> Attach {
        let mut bytes = [0; size_of::<Attach>()];
        bytes.copy_from_slice(handshake().as_bytes());
        for _ in 0..=self.random.below(2) {
            let count = u64::try_from(bytes.len()).unwrap_or(1);
            let at = usize::try_from(self.random.below(count)).unwrap_or(0);
            let edge = self.random.of(EDGES).to_le_bytes();
            if self.random.one_in(2) {
                bytes[at] ^= 1 << self.random.below(8);
            } else if let Some(field) = bytes.get_mut(at & !7..(at & !7) + 8) {
                field.copy_from_slice(&edge);
            }
        }
        Attach::read_from_bytes(&bytes).unwrap_or_else(|_| handshake())
    }

    /// A known number with bits of its number, type, size or direction changed, or any number.
    fn ioctl_other(&mut self) -> Result<u64, u64> {
        let known = [IOC_ATTACH, IOC_START, IOC_KICK, IOC_DETACH].map(|i| i.request);
        let bit = 1_u32 << self.random.below(32);
        let request = if self.random.one_in(3) {
            u32::try_from(self.random.next() >> 32).unwrap_or(0)
        } else {
            self.random.of(&known) ^ bit
        };
        // Numbers that every file has (0x54..) work on this program's own table of descriptors: harmless.
        let argument = self.pointer();
        self.ioctl(request, argument)
    }

    /// An address in the arena or a bad one.
    fn pointer(&mut self) -> Arg<'static> {
        if self.random.one_in(2) {
            Arg::Arena(self.random.below(REACH))
        } else {
            Arg::Number(self.random.of(BAD))
        }
    }
}
