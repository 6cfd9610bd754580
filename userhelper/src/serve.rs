//! `kgpu serve`: attaches to the module and serves its ring until told to end.
//!
//! The main thread attaches, starts the session, tells the user when it is live, and waits for
//! signals; it alone may attach anew. The dispatcher, its workers and the heartbeat are threads
//! without any right.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use kgpu_core::abi::{Attach, SessionState};
use rustix::io::Errno;

use crate::backend::choice::BackendArgs;
use crate::catalogue::Catalogue;
use crate::device::Device;
use crate::ending::{Ended, Stop};
use crate::engine::{self, Choice, EngineError, Serving, Tuning};
use crate::error::{UserError, exit};
use crate::heartbeat::Heartbeat;
use crate::link::DeviceLink;
use crate::region::Region;
use crate::signals::Signals;
use crate::tally::Tally;
use crate::waker::Waker;
use crate::{panics, privileges};

/// How often the main thread looks at the state word until it is live.
const GLANCE: Duration = Duration::from_millis(10);
/// How often it looks afterwards whether the session is over.
const LOOK: Duration = Duration::from_millis(100);
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
    let signals = Signals::install().map_err(|error| {
        UserError::failure(
            format!("taking over signals failed: {error}"),
            "raise the limit of open files (`ulimit -n`)",
        )
    })?;
    // With every right: the driver may have to load its module and make its device nodes. What lives on of it
    // has none.
    let choice = options.backend.choose(privileges::drop_all)?;
    let mut session = attach(options, &choice, options.takeover)?;
    if let Err(errno) = privileges::drop_all_but_kept() {
        return Err(UserError::failure(
            format!("dropping rights failed: {errno}"),
            "look whether a security module forbids capset(2) or prctl(2) to this program",
        ));
    }
    loop {
        match one_session(options, &choice, &signals, &session)? {
            Ended::Stopped => return Ok(()),
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

fn waiting(errno: Errno) -> UserError {
    UserError::failure(
        format!("waiting for signals failed: {errno}"),
        "start `kgpu serve` again",
    )
}

/// Serves one session on threads of its own.
fn one_session(
    options: &Options,
    choice: &Choice,
    signals: &Signals,
    session: &Session,
) -> Result<Ended, UserError> {
    let thread = |error: std::io::Error| {
        UserError::failure(
            format!("starting a thread failed: {error}"),
            "raise the limits of memory and processes (`ulimit -v`, `ulimit -u`)",
        )
    };
    let waker = Waker::new()
        .map(Arc::new)
        .map_err(|errno| thread(errno.into()))?;
    let stop = Arc::new(Stop::new(Arc::clone(&waker)));
    let (serving, served) = mpsc::channel();
    let dispatcher = {
        let region = Arc::clone(&session.region);
        let link = DeviceLink::new(session.device.shared());
        let (stop, tuning) = (Arc::clone(&stop), options.tuning);
        let chosen = choice.clone();
        std::thread::Builder::new()
            .name("kgpu-dispatch".into())
            .spawn(move || {
                privileges::drop_all().map_err(|errno| EngineError::Thread(errno.into()))?;
                let _heartbeat = Heartbeat::start(Arc::clone(&region))?;
                let serve = Serving {
                    region,
                    catalogue: Catalogue::registry(),
                    link,
                    waker,
                    stop,
                    tuning,
                    choice: chosen,
                };
                engine::run(serve, || {
                    let _ = serving.send(());
                })
            })
            .map_err(thread)?
    };
    let watched = if served.recv().is_ok() {
        watch(options, choice, signals, session, &stop, &|| {
            dispatcher.is_finished()
        })
    } else {
        // It ended before it served; its own error says why.
        Ok(false)
    };
    if watched.is_err() {
        stop.abandon();
    }
    let ended = dispatcher.join().map_err(|_| {
        UserError::failure(
            "the dispatcher panicked",
            "report the message above; start `kgpu serve` again",
        )
    })?;
    let asked = watched?;
    let (ended, tally) = ended.map_err(|error| {
        UserError::failure(
            format!("the session broke: {error}"),
            "look at `dmesg`, then start `kgpu serve` again",
        )
    })?;
    log(ended, &tally);
    // A session that the module retired because we detached was ended by us.
    Ok(if asked && ended == Ended::Retired {
        Ended::Stopped
    } else {
        ended
    })
}

fn log(ended: Ended, tally: &Tally) {
    tracing::info!(
        ?ended,
        requests = tally.requests,
        bytes = tally.bytes,
        faults = tally.faults,
        kicks = tally.kicks,
        "session over"
    );
}

/// Starts the session and watches it until its dispatcher is done. Whether a signal ended it.
fn watch(
    options: &Options,
    choice: &Choice,
    signals: &Signals,
    session: &Session,
    stop: &Stop,
    finished: &dyn Fn() -> bool,
) -> Result<bool, UserError> {
    let state = || session.region.state().ok();
    if let Err(error) = session.device.start() {
        // The state word tells more than an errno where the module has set it.
        if state().is_none_or(SessionState::is_open) {
            return Err(error.into());
        }
    }
    let (mut live, mut asked) = (false, 0);
    while !finished() {
        if !live && state() == Some(SessionState::Live) {
            live = true;
            println!(
                "READY backend={} workers={} session={}",
                choice.name(),
                options.tuning.workers,
                session.region.session()
            );
        }
        let came = signals
            .wait(if live { LOOK } else { GLANCE })
            .map_err(waiting)?;
        if came == 0 {
            continue;
        }
        if asked == 0 {
            tracing::info!("detaching; a second signal abandons what is in the ring");
            if let Err(error) = session.device.detach() {
                tracing::debug!("{error}");
            }
            stop.drain();
        }
        asked += came;
        if asked > 1 {
            stop.abandon();
        }
    }
    Ok(asked > 0)
}
