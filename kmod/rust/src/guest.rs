//! The helper's side of the module in a guest: a virtio device whose helper runs on the host.
//!
//! What it says is in [`kgpu_core::abi::guest`], and none of it is believed: the handshake is
//! checked as a process's is, answers and events have their length and their codes, and those out
//! of order have no effect. [`Guest::event`] and [`Guest::answer`] run in the device's interrupt and leave all that
//! sleeps to [`Guest::work`], which never runs twice at a time.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kgpu_core::abi::guest::{Event, PageRun, RUNS_MAX, Setup};
use kgpu_core::abi::{Attach, MAGIC, PAGE};
use zerocopy::{FromZeros, IntoBytes};

use crate::attach::{Holder, Refusal};
use crate::errno::Errno;
use crate::ffi::{self, Guarded, GuestDevice, Level, Pages, lock, log};
use crate::kept::Reserved;
use crate::session::{Peer, Session};

/// Bytes of events and of answers.
const CODE_BYTES: u32 = 8;
/// No answer is waiting to be looked at.
const NO_ANSWER: u64 = 0;
/// An answer came that is none.
const BAD_ANSWER: u64 = u64::MAX;
/// How soon to try again what may be possible later.
const AGAIN_MS: u32 = 1000;
/// How long a device may take to answer a set-up: its helper maps the region and has a GPU's driver pin it.
pub const ANSWER_NS: u64 = 10_000_000_000;

/// A guest device.
#[derive(Debug)]
pub struct Guest {
    device: GuestDevice,
    holder: Holder,
    /// The device said that it wants a session.
    wanted: AtomicBool,
    /// The answer to the set-up that the device has.
    answer: AtomicU64,
    /// Why it waits has been told.
    told: AtomicBool,
    /// What only `work` and those who run after it reach.
    books: Guarded<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// The set-up that the device has and has not answered.
    setup: Option<Pages>,
    /// Until when its session waits for the answer, in nanoseconds.
    answer_by: u64,
    /// For the region of the session.
    place: Option<Reserved>,
}

/// Makes the core's part of a device. The result is a row of one, because a row can be allocated fallibly.
///
/// # Errors
/// `ENOMEM`.
pub fn new(device: GuestDevice) -> Result<Box<[Guest; 1]>, Errno> {
    let mut row = Vec::new();
    row.try_reserve_exact(1).map_err(|_| Errno::NOMEM)?;
    row.push(Guest {
        device,
        holder: Holder::new(),
        wanted: AtomicBool::new(false),
        answer: AtomicU64::new(NO_ANSWER),
        told: AtomicBool::new(false),
        books: Guarded::new(Books::default()),
    });
    row.into_boxed_slice().try_into().map_err(|_| Errno::NOMEM)
}

impl Guest {
    fn peer(&self) -> Peer {
        Peer::Guest(self.device.clone())
    }

    fn tell(&self, why: core::fmt::Arguments<'_>) {
        log(Level::Warning, format_args!("{}: {why}", self.peer()));
    }

    /// The device told something, in `bytes` bytes. Callable in any context.
    pub fn event(&self, code: u64, bytes: u32) {
        match Event::try_from(code) {
            Ok(event) if bytes == CODE_BYTES => match event {
                Event::Kick => ffi::wake_engine(),
                Event::Detach => {
                    if let Some(session) = self.holder.session() {
                        session.detached.store(true, Ordering::Release);
                        ffi::wake_engine();
                    }
                }
                Event::Attach => {
                    self.told.store(false, Ordering::Release);
                    self.wanted.store(true, Ordering::Release);
                    self.device.wake();
                }
            },
            Ok(_) => self.tell(format_args!("an event of {bytes} bytes, not 8: ignored")),
            Err(error) => self.tell(format_args!("{error}: ignored")),
        }
    }

    /// The device answered a set-up, in `bytes` bytes. Callable in any context.
    pub fn answer(&self, code: u64, bytes: u32) {
        let answer = match (code, bytes) {
            (NO_ANSWER, _) => BAD_ANSWER,
            (code, CODE_BYTES) => code,
            (_, _) => BAD_ANSWER,
        };
        self.answer.store(answer, Ordering::Release);
        self.device.wake();
    }

    /// Does what sleeps: lets go of a session that is over, makes one that is wanted. The result is
    /// after how many milliseconds to come again, if at all without being woken.
    pub fn work(&self) -> Option<u32> {
        match self.answer.swap(NO_ANSWER, Ordering::AcqRel) {
            NO_ANSWER => {}
            answer => self.answered(answer),
        }
        if let Some(session) = self.holder.session() {
            if session.gone.load(Ordering::Acquire) {
                drop(session);
                self.leave();
            } else {
                let due = self.answer_due();
                let late = due == Some(0);
                if late {
                    self.tell(format_args!(
                        "no answer to a set-up for {} s: its session ends",
                        ANSWER_NS / 1_000_000_000
                    ));
                }
                if late || self.wanted.load(Ordering::Acquire) {
                    self.holder.close();
                }
                // The engine wakes the device when it has let go.
                return due.filter(|ns| *ns > 0).map(|_| AGAIN_MS);
            }
        }
        let unanswered = self.books.get(&mut lock()).setup.is_some();
        if unanswered || self.device.is_broken() {
            return None;
        }
        if !self.wanted.swap(false, Ordering::AcqRel) {
            return None;
        }
        match self.attach() {
            Ok(()) => Some(AGAIN_MS),
            Err(refusal) => self.refused(refusal),
        }
    }

    /// Nanoseconds that its session still waits for an answer; `None` when there is none to come.
    fn answer_due(&self) -> Option<u64> {
        let mut guard = lock();
        let books = self.books.get(&mut guard);
        books.setup.as_ref()?;
        Some(books.answer_by.saturating_sub(ffi::now()))
    }

    fn refused(&self, refusal: Refusal) -> Option<u32> {
        let again = match refusal {
            Refusal::Busy(_) | Refusal::Failed(Errno::NOMEM) => Some(AGAIN_MS),
            Refusal::Handshake(_) | Refusal::Failed(_) => None,
        };
        if !self.told.swap(again.is_some(), Ordering::AcqRel) {
            match refusal {
                Refusal::Busy(why) => self.tell(format_args!("waits: {why}")),
                refusal => self.tell(format_args!("cannot attach: {refusal}")),
            }
        }
        if again.is_some() {
            self.wanted.store(true, Ordering::Release);
        }
        again
    }

    fn answered(&self, answer: u64) {
        // Looked at once by the device, and answered.
        let setup = self.books.get(&mut lock()).setup.take();
        if setup.is_none() {
            self.tell(format_args!("an answer to nothing: ignored"));
            return;
        }
        drop(setup);
        let Some(session) = self.holder.session() else {
            return;
        };
        match Setup::try_from(answer) {
            Ok(Setup::Serving) => {
                session.mapped.store(Session::ALL_MAPPED, Ordering::Release);
                session.started.store(true, Ordering::Release);
                ffi::wake_engine();
                return;
            }
            Ok(Setup::Refused) => self.tell(format_args!(
                "refuses the region: its helper's log says why"
            )),
            Ok(Setup::Failed) => {
                self.tell(format_args!("could not set up: its helper's log says why"))
            }
            Err(error) => self.tell(format_args!("{error}")),
        }
        self.holder.close();
    }

    /// A session for the device, and the set-up that tells it.
    fn attach(&self) -> Result<(), Refusal> {
        let place = Reserved::new().ok_or(Refusal::Busy(
            "the regions of former sessions are kept for some seconds",
        ))?;
        let mut handshake = Attach::new_zeroed();
        // The first word alone at first: of another device's there may be no more.
        let (magic, _) = handshake
            .as_mut_bytes()
            .split_at_mut_checked(size_of_val(&MAGIC))
            .ok_or(Refusal::Failed(Errno::INVAL))?;
        self.device.read(magic);
        if handshake.magic == MAGIC {
            self.device.read(handshake.as_mut_bytes());
        }
        let mut setup = None;
        self.holder
            .attach(&mut handshake, &self.peer(), |answer, session| {
                setup = Some(describe(answer, session)?);
                Ok(())
            })?;
        let (pages, bytes) = setup.ok_or(Refusal::Failed(Errno::INVAL))?;
        let sent = self.device.set_up(&pages, bytes);
        {
            let mut guard = lock();
            let books = self.books.get(&mut guard);
            books.place = Some(place);
            if sent.is_ok() {
                books.setup = Some(pages);
                books.answer_by = ffi::now().saturating_add(ANSWER_NS);
            }
        }
        if let Err(errno) = sent {
            self.holder.close();
            self.tell(format_args!(
                "a set-up of {bytes} bytes does not fit its queue"
            ));
            return Err(Refusal::Failed(errno));
        }
        Ok(())
    }

    /// Lets go of the session, which the engine has let go of: its region is kept for a while.
    fn leave(&self) {
        let place = self.books.get(&mut lock()).place.take();
        match (place, self.holder.leave()) {
            (Some(place), Some(session)) => place.keep(session),
            (_, session) => drop(session),
        }
    }

    /// The device is new, or new again: whatever it told before is forgotten.
    pub fn start(&self) {
        self.wanted.store(false, Ordering::Release);
        self.answer.store(NO_ANSWER, Ordering::Release);
    }

    /// The device is going, and its work does not run any more: closes its session.
    pub fn stop(&self) {
        self.holder.close();
    }

    /// The engine has let go of the session, or there was none.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.holder.is_closed()
    }

    /// The device has been reset, after [`Guest::stop`] and with [`Guest::is_closed`]: nothing of
    /// ours is with it any more. May sleep.
    pub fn stopped(&self) {
        self.leave();
        let setup = self.books.get(&mut lock()).setup.take();
        drop(setup);
    }
}

/// The set-up of a session: the handshake, then the runs of its parts. The result is its pages and how many bytes of
/// them it is.
fn describe(answer: &Attach, session: &Session) -> Result<(Pages, u64), Errno> {
    let parts = [&session.control, &session.helper, &session.pool];
    let mut count = 0;
    for part in parts {
        part.runs(|_| count += 1);
    }
    if count > RUNS_MAX {
        log(
            Level::Warning,
            format_args!(
                "the region is {count} pieces of memory, a guest device takes {RUNS_MAX}: a smaller pool_mib"
            ),
        );
        return Err(Errno::INVAL);
    }
    let bytes = size_of::<Attach>() + count * size_of::<PageRun>();
    let bytes = u64::try_from(bytes).map_err(|_| Errno::INVAL)?;
    let pages = Pages::new(bytes.div_ceil(PAGE) * PAGE).ok_or(Errno::NOMEM)?;
    pages.write(0, answer.as_bytes());
    let mut at = 128;
    for part in parts {
        part.runs(|run| {
            pages.write(at, run.as_bytes());
            at += 16;
        });
    }
    Ok((pages, bytes))
}
