//! `/dev/kgpu`: opening it, and its ioctls.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kgpu_core::abi::{Attach, AttachFlags, Features, IOC_ATTACH, IOC_DETACH, IOC_START};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{NoArg, Updater, ioctl};

/// What failed with the device.
#[derive(Debug, thiserror::Error)]
#[error("{what} {} failed: {errno}", path.display())]
pub struct DeviceError {
    /// What was being done.
    pub what: Step,
    /// The device node.
    pub path: PathBuf,
    /// What the kernel said.
    pub errno: Errno,
}

/// Steps that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// open(2).
    Open,
    /// The ioctl that opens a session.
    Attach,
    /// The ioctl that starts it.
    Start,
    /// The ioctl that stops routing.
    Detach,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "opening",
            Self::Attach => "attaching to",
            Self::Start => "starting the session of",
            Self::Detach => "detaching from",
        })
    }
}

/// The open device. Closed when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Device {
    fd: Arc<OwnedFd>,
    path: PathBuf,
}

/// An ioctl without argument: `KICK`, `START` or `DETACH`.
pub(crate) fn command<const REQUEST: u32>(device: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the request takes no argument and touches no memory of this process, whatever the
    // file behind the descriptor is; a file that does not know it answers ENOTTY.
    unsafe { ioctl(device, NoArg::<REQUEST>::new()) }
}

impl Device {
    /// Opens the device node.
    ///
    /// # Errors
    /// What open(2) said.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        match rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(Self {
                fd: Arc::new(fd),
                path: path.to_owned(),
            }),
            Err(errno) => Err(DeviceError {
                what: Step::Open,
                path: path.to_owned(),
                errno,
            }),
        }
    }

    fn failed(&self, what: Step) -> impl FnOnce(Errno) -> DeviceError {
        move |errno| DeviceError {
            what,
            path: self.path.clone(),
            errno,
        }
    }

    /// Opens a session; the mappings exist from then on. With `takeover` beside the helper that is
    /// attached, which is replaced once this one has passed its known answers.
    ///
    /// # Errors
    /// What the module said.
    pub fn attach(
        &self,
        backend: &str,
        tile_bytes: u32,
        takeover: bool,
    ) -> Result<Attach, DeviceError> {
        let mut flags = AttachFlags::SLEEPS;
        flags.set(AttachFlags::TAKEOVER, takeover);
        let mut attach = Attach::request(Features::SERVICES, flags, tile_bytes, backend);
        // SAFETY: the request carries the size of `Attach` (the ABI's golden test pins both), and
        // the kernel reads and writes no more than that many bytes of this live value, of which
        // every bit pattern is valid.
        unsafe {
            ioctl(
                self.fd.as_fd(),
                Updater::<{ IOC_ATTACH.request }, Attach>::new(&mut attach),
            )
        }
        .map_err(self.failed(Step::Attach))?;
        Ok(attach)
    }

    /// Tells the module that the ring is being served.
    ///
    /// # Errors
    /// What the module said.
    pub fn start(&self) -> Result<(), DeviceError> {
        command::<{ IOC_START.request }>(self.fd.as_fd()).map_err(self.failed(Step::Start))
    }

    /// Stops routing to this helper; what is in the ring may still be completed.
    ///
    /// # Errors
    /// What the module said.
    pub fn detach(&self) -> Result<(), DeviceError> {
        command::<{ IOC_DETACH.request }>(self.fd.as_fd()).map_err(self.failed(Step::Detach))
    }

    /// The descriptor, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.fd)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
