//! `kgpu serve`: attaches to the module and serves its ring until told to end.
//!
//! The main thread attaches, starts the session, tells the user when it is live, and waits for
//! signals; it alone may attach anew. The dispatcher, its workers and the heartbeat are threads
//! without any right ([`crate::session`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kgpu_core::abi::Attach;

use crate::backend::choice::BackendArgs;
use crate::device::Device;
use crate::ending::{Ended, Stop};
use crate::engine::{Choice, Tuning};
use crate::error::{UserError, exit};
use crate::link::DeviceLink;
use crate::region::Region;
use crate::session::{self, How, Over, Peer, waiting};
use crate::signals::Signals;
use crate::waker::Waker;
use crate::{panics, privileges};

/// How long a helper tries to attach anew while its last session is taken down.
const REATTACH: Duration = Duration::from_secs(30);

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The device node.
    pub device: PathBuf,
    /// Workers and polling.
    pub tuning: Tuning,
    /// Most KiB of a tile, where the user says.
    pub tile_kib: Option<u32>,
    /// What computes, as the user wants it.
    pub backend: BackendArgs,
    /// Replace the helper that is attached, if there is one.
    pub takeover: bool,
}

/// Serves until a signal or an error ends it.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn serve(options: &Options) -> Result<(), UserError> {
    if !options.device.exists() {
        return Err(no_device(options));
    }
    panics::log_places_only();
    privileges::take();
    let signals = Signals::install_or_say()?;
    // With every right: the driver may have to load its module and make its device nodes. What lives on of it
    // has none.
    let choice = options.backend.choose(privileges::drop_all)?;
    let mut session = attach(options, &choice, options.takeover)?;
    privileges::drop_all_but_kept().map_err(privileges::not_dropped)?;
    let how = How {
        tuning: options.tuning,
        choice: &choice,
        signals: &signals,
    };
    loop {
        let Over { ended, asked } = session::serve(how, &session)?;
        match ended {
            Ended::Stopped => return Ok(()),
            // A session that the module retired because we detached was ended by us.
            Ended::Retired if asked => return Ok(()),
            Ended::Quarantined => {
                return Err(UserError {
                    what: "the module quarantined this helper: its known answers were wrong or \
                           late, or it broke the protocol"
                        .into(),
                    next: "look at `dmesg` for the module's reason; until a helper passes, \
                           requests are computed by the kernel's own ciphers"
                        .into(),
                    code: exit::QUARANTINED,
                });
            }
            Ended::Replaced => {
                tracing::info!("another helper took over; what this one had is finished");
                return Ok(());
            }
            Ended::Retired => tracing::info!("the module retired this session; attaching anew"),
        }
        // Unmapped and closed: only then does the module free the old pool and let anyone in.
        drop(session);
        let Some(next) = attach_anew(options, &choice, &signals)? else {
            return Ok(());
        };
        session = next;
    }
}

fn no_device(options: &Options) -> UserError {
    UserError {
        what: format!("there is no {}", options.device.display()),
        next: crate::error::LOAD.into(),
        code: exit::NO_MODULE,
    }
}

/// An attached device with its region.
#[derive(Debug)]
struct Session {
    device: Device,
    region: Arc<Region>,
}

impl Peer for Session {
    type Link = DeviceLink;

    fn region(&self) -> &Arc<Region> {
        &self.region
    }

    fn link(&self, _: &Arc<Waker>, _: &Arc<Stop>) -> DeviceLink {
        DeviceLink::new(self.device.shared())
    }

    fn start(&self) -> Result<(), UserError> {
        Ok(self.device.start()?)
    }

    fn detach(&self) {
        if let Err(error) = self.device.detach() {
            tracing::debug!("{error}");
        }
    }

    fn patience(&self) -> Option<Duration> {
        None
    }

    fn news(&self) -> Option<(&Waker, bool)> {
        None
    }
}

fn attach(options: &Options, choice: &Choice, takeover: bool) -> Result<Session, UserError> {
    let device = Device::open(&options.device)?;
    let attach: Attach =
        device.attach(choice.name(), choice.tile_bytes(options.tile_kib), takeover)?;
    let region = Region::of_device(
        std::os::fd::AsFd::as_fd(&device),
        &attach,
        options.tuning.workers,
    )?;
    let sizes = region.layout().sizes;
    tracing::info!(
        session = attach.session,
        entries = sizes.entries,
        tiles = sizes.tiles,
        key_slots = sizes.keys,
        pool_mib = sizes.pool_bytes >> 20,
        "attached"
    );
    Ok(Session {
        device,
        region: Arc::new(region),
    })
}

/// Attaches again after a session was retired, never over another helper that came meanwhile; `None` when a signal came meanwhile.
fn attach_anew(
    options: &Options,
    choice: &Choice,
    signals: &Signals,
) -> Result<Option<Session>, UserError> {
    let since = Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        if signals.wait(pause).map_err(waiting)? > 0 {
            return Ok(None);
        }
        let attached =
            privileges::with_kept(|| attach(options, choice, false)).map_err(|errno| {
                UserError::failure(
                    format!("switching CAP_SYS_ADMIN on to attach anew failed: {errno}"),
                    "start `kgpu serve` again as root",
                )
            })?;
        match attached {
            Err(error) if error.code == exit::BUSY && since.elapsed() < REATTACH => {
                tracing::debug!("the old session is still being taken down");
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            attached => return attached.map(Some),
        }
    }
}
