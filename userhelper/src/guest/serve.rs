//! The main thread of a guest's helper: takes guests one after the other, makes their sessions and ends them.

use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kgpu_core::abi::guest::{Event, Setup};
use kgpu_core::abi::{Attach, AttachFlags, Features};

use super::connection::Connection;
use super::device::{After, Asked};
use super::filter::{self, Seccomp};
use super::link::GuestLink;
use super::memory::{mappings, most_mappings, source};
use super::setup::SetUp;
use super::shared::{News, Shared};
use super::socket;
use crate::backend::choice::BackendArgs;
use crate::ending::{Ended, Stop};
use crate::engine::{Choice, Tuning};
use crate::error::{UserError, exit};
use crate::region::{Region, RegionError, lost};
use crate::session::{self, How, Peer, waiting};
use crate::signals::Signals;
use crate::waker::Waker;
use crate::{panics, privileges};

/// How long the main thread waits at a time while nothing happens.
const LOOK: Duration = Duration::from_secs(1);
/// How long a guest may go on handing requests to a helper that was told to stop, before they are abandoned; after
/// twice that, it is left.
const PATIENCE: Duration = Duration::from_secs(5);

/// When a session that could not be had is asked for again: memory may be free then.
const AGAIN: Duration = Duration::from_secs(10);

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the guest's machine connects.
    pub socket: PathBuf,
    /// End with the first guest.
    pub once: bool,
    /// What is done about system calls that are not needed.
    pub seccomp: Seccomp,
    /// Workers and polling.
    pub tuning: Tuning,
    /// Most KiB of a tile, where the user says.
    pub tile_kib: Option<u32>,
    /// What computes, as the user wants it.
    pub backend: BackendArgs,
}

/// How the time with a guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// A signal came.
    Told,
    /// Its machine hung up.
    Gone,
}

/// What all guests of a helper have in common.
#[derive(Debug)]
struct Host<'a> {
    how: How<'a>,
    offer: Attach,
    most_mappings: usize,
    /// Whether a guest's module found this helper's answers wrong.
    quarantined: bool,
    /// When a session that could not be had is asked for again.
    again: Option<Instant>,
}

/// Serves guests until a signal ends it, or the first guest does.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn serve(options: &Options) -> Result<(), UserError> {
    panics::log_places_only();
    privileges::keep_secrets();
    let signals = Signals::install_or_say()?;
    let choice = options.backend.choose(privileges::drop_all)?;
    let listener = socket::listen(&options.socket)?;
    lost::end_on_lost_memory().map_err(|error| {
        UserError::failure(
            format!("taking over a signal failed: {error}"),
            "report this; start `kgpu serve` again",
        )
    })?;
    let most_mappings = most_mappings();
    privileges::drop_all_for_good().map_err(privileges::not_dropped)?;
    filter::apply(options.seccomp, matches!(choice, Choice::Device { .. }))?;
    println!("LISTENING socket={}", options.socket.display());
    let mut host = Host {
        how: How {
            tuning: options.tuning,
            choice: &choice,
            signals: &signals,
        },
        offer: Attach::request(
            Features::SERVICES | Features::GUEST_SOURCES,
            AttachFlags::SLEEPS,
            choice.tile_bytes(options.tile_kib),
            choice.name(),
        ),
        most_mappings,
        quarantined: false,
        again: None,
    };
    while let Some(stream) = accept(&listener, &signals)? {
        tracing::info!("a guest's machine connected");
        let left = host.guest(stream)?;
        if left == Left::Told {
            break;
        }
        tracing::info!("the guest's machine is gone");
        if options.once && host.quarantined {
            return Err(UserError {
                what: "the guest's module quarantined this helper: its known answers were wrong or late, or it broke \
                       the protocol"
                    .into(),
                next: "look at the guest's `dmesg` for the reason".into(),
                code: exit::QUARANTINED,
            });
        }
        if options.once {
            break;
        }
    }
    Ok(())
}

/// The next guest's machine; `None` when a signal came.
fn accept(listener: &UnixListener, signals: &Signals) -> Result<Option<UnixStream>, UserError> {
    loop {
        if signals
            .wait_beside(listener.as_fd(), LOOK)
            .map_err(waiting)?
            > 0
        {
            return Ok(None);
        }
        if !socket::someone(listener).map_err(waiting)? {
            continue;
        }
        match listener.accept() {
            Ok((stream, _)) => return Ok(Some(stream)),
            Err(error) => tracing::warn!("accepting a guest's machine failed: {error}"),
        }
    }
}

impl Host<'_> {
    /// Serves a guest until its machine hangs up or a signal comes.
    fn guest(&mut self, stream: UnixStream) -> Result<Left, UserError> {
        let failed = |error: std::io::Error| {
            UserError::failure(
                format!("serving a guest failed: {error}"),
                "raise the limits of open files and processes (`ulimit -n`, `ulimit -u`)",
            )
        };
        let shared = Arc::new(Shared::new().map_err(|errno| failed(errno.into()))?);
        let connection =
            Connection::start(stream, Arc::clone(&shared), &self.offer).map_err(failed)?;
        self.again = None;
        let left = self.sessions(&shared);
        connection.end();
        left
    }

    fn sessions(&mut self, shared: &Arc<Shared>) -> Result<Left, UserError> {
        loop {
            if self.again.is_some_and(|again| again <= Instant::now()) {
                self.again = None;
                shared.invite();
            }
            let asked = match shared.next() {
                News::Asked(asked) => asked,
                News::Gone => return Ok(Left::Gone),
                News::None => {
                    let look = || shared.has_news();
                    let came = self.how.signals.wait_or(shared.news(), &look, LOOK);
                    if came.map_err(waiting)? > 0 {
                        return Ok(Left::Told);
                    }
                    continue;
                }
            };
            if self.session(shared, &asked) {
                return Ok(Left::Told);
            }
        }
    }

    /// Makes a session and serves it. Whether a signal ended it.
    fn session(&mut self, shared: &Arc<Shared>, asked: &Asked) -> bool {
        let region = match self.map(&asked.set_up) {
            Ok(region) => Arc::new(region),
            Err((answer, why)) => {
                tracing::warn!("no session: {why}");
                shared.over(After::Again, answer);
                self.again = (answer == Setup::Failed).then(|| Instant::now() + AGAIN);
                return false;
            }
        };
        let sizes = region.layout().sizes;
        tracing::info!(
            session = asked.set_up.attach.session,
            entries = sizes.entries,
            tiles = sizes.tiles,
            key_slots = sizes.keys,
            pool_mib = sizes.pool_bytes >> 20,
            mappings = mappings(&asked.set_up.places),
            "a guest attached"
        );
        let peer = Guest {
            shared: Arc::clone(shared),
            region,
            life: asked.ticket.life,
        };
        let over = session::serve(self.how, &peer);
        let (mut after, mut told) = (After::Shut, false);
        match over {
            Ok(over) => {
                told = over.asked;
                match over.ended {
                    Ended::Stopped | Ended::Retired => after = After::Again,
                    Ended::Replaced => {}
                    Ended::Quarantined => {
                        self.quarantined = true;
                        tracing::error!(
                            "the guest's module quarantined this helper: its `dmesg` has the reason; it is served \
                             again when it starts anew"
                        );
                    }
                }
            }
            Err(error) => tracing::warn!("{error}"),
        }
        if Arc::into_inner(peer.region).is_none() {
            // Whoever has it may write to it: the guest must not be told that it has its memory for itself.
            tracing::error!("the session's memory is still in use; the helper ends");
            std::process::abort();
        }
        shared.over(after, Setup::Failed);
        told
    }

    /// Maps what a set-up names.
    fn map(&self, set_up: &SetUp) -> Result<Region, (Setup, String)> {
        let needed = mappings(&set_up.places);
        if needed > self.most_mappings {
            let why = format!(
                "the guest's memory is in {needed} pieces, {} can be mapped: raise vm.max_map_count, or give the \
                 guest's module larger pieces or a smaller pool",
                self.most_mappings
            );
            return Err((Setup::Failed, why));
        }
        let [control, helper, pool] = set_up.places.each_ref().map(|places| {
            let pieces = places.iter().map(|place| place.piece.clone());
            pieces.collect::<Vec<_>>()
        });
        let lanes = self.how.tuning.workers;
        let region = Region::of_pieces([&control, &helper, &pool], &set_up.attach, lanes);
        let mut region = region.map_err(|error| {
            let answer = match error {
                RegionError::Map { .. } => Setup::Failed,
                _ => Setup::Refused,
            };
            (answer, error.to_string())
        })?;
        let areas: Vec<_> = set_up.sources.iter().map(source).collect();
        let device = matches!(self.how.choice, Choice::Device { .. });
        if let Err(error) = region.map_sources(&areas, device) {
            tracing::warn!("the guest's module has to copy all sources into the pool: {error}");
        }
        Ok(region)
    }
}

/// A guest's module with a session.
#[derive(Debug)]
struct Guest {
    shared: Arc<Shared>,
    region: Arc<Region>,
    life: u64,
}

impl Peer for Guest {
    type Link = GuestLink;

    fn region(&self) -> &Arc<Region> {
        &self.region
    }

    fn link(&self, waker: &Arc<Waker>, stop: &Arc<Stop>) -> GuestLink {
        self.shared.running(waker, stop);
        GuestLink::new(
            Arc::clone(&self.shared),
            Arc::clone(&self.region),
            self.life,
        )
    }

    fn start(&self) -> Result<(), UserError> {
        self.shared.serves(!self.region.sources().is_empty());
        Ok(())
    }

    fn detach(&self) {
        self.shared.tell(self.life, Event::Detach);
    }

    fn patience(&self) -> Option<Duration> {
        Some(PATIENCE)
    }

    fn news(&self) -> Option<(&Waker, bool)> {
        Some((self.shared.news(), self.shared.leaving()))
    }
}
