//! A helper on the host of a guest: its device attaches, serves, goes, and how long its regions are
//! kept.

use kgpu_core::abi::guest::{Event, PageRun, Setup, SourceAreas, split};
use kgpu_core::abi::{Attach, AttachFlags, Features, Op, SessionState, word};
use zerocopy::{FromBytes, IntoBytes};

use super::{Helper, MS, World, bytes};
use crate::counters::Reason;
use crate::errno::Errno;
use crate::ffi::mock::{self, MockGuest, Request, Transform};
use crate::kept::{self, KEEP_NS};
use crate::session::{self, Session};

pub(super) fn handshake() -> Attach {
    Attach::request(Features::SERVICES, AttachFlags::empty(), 4096, "test")
}

pub(super) fn request(seed: u64) -> Request {
    let tfm = Transform::new("cbc(aes)", &[7; 16]);
    Request::cipher(&tfm, Op::Encrypt, &bytes(4992, seed), [9; 16])
}

/// A machine that is a guest. Fields are dropped in this order.
pub(super) struct Guest {
    pub(super) world: World,
    pub(super) device: MockGuest,
}

impl Guest {
    pub(super) fn new() -> Self {
        mock::scatter(3);
        Self {
            world: World::new(),
            device: MockGuest::new(handshake().as_bytes(), 3),
        }
    }

    /// With a helper that is live, and reads sources in these areas where they lie.
    pub(super) fn reading(areas: &[PageRun]) -> Self {
        let mut this = Self::new_reading();
        this.event(Event::Attach);
        this.name(areas);
        this.go_live();
        this
    }

    /// Without a helper yet; it will be one that reads sources where they lie.
    pub(super) fn new_reading() -> Self {
        mock::scatter(3);
        let handshake = Attach::request(Features::all(), AttachFlags::empty(), 4096, "test");
        Self {
            world: World::new(),
            device: MockGuest::new(handshake.as_bytes(), 3),
        }
    }

    /// The helper names the areas in which it reads sources.
    pub(super) fn name(&self, areas: &[PageRun]) {
        let session = session::current().unwrap();
        let areas = SourceAreas::of(areas.iter().copied());
        assert!(areas.store(session.helper.words()));
    }

    /// With a helper that is live.
    pub(super) fn live() -> Self {
        let mut this = Self::new();
        this.event(Event::Attach);
        this.go_live();
        this
    }

    /// Answers the set-up that is there; the helper passes its test.
    pub(super) fn go_live(&mut self) {
        self.start();
        for _ in 0..10_000 {
            self.world.turn();
            if self.world.state() == SessionState::Live {
                return;
            }
        }
        panic!("the helper is not live");
    }

    /// Answers the set-up that is there.
    pub(super) fn start(&mut self) {
        let setup = self.device.take_setup().unwrap();
        let answer = Attach::read_from_prefix(&setup).unwrap().0;
        assert_eq!(
            session::current().unwrap().generation,
            { answer }.session,
            "the set-up is the session's"
        );
        self.world.helper = Some(Helper::new(session::current().unwrap()));
        self.answer(Setup::Serving.code(), 8);
    }

    pub(super) fn event(&mut self, event: Event) {
        self.device.tell(event.code(), 8);
        self.work();
    }

    pub(super) fn answer(&mut self, code: u64, bytes: u32) {
        self.device.answer(code, bytes);
        self.work();
    }

    /// The driver's work and the engine, until neither has to do with the other.
    pub(super) fn work(&mut self) {
        for _ in 0..3 {
            self.device.work();
            self.world.engine.pass();
            mock::run_work();
        }
        self.device.work();
    }

    /// A session that its device was told of, and that is over.
    pub(super) fn spend(&mut self) {
        self.event(Event::Attach);
        assert!(self.device.take_setup().is_some());
        self.answer(Setup::Refused.code(), 8);
        assert!(session::current().is_none());
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.world.helper = None;
        self.device.stop();
        for _ in 0..3 {
            self.world.engine.pass();
        }
        mock::run_work();
        assert!(self.device.is_closed());
        self.device.stopped();
        mock::advance(KEEP_NS);
        self.world.engine.pass();
        assert_eq!(kept::count(), 0);
        if !std::thread::panicking() {
            assert_eq!(self.device.references(), 0, "sessions are kept");
        }
    }
}

/// The runs are where the pages are, in their order.
fn assert_told(setup: &[u8], session: &Session) {
    let (answer, rest) = Attach::read_from_prefix(setup).unwrap();
    assert_eq!(answer.session, session.generation);
    assert_eq!(answer.features_in_force, Features::SERVICES.bits());
    let runs: Vec<PageRun> = rest
        .chunks_exact(16)
        .map(|run| PageRun::read_from_bytes(run).unwrap())
        .collect();
    assert_eq!(rest.len(), runs.len() * 16);
    let parts = [answer.control_bytes, answer.helper_bytes, answer.pool_bytes];
    let cut = split(&runs, parts).unwrap();
    for (runs, part) in cut
        .into_iter()
        .zip([&session.control, &session.helper, &session.pool])
    {
        let mut want = Vec::new();
        part.runs(|run| want.push((run.address, run.bytes)));
        let found: Vec<_> = runs.iter().map(|run| (run.address, run.bytes)).collect();
        assert_eq!(found, want);
        assert_eq!(want.len() as u64, part.bytes().div_ceil(3 * 4096));
    }
}

#[test]
fn a_device_attaches_serves_and_is_told_where_all_lies() {
    let mut guest = Guest::new();
    assert!(guest.device.take_setup().is_none(), "nobody asked");
    guest.event(Event::Attach);
    let setup = guest.device.take_setup().unwrap();
    let session = session::current().unwrap();
    assert_told(&setup, &session);
    guest.world.helper = Some(Helper::new(session));
    guest.world.passes();
    assert_eq!(guest.world.state(), SessionState::Attached, "not answered");
    guest.answer(Setup::Serving.code(), 8);
    assert_eq!(guest.world.state(), SessionState::Testing);
    while guest.world.state() != SessionState::Live {
        guest.world.turn();
    }
    let wanted = request(1);
    wanted.submit();
    guest.world.settle();
    wanted.assert_right();
    assert_eq!(wanted.fallbacks(), 0);
    guest.world.assert_balanced();
    let mut text = String::new();
    crate::report::status(&mut text).unwrap();
    assert!(text.contains("\nhelper: guest device virtio3\n"), "{text}");
}

#[test]
fn the_doorbell_rings_for_those_who_sleep_and_for_every_state() {
    let mut guest = Guest::live();
    assert!(guest.device.take_notified() >= 2, "testing, live");
    let first = request(1);
    first.submit();
    guest.world.passes();
    assert_eq!(guest.device.take_notified(), 0, "it polls");
    let helper = guest.world.helper().session.clone();
    helper.helper.words().store(word::ASLEEP, 1);
    let second = request(2);
    second.submit();
    guest.world.passes();
    assert_eq!(guest.device.take_notified(), 1, "once a flush");
    guest.world.settle();
    first.assert_right();
    second.assert_right();
    helper.helper.words().store(word::ASLEEP, 0);
    guest.device.take_notified();
    guest.event(Event::Detach);
    assert_eq!(guest.world.state(), SessionState::Retired);
    assert_eq!(guest.device.take_notified(), 1);
}

#[test]
fn a_kick_wakes_and_changes_nothing() {
    let mut guest = Guest::live();
    let wanted = request(1);
    wanted.submit();
    guest.world.passes();
    guest.world.helper().serve();
    guest.event(Event::Kick);
    wanted.assert_right();
    assert_eq!(guest.world.state(), SessionState::Live);
}

#[test]
fn a_new_helper_gets_new_pages_and_the_old_ones_are_kept() {
    let mut guest = Guest::live();
    let waiting = request(1);
    waiting.submit();
    guest.world.passes();
    guest.world.helper().take();
    let old = guest.world.helper.take().unwrap();
    let generation = old.session.generation;
    let pages = mock::live_pages();
    guest.event(Event::Attach);
    waiting.assert_right();
    assert_eq!(guest.world.fell_back(Reason::Death), 1);
    assert_eq!(mock::live_pages(), 2 * pages + 1, "and a set-up's");
    guest.go_live();
    assert_ne!(guest.world.helper().session.generation, generation);
    // A late write hits what is nobody's.
    old.session.pool.write(0, &[0xee; 4096]);
    drop(old);
    let wanted = request(2);
    wanted.submit();
    guest.world.settle();
    wanted.assert_right();
    assert_eq!(wanted.fallbacks(), 0);
    guest.world.wait(KEEP_NS - 1000 * MS);
    assert_eq!((mock::live_pages(), kept::count()), (2 * pages, 1));
    guest.world.wait(1000 * MS);
    assert_eq!((mock::live_pages(), kept::count()), (pages, 0));
}

#[test]
fn a_device_and_a_process_are_two_helpers() {
    let mut guest = Guest::new();
    guest.world.attach();
    guest.world.start();
    guest.event(Event::Attach);
    assert!(guest.device.take_setup().is_none(), "it waits");
    assert_eq!(guest.device.work_again(), 1000);
    assert_eq!(kept::count(), 0);
    guest.world.kill();
    assert_eq!(guest.device.work_again(), 1000);
    guest.go_live();
    let helper = guest.world.helper.take();
    guest.world.open();
    let refused = guest.world.attach_with(&handshake()).unwrap_err();
    assert_eq!(refused, Errno::BUSY);
    guest.world.kill();
    // A process may take over from a device.
    guest.world.attach_as(AttachFlags::TAKEOVER);
    guest.world.start();
    let old = helper.unwrap();
    assert_eq!(old.session.state(), SessionState::Replaced);
    drop(old);
    guest.world.kill();
}

#[test]
fn a_device_that_is_removed_is_let_go_of_first() {
    let mut guest = Guest::live();
    let waiting = request(1);
    waiting.submit();
    guest.world.passes();
    guest.world.helper = None;
    guest.device.stop();
    assert!(!guest.device.is_closed(), "the engine has it");
    guest.world.engine.pass();
    mock::run_work();
    assert!(guest.device.is_closed());
    waiting.assert_right();
    assert_eq!(guest.world.engine.pass(), u64::MAX, "nothing to do");
    mock::take_woken();
    guest.device.stopped();
    assert!(session::current().is_none());
    assert_eq!(kept::count(), 1, "the host's helper may be alive");
    assert!(mock::take_woken(), "it sleeps, and is to let go of it");
    assert_eq!(guest.world.engine.pass(), 1000 * MS, "it looks again");
    // Also with a set-up that nobody answered.
    drop(guest);
    let mut guest = Guest::new();
    guest.event(Event::Attach);
    drop(guest);
    assert_eq!(mock::live_pages(), 0);
}
