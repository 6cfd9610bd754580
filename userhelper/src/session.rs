//! One session from start to end, on threads of its own: the same for the module of this machine and for one in a
//! guest. What differs between them is a [`Peer`]; who may attach, and when anew, is decided elsewhere.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use kgpu_core::abi::SessionState;
use rustix::io::Errno;

use crate::catalogue::Catalogue;
use crate::ending::{Ended, Stop};
use crate::engine::{self, Choice, EngineError, Serving, Tuning};
use crate::error::UserError;
use crate::heartbeat::Heartbeat;
use crate::link::Link;
use crate::privileges;
use crate::region::Region;
use crate::signals::Signals;
use crate::tally::Tally;
use crate::waker::Waker;

/// How often the main thread looks at the state word until it is live.
const GLANCE: Duration = Duration::from_millis(10);
/// How often it looks afterwards whether the session is over.
const LOOK: Duration = Duration::from_millis(100);

/// Whom a session is served to, as far as it has a part in that.
pub trait Peer {
    /// The dispatcher's end of it.
    type Link: Link + 'static;

    /// The session's region.
    fn region(&self) -> &Arc<Region>;

    /// The dispatcher's end, for a dispatcher that sleeps on `waker` and that `stop` stops.
    fn link(&self, waker: &Arc<Waker>, stop: &Arc<Stop>) -> Self::Link;

    /// Tells it that the ring is being served.
    ///
    /// # Errors
    /// What it said.
    fn start(&self) -> Result<(), UserError>;

    /// Asks it to route nothing more here.
    fn detach(&self);

    /// How long it may keep a helper that was told to stop from ending; `None` if it is trusted with that.
    fn patience(&self) -> Option<Duration>;

    /// What it wakes when it has let go of the session, and whether it has.
    fn news(&self) -> Option<(&Waker, bool)>;
}

/// What serves.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// Workers and polling.
    pub tuning: Tuning,
    /// What computes.
    pub choice: &'a Choice,
    /// What ends it.
    pub signals: &'a Signals,
}

/// How a session ended.
#[derive(Clone, Copy, Debug)]
pub struct Over {
    /// As the dispatcher tells.
    pub ended: Ended,
    /// Whether a signal asked for it.
    pub asked: bool,
}

/// Serves one session on threads of its own.
///
/// # Errors
/// [`UserError`]: a thread could not be started, or the session broke.
pub fn serve<P: Peer>(how: How<'_>, peer: &P) -> Result<Over, UserError> {
    let waker = Waker::new()
        .map(Arc::new)
        .map_err(|errno| thread(errno.into()))?;
    let stop = Arc::new(Stop::new(Arc::clone(&waker)));
    let (serving, served) = mpsc::channel();
    let dispatcher = {
        let region = Arc::clone(peer.region());
        let link = peer.link(&waker, &stop);
        let (stop, tuning) = (Arc::clone(&stop), how.tuning);
        let choice = how.choice.clone();
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
                    choice,
                };
                engine::run(serve, || {
                    let _ = serving.send(());
                })
            })
            .map_err(thread)?
    };
    let watched = if served.recv().is_ok() {
        watch(how, peer, &stop, &|| dispatcher.is_finished())
    } else {
        // It ended before it served; its own error says why.
        Ok(false)
    };
    match (&watched, peer.patience()) {
        (Ok(_), _) => {}
        (Err(_), None) => stop.abandon(),
        (Err(_), Some(_)) => stop.leave(),
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
    Ok(Over { ended, asked })
}

fn thread(error: std::io::Error) -> UserError {
    UserError::failure(
        format!("starting a thread failed: {error}"),
        "raise the limits of memory and processes (`ulimit -v`, `ulimit -u`)",
    )
}

/// A wait for signals that failed, for the user.
#[must_use]
pub fn waiting(errno: Errno) -> UserError {
    UserError::failure(
        format!("waiting for signals failed: {errno}"),
        "start `kgpu serve` again",
    )
}

fn log(ended: Ended, tally: &Tally) {
    tracing::info!(
        ?ended,
        requests = tally.requests,
        bytes = tally.bytes,
        by_cpu = tally.by_cpu,
        faults = tally.faults,
        kicks = tally.kicks,
        overslept = tally.overslept,
        "session over"
    );
}

/// Starts the session and watches it until its dispatcher is done. Whether a signal ended it.
fn watch<P: Peer>(
    how: How<'_>,
    peer: &P,
    stop: &Stop,
    finished: &dyn Fn() -> bool,
) -> Result<bool, UserError> {
    let state = || peer.region().state().ok();
    if let Err(error) = peer.start() {
        // The state word tells more than an errno where the module has set it.
        if state().is_none_or(SessionState::is_open) {
            return Err(error);
        }
    }
    let (mut live, mut asked, mut since) = (false, 0, None);
    while !finished() {
        if !live && state() == Some(SessionState::Live) {
            live = true;
            println!(
                "READY backend={} workers={} session={}",
                how.choice.name(),
                how.tuning.workers,
                peer.region().session()
            );
        }
        let gone = || peer.news().is_some_and(|(_, gone)| gone);
        let came = match peer.news() {
            Some((news, false)) => {
                let pause = if live { LOOK } else { GLANCE };
                how.signals.wait_or(news, &gone, pause)
            }
            // Its end is near.
            Some((_, true)) => how.signals.wait(GLANCE),
            None => how.signals.wait(if live { LOOK } else { GLANCE }),
        };
        let came = came.map_err(waiting)?;
        if came > 0 {
            if asked == 0 {
                tracing::info!("detaching; a second signal abandons what is in the ring");
                peer.detach();
                stop.drain();
                since = Some(Instant::now());
            }
            asked += came;
            if asked > 1 {
                stop.abandon();
            }
        }
        if let (Some(since), Some(patience)) = (since, peer.patience()) {
            if since.elapsed() >= patience * 2 {
                stop.leave();
            } else if since.elapsed() >= patience {
                stop.abandon();
            }
        }
    }
    Ok(asked > 0)
}
