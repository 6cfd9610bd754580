//! The device as its driver sees it: queues, what it is to be told, and the stage between two sessions. No locks and no
//! threads: `shared` has those.
//!
//! A driver's *life* is from one start of its queues to their next stop; what belongs to an earlier one (an answer, a
//! ring) is dropped.

use std::sync::Arc;

use kgpu_core::abi::guest::{Event, Setup};
use vhost::vhost_user::{Error, Result};
use vm_memory::GuestAddress;

use super::memory::Memory;
use super::queue::{Chain, SIZE_MAX, Vring, room};
use super::setup::{SetUp, SetUpError};
use crate::ending::Stop;
use crate::waker::Waker;

/// Where the answer to a set-up goes.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    /// The driver's life.
    pub life: u64,
    head: u16,
    room: GuestAddress,
}

/// A set-up for the main thread.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What is asked for.
    pub set_up: Arc<SetUp>,
    /// Where the answer goes.
    pub ticket: Ticket,
}

/// What becomes of a driver after its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It may have another one.
    Again,
    /// Nothing more, until it starts anew.
    Shut,
}

/// A session that is being made or served.
#[derive(Debug)]
pub struct Session {
    /// What it was asked for.
    pub asked: Asked,
    /// Whether its set-up was answered.
    pub answered: bool,
    /// Whether its module was, or may yet be, told of areas of sources.
    pub sources: bool,
    /// Whether its driver's life is over.
    pub leaving: bool,
    /// Its dispatcher, while one runs.
    pub running: Option<(Arc<Waker>, Arc<Stop>)>,
}

/// Where the device stands.
#[derive(Debug)]
pub enum Stage {
    /// No session; a set-up may come.
    Vacant,
    /// A set-up came.
    Asked(Asked),
    /// The main thread has a session.
    Busy(Session),
    /// No session, and none will be.
    Shut,
}

/// Events that the driver was not told of yet: no more than one of each makes sense.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pending {
    /// [`Event::Kick`].
    pub kick: bool,
    /// [`Event::Detach`].
    pub detach: bool,
    /// [`Event::Attach`].
    pub attach: bool,
}

impl Pending {
    /// The event's.
    pub fn flag(&mut self, event: Event) -> &mut bool {
        match event {
            Event::Kick => &mut self.kick,
            Event::Detach => &mut self.detach,
            Event::Attach => &mut self.attach,
        }
    }

    const fn next(self) -> Option<Event> {
        match self {
            Self { kick: true, .. } => Some(Event::Kick),
            Self { detach: true, .. } => Some(Event::Detach),
            Self { attach: true, .. } => Some(Event::Attach),
            _ => None,
        }
    }
}

/// The device.
#[derive(Debug)]
pub struct Device {
    /// By number.
    pub queues: [Vring; 2],
    /// The guest's, once told.
    pub memory: Option<Arc<Memory>>,
    /// What the driver was not told yet.
    pub pending: Pending,
    /// Where it stands.
    pub stage: Stage,
    /// The driver's lives so far.
    pub life: u64,
    /// Whether this life's driver was told that a session is wanted. What it sends before is of another time.
    pub invited: bool,
    /// Whether the guest's machine is.
    pub gone: bool,
}

impl Device {
    /// The device of a guest that has just come.
    ///
    /// # Errors
    /// Never, but for queue sizes that are none.
    pub fn new() -> Result<Self> {
        Ok(Self {
            queues: [Vring::new()?, Vring::new()?],
            memory: None,
            pending: Pending {
                attach: true,
                ..Pending::default()
            },
            stage: Stage::Vacant,
            life: 0,
            invited: false,
            gone: false,
        })
    }

    /// A queue by its number.
    pub fn queue(&mut self, index: u32) -> Result<&mut Vring> {
        let index = usize::try_from(index).map_err(|_| Error::InvalidParam)?;
        self.queues.get_mut(index).ok_or(Error::InvalidParam)
    }

    /// The guest's memory.
    pub const fn memory(&self) -> Option<&Arc<Memory>> {
        self.memory.as_ref()
    }

    /// Tells the driver what it was not told yet, as far as it has buffers.
    pub fn flush(&mut self) {
        // A driver may offer buffers without room for ever; not here.
        for _ in 0..SIZE_MAX {
            let Some(event) = self.pending.next() else {
                return;
            };
            if event == Event::Attach && !self.clear_set_ups() {
                return;
            }
            let (Some(memory), [_, events]) = (&self.memory, &mut self.queues) else {
                return;
            };
            let Some(chain) = events.pop(memory) else {
                return;
            };
            if events.give(memory, chain.head_index(), room(&chain), event.code()) {
                *self.pending.flag(event) = false;
                self.invited |= event == Event::Attach;
            }
        }
    }

    /// Before a driver's first invitation: answers the set-ups that lie there, which a helper before this one left.
    /// Whether it could.
    fn clear_set_ups(&mut self) -> bool {
        if self.invited {
            return true;
        }
        let (Some(memory), [setup, _]) = (&self.memory, &mut self.queues) else {
            return false;
        };
        for _ in 0..SIZE_MAX {
            let Some(chain) = setup.pop(memory) else {
                break;
            };
            let failed = Setup::Failed.code();
            setup.give(memory, chain.head_index(), room(&chain), failed);
        }
        setup.works()
    }

    /// Answers a set-up, if its driver's life goes on.
    pub fn answer(&mut self, ticket: Ticket, answer: Setup) {
        let (Some(memory), [setup, _]) = (&self.memory, &mut self.queues) else {
            return;
        };
        if ticket.life == self.life {
            setup.give(memory, ticket.head, Some(ticket.room), answer.code());
        }
    }

    /// Looks at a buffer of the set-up queue.
    pub fn asked(&mut self, chain: Chain) {
        let (Some(memory), [setup, _]) = (&self.memory, &mut self.queues) else {
            return;
        };
        let head = chain.head_index();
        let Some(room) = room(&chain) else {
            tracing::warn!("a set-up has no room for its answer");
            setup.give(memory, head, None, 0);
            return;
        };
        let ticket = Ticket {
            life: self.life,
            head,
            room,
        };
        if !self.invited {
            tracing::warn!("a set-up came before it was asked for");
            self.answer(ticket, Setup::Failed);
            return;
        }
        if !matches!(self.stage, Stage::Vacant) {
            tracing::warn!("refused a set-up: there is a session, or there may be none");
            self.answer(ticket, Setup::Refused);
            return;
        }
        let mapped = Arc::clone(memory.mapped());
        let read = chain
            .reader(&*mapped)
            .map_err(|_| SetUpError::Buffer)
            .and_then(|mut from| SetUp::read(&mut from, memory));
        match read {
            Ok(set_up) => {
                let set_up = Arc::new(set_up);
                self.stage = Stage::Asked(Asked { set_up, ticket });
            }
            Err(error) => {
                tracing::warn!("refused a set-up: {error}");
                self.answer(ticket, Setup::Refused);
            }
        }
    }

    /// Ends the driver's life: what it asked for is void, and a session has to go.
    pub fn end_life(&mut self) {
        self.life += 1;
        self.invited = false;
        self.pending = Pending {
            attach: true,
            ..Pending::default()
        };
        if let Stage::Busy(session) = &mut self.stage {
            // It is told when the main thread has let go.
            self.pending.attach = false;
            session.leaving = true;
            if let Some((_, stop)) = &session.running {
                stop.leave();
            }
        } else {
            self.stage = Stage::Vacant;
        }
    }
}
