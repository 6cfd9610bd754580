//! The steps that any file knows, made on the device: what it has no answer to must be refused by the kernel.

use super::raw::{self, Arg};
use super::steps::{EDGES, Stepper};

impl Stepper<'_> {
    pub(super) fn poll(&mut self) -> Result<u64, u64> {
        let mut poll = [0_u8; 8];
        poll[..4].copy_from_slice(&self.fd().to_le_bytes());
        poll[4] = 0x3f;
        let wait = Arg::Number(self.random.below(3));
        self.call(
            libc::SYS_poll,
            &mut [Arg::Lent(&mut poll), Arg::Number(1), wait],
        )
    }

    pub(super) fn transfer(&mut self, calls: &[i64]) -> Result<u64, u64> {
        let mut data = [0_u8; 4096];
        let (call, fd) = (self.random.of(calls), self.fd());
        let (len, at) = (self.random.below(4097), self.random.of(EDGES));
        self.call(
            call,
            &mut [
                Arg::Fd(fd),
                Arg::Lent(&mut data),
                Arg::Number(len),
                Arg::Number(at),
            ],
        )
    }

    pub(super) fn seek(&mut self) -> Result<u64, u64> {
        let (fd, to, whence) = (self.fd(), self.random.of(EDGES), self.random.below(7));
        self.call(
            libc::SYS_lseek,
            &mut [Arg::Fd(fd), Arg::Number(to), Arg::Number(whence)],
        )
    }

    /// Between the device and a pipe, either way, or from a mapping.
    pub(super) fn splice(&mut self) -> Result<u64, u64> {
        let [from, to] = self.arena.pipe()?;
        let fd = self.fd();
        let at = self.random.below(12) << 23;
        let none = || Arg::Number(0);
        let result = match self.random.below(4) {
            0 => self.call(
                libc::SYS_splice,
                &mut [
                    Arg::Fd(fd),
                    none(),
                    Arg::Fd(to),
                    none(),
                    Arg::Number(4096),
                    Arg::Number(2),
                ],
            ),
            1 => self.call(
                libc::SYS_splice,
                &mut [
                    Arg::Fd(from),
                    none(),
                    Arg::Fd(fd),
                    none(),
                    Arg::Number(4096),
                    Arg::Number(2),
                ],
            ),
            2 => self.call(
                libc::SYS_sendfile,
                &mut [Arg::Fd(to), Arg::Fd(fd), none(), Arg::Number(4096)],
            ),
            _ => self.arena.lend_pages(to, at, 8192),
        };
        self.arena.close([from, to]);
        result
    }

    pub(super) fn control(&mut self) -> Result<u64, u64> {
        // No F_SETOWN or F_SETSIG: a signal would end this program, not the device.
        let commands = [
            1, 2, 3, 4, 5, 9, 11, 1024, 1025, 1026, 1032, 1033, 1034, 1036,
        ];
        let (fd, command) = (self.fd(), self.random.of(&commands));
        let argument = self.random.of(&[0, 1, 2, 0x800, 0x4000, 0x40000]);
        self.call(
            libc::SYS_fcntl,
            &mut [Arg::Fd(fd), Arg::Number(command), Arg::Number(argument)],
        )
    }

    pub(super) fn file_other(&mut self) -> Result<u64, u64> {
        let mut stat = [0_u8; 256];
        let fd = Arg::Fd(self.fd());
        let (a, b) = (self.random.of(EDGES), self.random.of(EDGES));
        match self.random.below(6) {
            0 => self.call(libc::SYS_fstat, &mut [fd, Arg::Lent(&mut stat)]),
            1 => self.call(libc::SYS_fsync, &mut [fd]),
            2 => self.call(libc::SYS_ftruncate, &mut [fd, Arg::Number(a)]),
            3 => self.call(
                libc::SYS_fallocate,
                &mut [fd, Arg::Number(a & 3), Arg::Number(a), Arg::Number(b)],
            ),
            4 => self.call(libc::SYS_flock, &mut [fd, Arg::Number(a & 2 | 4)]),
            _ => self.call(
                libc::SYS_fadvise64,
                &mut [fd, Arg::Number(a), Arg::Number(b), Arg::Number(a % 7)],
            ),
        }
    }

    pub(super) fn send(&mut self) -> Result<u64, u64> {
        let fd = self.fd();
        let copy = raw::pass(fd)?;
        self.keep(copy);
        Ok(copy)
    }
}
