//! An attached session: the device, its three mappings, and what can be asked of them. Who serves
//! it, and how, is for others.

use std::fmt;
use std::os::fd::OwnedFd;

use kgpu_core::abi::{
    Attach, AttachFlags, IOC_KICK, IOC_START, Layout, MAP_CONTROL, MAP_HELPER, MAP_POOL,
    SessionState, word,
};
use kgpu_core::cell::Words;
use kgpu_core::peer::{MockHelper, View};
use kgpu_core::ring::RingError;
use kgpu_guest::device::{Mapping, attach, handshake, ioctl, open};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

/// Why it could not even harm.
#[derive(Debug)]
pub enum Trouble {
    /// A system call failed.
    System(&'static str, Errno),
    /// Something else did.
    Other(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(what, errno) => write!(f, "{what}: {errno}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl From<RingError> for Trouble {
    fn from(error: RingError) -> Self {
        Self::Other(format!("the module's ring: {error}"))
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// Names the system call that failed.
pub fn system(what: &'static str) -> impl FnOnce(Errno) -> Trouble {
    move |errno| Trouble::System(what, errno)
}

/// An attached session.
#[derive(Debug)]
pub struct Region {
    pub device: OwnedFd,
    pub control: Mapping,
    pub helper: Mapping,
    pub pool: Mapping,
    pub layout: Layout,
    pub session: u32,
}

/// The handshake.
fn request(takeover: bool) -> Attach {
    let mut request = handshake();
    if takeover {
        request.flags |= AttachFlags::TAKEOVER.bits();
    }
    request
}

impl Region {
    /// Opens the device, attaches, maps and starts; with it the helper that will serve.
    pub fn attach(takeover: bool) -> Result<(Self, MockHelper), Trouble> {
        let device = open().map_err(system("open"))?;
        let mut answer = request(takeover);
        attach(&device, &mut answer).map_err(system("attach"))?;
        let map = |offset, bytes, prot| {
            Mapping::new(&device, offset, bytes, prot, MapFlags::SHARED).map_err(system("mmap"))
        };
        let write = ProtFlags::READ | ProtFlags::WRITE;
        let control = map(MAP_CONTROL, answer.control_bytes, ProtFlags::READ)?;
        let helper = map(MAP_HELPER, answer.helper_bytes, write)?;
        let pool = map(MAP_POOL, answer.pool_bytes, write)?;
        let layout = control
            .words()
            .load_entry(0)
            .and_then(|header| Layout::from_header(&header).ok())
            .ok_or_else(|| Trouble::Other("the header describes no region".to_owned()))?;
        ioctl(&device, IOC_START.request).map_err(system("start"))?;
        let peer = MockHelper::new(layout, answer.session, kgpu_algos::by_id);
        let region = Self {
            device,
            control,
            helper,
            pool,
            layout,
            session: answer.session,
        };
        Ok((region, peer))
    }

    /// The region as the peer wants it.
    pub fn view(&self) -> View<'_> {
        View {
            control: self.control.words(),
            helper: self.helper.words(),
            pool: &self.pool,
        }
    }

    /// Where the session stands.
    pub fn state(&self) -> SessionState {
        let code = self.control.words().load(word::STATE);
        SessionState::try_from(code).unwrap_or(SessionState::Quarantined)
    }

    /// Whether the session may still bring work.
    pub fn is_open(&self) -> bool {
        self.state().is_open()
    }

    /// Whether requests are routed here.
    pub fn is_live(&self) -> bool {
        self.state() == SessionState::Live
    }

    /// Wakes the module if it asked for that.
    pub fn kick_if_asked(&self) {
        Words::fence();
        if self.control.words().load(word::KICK_NEEDED) != 0 {
            self.kick();
        }
    }

    /// Wakes the module.
    pub fn kick(&self) {
        // Fails where the session is over: then there is nobody to wake.
        let _over = ioctl(&self.device, IOC_KICK.request);
    }
}
