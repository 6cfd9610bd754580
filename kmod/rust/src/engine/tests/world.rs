//! A machine to test in: an engine, at most one helper, parameters that fit a test.

use std::sync::MutexGuard;

use kgpu_core::abi::{
    Attach, AttachFlags, Features, IOC_ATTACH, IOC_START, Ioctl, MAP_CONTROL, MAP_HELPER, MAP_POOL,
    SessionState,
};
use zerocopy::{FromBytes, IntoBytes};

use super::super::{Active, Engine};
use super::Helper;
use crate::counters::{self, GLOBAL, Reason};
use crate::device::{self, Mapping, Opener};
use crate::errno::Errno;
use crate::ffi::{lock, mock};
use crate::{params, session};

/// A millisecond.
pub(super) const MS: u64 = 1_000_000;
/// Parameters that the tests start from, by number. Each request is one of the ring, unless a test wants it otherwise.
const DEFAULTS: [(u32, &str); 13] = [
    (1, "*=0"),
    (2, "1000"),
    (3, "100"),
    (4, "20"),
    (5, "16"),
    (6, "1"),
    (7, "8"),
    (8, "100"),
    (9, "4096"),
    (0, "*=100"),
    (10, "0"),
    (11, "64"),
    (12, "0"),
];

/// An engine, at most one helper.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) helper: Option<Helper>,
    opener: Option<Box<[Opener; 1]>>,
    before: Vec<u64>,
    _one: MutexGuard<'static, ()>,
}

fn totals() -> Vec<u64> {
    let per_reason = (0..Reason::COUNT).map(|reason| {
        (0..crate::ALGORITHMS)
            .filter_map(|i| counters::of(i).fallback.get(reason))
            .map(|tally| tally.requests.get())
            .sum()
    });
    let rejected = GLOBAL.rejected.iter().map(counters::Count::get);
    let rest = [&GLOBAL.quarantines, &GLOBAL.taken_over].map(counters::Count::get);
    let ring_errors = GLOBAL.ring_errors.iter().map(counters::Count::get).sum();
    per_reason
        .chain(rejected)
        .chain(rest)
        .chain([ring_errors])
        .collect()
}

impl World {
    pub(super) fn new() -> Self {
        let one = mock::serial();
        for (which, text) in DEFAULTS {
            params::set(which, text).unwrap();
        }
        Self {
            engine: Engine::new().unwrap(),
            helper: None,
            opener: None,
            before: totals(),
            _one: one,
        }
    }

    /// A machine with a helper that is live.
    pub(super) fn live() -> Self {
        let mut world = Self::new();
        world.attach();
        world.start();
        world
    }

    /// Sets a module parameter.
    pub(super) fn set(&self, which: u32, text: &str) {
        params::set(which, text).unwrap();
    }

    fn since(&self, at: usize) -> u64 {
        totals()[at] - self.before[at]
    }

    /// Requests that fell back for a reason.
    pub(super) fn fell_back(&self, reason: Reason) -> u64 {
        self.since(reason as usize)
    }

    /// Completions rejected, by kind.
    pub(super) fn rejected(&self, kind: usize) -> u64 {
        self.since(Reason::COUNT + kind)
    }

    /// Helpers quarantined, requests taken over, ring errors.
    pub(super) fn bad(&self) -> [u64; 3] {
        let at = Reason::COUNT + GLOBAL.rejected.len();
        [self.since(at), self.since(at + 1), self.since(at + 2)]
    }

    /// Opens the device.
    pub(super) fn open(&mut self) {
        assert!(self.opener.is_none(), "one file at a time");
        self.opener = Some(device::open().unwrap());
    }

    /// The open file.
    pub(super) fn device(&self) -> &Opener {
        &self.opener.as_ref().unwrap()[0]
    }

    /// An ioctl without argument on the open file.
    pub(super) fn ioctl(&self, ioctl: Ioctl) -> Result<(), Errno> {
        self.device().ioctl(ioctl.request, 0)
    }

    /// Attaches with this handshake.
    pub(super) fn attach_with(&mut self, handshake: &Attach) -> Result<Attach, Errno> {
        mock::set_user(handshake.as_bytes());
        self.device().ioctl(IOC_ATTACH.request, mock::USER)?;
        Ok(Attach::read_from_bytes(&mock::user()).unwrap())
    }

    /// A helper opens the device, attaches and maps.
    pub(super) fn attach(&mut self) {
        self.attach_as(AttachFlags::empty());
    }

    /// The same with flags.
    pub(super) fn attach_as(&mut self, flags: AttachFlags) {
        self.attach_by(&Attach::request(Features::SERVICES, flags, 4096, "test"));
    }

    /// The same with tiles of up to so many bytes.
    pub(super) fn attach_in_tiles(&mut self, bytes: u32) {
        let flags = AttachFlags::empty();
        self.attach_by(&Attach::request(Features::SERVICES, flags, bytes, "test"));
    }

    fn attach_by(&mut self, handshake: &Attach) {
        self.open();
        let answer = self.attach_with(handshake).unwrap();
        let parts = [
            (MAP_CONTROL, answer.control_bytes, false),
            (MAP_HELPER, answer.helper_bytes, true),
            (MAP_POOL, answer.pool_bytes, true),
        ];
        for (offset, bytes, writable) in parts {
            let mapping = Mapping {
                offset,
                bytes,
                writable,
                shared: true,
                executable: false,
            };
            self.device().map(mapping, |_| ()).unwrap();
        }
        let newest = session::ATTACHED
            .get(&mut lock())
            .all()
            .max_by_key(|session| session.generation)
            .cloned();
        self.helper = Some(Helper::new(newest.unwrap()));
    }

    /// Makes room for another helper; this one goes on by itself.
    pub(super) fn set_aside(&mut self) -> Aside {
        Aside {
            helper: self.helper.take(),
            opener: self.opener.take(),
        }
    }

    /// Turns to one that was set aside, and sets the other aside.
    pub(super) fn swap(&mut self, aside: &mut Aside) {
        core::mem::swap(&mut self.helper, &mut aside.helper);
        core::mem::swap(&mut self.opener, &mut aside.opener);
    }

    /// The helper starts and gives its known answers.
    pub(super) fn start(&mut self) {
        self.ioctl(IOC_START).unwrap();
        for _ in 0..10_000 {
            self.turn();
            if self.state() == SessionState::Live {
                return;
            }
        }
        panic!("the helper is not live");
    }

    /// The engine, then the helper, then the fallback, once each.
    pub(super) fn turn(&mut self) {
        self.engine.pass();
        if let Some(helper) = &mut self.helper {
            helper.serve();
        }
        mock::run_work();
    }

    /// Passes until there is nothing to do at once; the fallback does what it got.
    pub(super) fn passes(&mut self) {
        for _ in 0..10_000 {
            let ns = self.engine.pass();
            if mock::run_work() == 0 && ns > 0 {
                return;
            }
        }
        panic!("the engine never rests");
    }

    /// Both sides work until neither has anything to do.
    pub(super) fn settle(&mut self) {
        loop {
            self.passes();
            if self.helper().serve() == 0 {
                return;
            }
        }
    }

    /// The clock moves on; the engine wakes up.
    pub(super) fn wait(&mut self, ns: u64) {
        mock::advance(ns);
        self.passes();
    }

    pub(super) fn helper(&mut self) -> &mut Helper {
        self.helper.as_mut().unwrap()
    }

    pub(super) fn active(&mut self) -> &mut Active {
        let session = &self.helper.as_ref().unwrap().session;
        let mut actives = self.engine.actives();
        actives
            .find(|active| std::sync::Arc::ptr_eq(&active.session, session))
            .unwrap()
    }

    pub(super) fn state(&self) -> SessionState {
        self.helper.as_ref().unwrap().session.state()
    }

    /// The helper's process ends: the kernel closes its file. It has no more say from here on.
    pub(super) fn kill(&mut self) {
        let helper = self.helper.take();
        let Some(opener) = self.opener.take() else {
            return;
        };
        opener[0].close();
        for _ in 0..10 {
            if opener[0].is_closed() {
                break;
            }
            self.engine.pass();
        }
        assert!(
            opener[0].is_closed(),
            "the engine lets go of a closed session"
        );
        opener[0].leave();
        mock::run_work();
        drop(helper);
    }

    /// Fails the test unless the books say that nothing is in flight and nothing is missing but
    /// what was quarantined.
    #[track_caller]
    pub(super) fn assert_balanced(&mut self) {
        let active = self.active();
        assert!(active.flights.is_empty(), "in flight");
        assert!(active.shares.is_empty(), "shares are taken");
        let session = active.session.clone();
        let quarantined = session
            .quarantined
            .load(std::sync::atomic::Ordering::Relaxed);
        let mut guard = crate::ffi::lock();
        let books = session.books.get(&mut guard);
        let (pool, tiles) = (books.pool.free_units(), books.tiles.free_units());
        let sizes = session.layout.sizes;
        let slots: u32 = (0..sizes.keys).map(|i| books.slots.in_flight(i)).sum();
        drop(guard);
        let granule = u64::from(kgpu_core::runs::GRANULE);
        assert_eq!(u64::from(pool) * granule + quarantined, sizes.pool_bytes);
        assert_eq!(tiles + active.quarantined_tiles, sizes.tiles);
        assert_eq!(slots, 0, "key slots are in flight");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Also after a failed test, so that the next one finds the module as it expects it.
        self.kill();
        mock::run_work();
        if !std::thread::panicking() {
            assert_eq!(mock::live_pages(), 0, "regions are kept");
        }
    }
}

/// A helper that was set aside.
pub(super) struct Aside {
    pub(super) helper: Option<Helper>,
    opener: Option<Box<[Opener; 1]>>,
}

/// Bytes that look like nothing else.
pub(super) fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x.to_le_bytes()[3]
        })
        .collect()
}
