//! The steps on mappings of the device. All of them stay in the arena.

use kgpu_core::abi::{MAP_CONTROL, MAP_HELPER, MAP_POOL, word};

use super::kinds::Kind;
use super::raw::{Arg, Ended, REACH};
use super::steps::{BAD, EDGES, Stepper};

const OFFSETS: [u64; 3] = [MAP_CONTROL, MAP_HELPER, MAP_POOL];
const PAGE: u64 = 4096;
/// Mappings begin at one of so many places, far enough from each other for a pool of some MiB.
const PLACES: u64 = 12;
const APART: u64 = 8 << 20;

/// The bits of mmap(2)'s flags, but for MAP_FIXED, which is always there, and for what maps memory that is not ours.
const FLAGS: &[u64] = &[
    0x01, 0x02, 0x03, 0x40, 0x100, 0x800, 0x1000, 0x2000, 0x4000, 0x8000, 0x10000, 0x40000, 0x80000,
];
const FIXED: u64 = 0x10;
const SHARED: u64 = 0x01;

/// A range of the arena: pages most often, near the beginnings of mappings.
struct Range {
    at: u64,
    len: u64,
}

impl Range {
    fn args<const N: usize>(&self, rest: [u64; N]) -> Vec<Arg<'static>> {
        let mut args = vec![Arg::Arena(self.at), Arg::Number(self.len)];
        args.extend(rest.map(Arg::Number));
        args
    }
}

impl Stepper<'_> {
    fn place(&mut self) -> u64 {
        self.random.below(PLACES) * APART
    }

    fn range(&mut self) -> Range {
        let mut at = self.place();
        if self.random.one_in(2) {
            at += self.random.below(300) * PAGE;
        }
        if self.random.one_in(16) {
            at += self.random.below(PAGE);
        }
        let len = match self.random.below(4) {
            0 => {
                let part = usize::try_from(self.random.below(3)).unwrap_or(0);
                self.size(part)
            }
            1 => self.random.below(4) * PAGE,
            2 => self.random.below(APART * 2),
            // Too much for any address space, so that it is refused.
            _ => self
                .random
                .of(&[0, 1, PAGE, 2 * PAGE, 64 * PAGE, 1 << 48, u64::MAX]),
        };
        Range { at, len }
    }

    fn protection(&mut self) -> u64 {
        if self.random.one_in(2) {
            3
        } else {
            self.random.below(16)
        }
    }

    fn map(&mut self, len: u64, prot: u64, flags: u64, offset: u64) -> Result<u64, u64> {
        let (at, fd) = (self.place(), self.fd());
        self.call(
            libc::SYS_mmap,
            &mut [
                Arg::Arena(at),
                Arg::Number(len),
                Arg::Number(prot),
                Arg::Number(flags | FIXED),
                Arg::Fd(fd),
                Arg::Number(offset),
            ],
        )
    }

    pub(super) fn map_part(&mut self) -> Result<u64, u64> {
        let part = usize::try_from(self.random.below(3)).unwrap_or(0);
        let offset = OFFSETS.get(part).copied().unwrap_or(0);
        let prot = if part == 0 { 1 } else { 3 };
        self.map(self.size(part), prot, SHARED, offset)
    }

    pub(super) fn map_other(&mut self) -> Result<u64, u64> {
        let part = usize::try_from(self.random.below(3)).unwrap_or(0);
        let mut offset = OFFSETS.get(part).copied().unwrap_or(0);
        let mut len = self.size(part);
        match self.random.below(4) {
            0 => offset = self.random.of(EDGES),
            1 => offset = offset.wrapping_add(self.random.below(8) * PAGE),
            2 => len = self.range().len,
            _ => {}
        }
        // Beyond the arena it would replace memory of ours.
        if (REACH..1 << 47).contains(&len) {
            len = REACH;
        }
        let prot = self.protection();
        let flags = SHARED | self.random.bits(FLAGS);
        self.map(len, prot, flags, offset)
    }

    pub(super) fn unmap(&mut self) -> Result<u64, u64> {
        let range = self.range();
        self.call(libc::SYS_munmap, &mut range.args([]))
    }

    pub(super) fn remap(&mut self) -> Result<u64, u64> {
        let (range, new_len) = (self.range(), self.range().len);
        let to = self.place();
        // Always to a place in the arena, or where it is: the kernel must not choose one.
        let flags = self.random.of(&[0, 3, 3, 7]);
        let new_len = if (REACH..1 << 47).contains(&new_len) {
            REACH
        } else {
            new_len
        };
        let mut args = range.args([new_len, flags]);
        args.push(Arg::Arena(to));
        self.call(libc::SYS_mremap, &mut args)
    }

    pub(super) fn protect(&mut self) -> Result<u64, u64> {
        let (range, prot) = (self.range(), self.protection());
        self.call(libc::SYS_mprotect, &mut range.args([prot]))
    }

    pub(super) fn advise(&mut self) -> Result<u64, u64> {
        let (mut range, advice) = (self.range(), self.random.below(26));
        // Unlike the others, madvise(2) goes on beyond what is not mapped: to this program's own stack and heap, which
        // some advice empties.
        if (REACH..u64::MAX).contains(&range.len) {
            range.len = REACH;
        }
        self.call(libc::SYS_madvise, &mut range.args([advice]))
    }

    pub(super) fn lock(&mut self) -> Result<u64, u64> {
        let range = self.range();
        let call = self
            .random
            .of(&[libc::SYS_mlock, libc::SYS_munlock, libc::SYS_msync]);
        let flags = self.random.below(8);
        self.call(call, &mut range.args([flags]))
    }

    /// A word of the helper's or the control part, through a pipe: memory that is gone gives EFAULT, not a signal.
    pub(super) fn word(&mut self, store: bool) -> Result<u64, u64> {
        let words = [
            word::SQ_HEAD,
            word::CQ_TAIL,
            word::HEARTBEAT,
            word::SQ_TAIL,
            word::CQ_HEAD,
            word::STATE,
            word::KICK_NEEDED,
            4096,
            4104,
        ];
        let at = self.place() + self.random.of(&words) + self.random.below(2) * 8;
        let mut value = self.random.of(EDGES).to_le_bytes();
        let [from, to] = self.arena.pipe()?;
        let result = if store {
            self.call(
                libc::SYS_write,
                &mut [Arg::Fd(to), Arg::Lent(&mut value), Arg::Number(8)],
            )
            .and_then(|_| {
                self.call(
                    libc::SYS_read,
                    &mut [Arg::Fd(from), Arg::Arena(at), Arg::Number(8)],
                )
            })
        } else {
            self.call(
                libc::SYS_write,
                &mut [Arg::Fd(to), Arg::Arena(at), Arg::Number(8)],
            )
        };
        self.arena.close([from, to]);
        result
    }

    /// As a debugger would: the pages are looked up, not accessed by their mapping.
    pub(super) fn peek(&mut self) -> Result<u64, u64> {
        let range = self.range();
        let len = range.len.min(1 << 16);
        let mut data = vec![0_u8; 1 << 16];
        let data = data
            .get_mut(..usize::try_from(len).unwrap_or(0))
            .ok_or(0_u64)?;
        let write = self.random.one_in(2);
        self.arena.peek(data, range.at, write)
    }

    pub(super) fn child(&mut self) -> Result<u64, u64> {
        let fd = u64::try_from(self.fd()).unwrap_or(u64::MAX);
        let (part, at, other) = (self.size(2), self.place(), self.place());
        let at_address = self.arena.at(at);
        let calls = [
            (libc::SYS_ioctl, [fd, 0x4b03, 0, 0, 0, 0]),
            (
                libc::SYS_mmap,
                [at_address, part, 3, SHARED | FIXED, fd, MAP_POOL],
            ),
            (libc::SYS_ioctl, [fd, 0x4b02, 0, 0, 0, 0]),
            (libc::SYS_munmap, [at_address + PAGE, PAGE, 0, 0, 0, 0]),
            (
                libc::SYS_ioctl,
                [fd, 0xc080_4b01, self.random.of(BAD), 0, 0, 0],
            ),
            (libc::SYS_close, [fd, 0, 0, 0, 0, 0]),
        ];
        let ended = self.arena.child(&calls, &[at, other, other + PAGE])?;
        if let Ended::Signal(signal) = ended {
            self.tally
                .count(Kind::ChildSignal, Err(u64::try_from(signal).unwrap_or(0)));
        }
        Ok(0)
    }
}
