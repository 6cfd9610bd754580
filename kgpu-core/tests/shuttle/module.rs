//! The module's side: the queue, the engine with its sessions, the fallback's worker.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use kgpu_core::abi::{Completion, RequestId, SessionState, Status, Submission};
use kgpu_core::cell::{Word, Words};
use kgpu_core::inflight::{InFlight, Reject, Seat};
use kgpu_core::ring::{Consumer, Producer, RingPlace};
use kgpu_core::runs::{Run, Runs};
use shuttle::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use super::{Seen, roll};

/// Entries of the rings, and seats.
const ENTRIES: u32 = 2;
/// Units of the pool, two words each: a request's bytes.
const UNITS: u32 = 4;

/// Words of the control mapping: SQ tail, CQ head, state; then the SQ's entries.
pub const STATE: u64 = 16;
/// The submission ring.
pub const SUBMISSIONS: RingPlace = RingPlace {
    entries_at: 24,
    entries: ENTRIES,
    tail_at: 0,
    head_at: 0,
};
/// The completion ring.
pub const COMPLETIONS: RingPlace = RingPlace {
    entries_at: 16,
    entries: ENTRIES,
    tail_at: 8,
    head_at: 8,
};

/// Rules of the module, which a test may leave out.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Pool bytes of a request that was taken back are not used again in the session.
    pub quarantine: bool,
    /// A completion must name its seat's generation.
    pub generations: bool,
}

impl Rules {
    /// The module's rules.
    pub const ALL: Self = Self {
        quarantine: true,
        generations: true,
    };
}

/// What the algorithm makes of a request's input.
pub fn computed(input: u64) -> u64 {
    input.rotate_left(17) ^ 0x5bd1_e995
}

/// What a helper leaves beside the result: who computed it, for which request.
pub fn stamp(session: u32, request: u64) -> u64 {
    u64::from(session) << 48 ^ request.rotate_left(8)
}

/// A request that the module owes an answer for: completing consumes it.
#[derive(Debug)]
pub struct Request {
    number: usize,
    input: u64,
}

/// A session's region, which lives as long as anybody has it.
#[derive(Debug)]
pub struct Session {
    pub number: u32,
    control: Vec<Word>,
    helper: Vec<Word>,
    pool: Vec<Word>,
    /// The device was closed.
    pub closed: AtomicBool,
}

impl Session {
    /// A fresh region.
    pub fn new(number: u32) -> Arc<Self> {
        let words = |count| (0..count).map(|_| Word::new(0)).collect();
        let entries = ENTRIES as usize;
        let session = Self {
            number,
            control: words(3 + entries * 4),
            helper: words(2 + entries * 4),
            pool: words(UNITS as usize * 2),
            closed: AtomicBool::new(false),
        };
        session.control().store(STATE, SessionState::Live.code());
        Arc::new(session)
    }

    pub fn control(&self) -> Words<'_> {
        Words::new(&self.control)
    }

    pub fn helper(&self) -> Words<'_> {
        Words::new(&self.helper)
    }

    pub fn pool(&self) -> Words<'_> {
        Words::new(&self.pool)
    }
}

/// What the threads share.
pub struct Module {
    queue: Mutex<VecDeque<Request>>,
    incoming: Mutex<VecDeque<Arc<Session>>>,
    later: Mutex<VecDeque<Request>>,
    /// Completions that a helper had ready when its session ended.
    pub left_over: Mutex<Vec<Completion>>,
    unload: AtomicBool,
    engine_ended: AtomicBool,
    answers: Vec<AtomicU32>,
    seen: std::sync::Arc<Seen>,
}

impl Module {
    /// A module that will be asked for so many requests.
    pub fn new(requests: usize, seen: std::sync::Arc<Seen>) -> Self {
        Self {
            queue: Mutex::default(),
            incoming: Mutex::default(),
            later: Mutex::default(),
            left_over: Mutex::default(),
            unload: AtomicBool::new(false),
            engine_ended: AtomicBool::new(false),
            answers: (0..requests).map(|_| AtomicU32::new(0)).collect(),
            seen,
        }
    }

    /// Accepts a request.
    pub fn submit(&self, number: usize) {
        let input = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut queue = self.queue.lock().unwrap();
        queue.push_back(Request { number, input });
    }

    /// Nothing more will be submitted; what was is still owed.
    pub fn unload(&self) {
        self.unload.store(true, Ordering::Release);
    }

    /// A helper attaches. `false` when the module is going.
    pub fn attach(&self, session: &Arc<Session>) -> bool {
        let mut incoming = self.incoming.lock().unwrap();
        // Under the lock: the engine looks there once more before it ends.
        if self.engine_ended.load(Ordering::Acquire) {
            return false;
        }
        incoming.push_back(Arc::clone(session));
        true
    }

    fn complete(&self, request: Request, result: u64) {
        let before = self.answers[request.number].fetch_add(1, Ordering::AcqRel);
        assert_eq!(before, 0, "request {} is answered twice", request.number);
        assert_eq!(result, computed(request.input), "wrong bytes");
    }

    fn fall_back(&self, request: Request) {
        self.later.lock().unwrap().push_back(request);
    }

    /// The fallback's worker.
    pub fn fall_back_until_unloaded(&self) {
        loop {
            let ended = self.engine_ended.load(Ordering::Acquire);
            let next = self.later.lock().unwrap().pop_front();
            match next {
                Some(request) => {
                    let result = computed(request.input);
                    self.complete(request, result);
                    self.seen.by_fallback.fetch_add(1, Relaxed);
                }
                None if ended => return,
                None => thread::yield_now(),
            }
        }
    }

    /// Fails unless every request has had its answer.
    pub fn assert_each_answered_once(&self) {
        for (number, answers) in self.answers.iter().enumerate() {
            let answers = answers.load(Ordering::Acquire);
            assert_eq!(answers, 1, "request {number} has {answers} answers");
        }
    }
}

/// A request that a helper has.
struct Flight {
    request: Request,
    run: Run,
}

/// A session as the engine keeps it.
struct Active {
    session: Arc<Session>,
    submissions: Producer<Submission>,
    completions: Consumer<Completion>,
    table: InFlight<Vec<Seat<Flight>>, Flight>,
    pool: Runs<[u64; 1]>,
    rules: Rules,
}

impl Active {
    fn new(session: Arc<Session>, rules: Rules) -> Self {
        Self {
            session,
            submissions: Producer::new(SUBMISSIONS),
            completions: Consumer::new(COMPLETIONS),
            table: InFlight::new((0..ENTRIES).map(|_| Seat::default()).collect()),
            pool: Runs::new([0], UNITS),
            rules,
        }
    }

    /// Hands a request over, or gives it back where there is no room.
    fn offer(&mut self, request: Request) -> Result<(), Request> {
        if self.table.is_full() {
            return Err(request);
        }
        let Some(run) = self.pool.take(1) else {
            return Err(request);
        };
        let at = u64::from(run.first) * 16;
        self.session.pool().store(at, request.input);
        self.session.pool().store(at + 8, 0);
        let flight = Flight { request, run };
        let Ok(id) = self.table.insert(16, flight) else {
            panic!("a seat is free");
        };
        let entry = Submission {
            request: id.to_wire(),
            session: self.session.number,
            tile_first: run.first,
            tile_count: 1,
            bytes: 8,
            written_len: 16,
            algorithm: 1,
            op: 1,
            flags: 0,
        };
        let (ours, theirs) = (self.session.control(), self.session.helper());
        let pushed = self.submissions.push(ours, theirs, &entry);
        if pushed.expect("an honest head") {
            self.submissions.publish(ours);
            return Ok(());
        }
        // Never published: no helper knows of it.
        let flight = self.table.remove(id).expect("just seated");
        self.pool.give(flight.run);
        Err(flight.request)
    }

    /// Takes what was completed.
    fn reap(&mut self, module: &Module) {
        let session = Arc::clone(&self.session);
        while let Some(mut found) = self
            .completions
            .pop(session.helper())
            .expect("an honest tail")
        {
            self.completions.release(session.control());
            let slot = RequestId::from_wire(found.request).slot;
            if !self.rules.generations
                && let Some(now) = self.table.id_of(slot)
            {
                found.request = now.to_wire();
            }
            match self.table.complete(&found, session.number) {
                Ok((flight, Status::Ok)) => {
                    let at = u64::from(flight.run.first) * 16;
                    let result = session.pool().load(at);
                    let by = session.pool().load(at + 8);
                    let right = stamp(session.number, found.request);
                    assert_eq!(
                        by, right,
                        "wrong bytes: computed by another, or for another"
                    );
                    self.pool.give(flight.run);
                    module.complete(flight.request, result);
                    module.seen.by_helper.fetch_add(1, Relaxed);
                }
                Ok((flight, _)) => {
                    // It says that it is through with it.
                    self.pool.give(flight.run);
                    module.fall_back(flight.request);
                }
                Err(Reject::StaleGeneration { .. }) => {
                    module.seen.late.fetch_add(1, Relaxed);
                }
                Err(Reject::ForeignSession { .. }) => {
                    module.seen.foreign.fetch_add(1, Relaxed);
                }
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// The helper is given up: what it has goes to the fallback.
    fn take_back(&mut self, module: &Module) {
        let owed: Vec<RequestId> = self.table.ids().collect();
        for id in owed {
            let flight = self.table.remove(id).expect("in flight");
            if !self.rules.quarantine {
                self.pool.give(flight.run);
            }
            module.fall_back(flight.request);
            module.seen.taken_back.fetch_add(1, Relaxed);
        }
    }

    fn retire(&self) {
        let control = self.session.control();
        control.store(STATE, SessionState::Retired.code());
    }
}

/// The engine's thread.
pub struct Engine {
    module: Arc<Module>,
    rules: Rules,
    /// Requests go to this one.
    current: Option<Active>,
    /// Taken over, with requests in flight still.
    earlier: Vec<Active>,
}

impl Engine {
    /// An engine without a helper.
    pub fn new(module: Arc<Module>, rules: Rules) -> Self {
        Self {
            module,
            rules,
            current: None,
            earlier: Vec::new(),
        }
    }

    /// Passes until the module is unloaded and nothing is owed by a helper.
    pub fn run(mut self) {
        while !self.pass() {
            thread::yield_now();
        }
    }

    /// A helper attached while another served: what that one has it may finish.
    fn welcome(&mut self) {
        let Some(session) = self.module.incoming.lock().unwrap().pop_front() else {
            return;
        };
        if let Some(before) = self.current.take() {
            before.retire();
            self.earlier.push(before);
            self.module.seen.takeovers.fetch_add(1, Relaxed);
        }
        self.current = Some(Active::new(session, self.rules));
    }

    fn offload(&mut self, unloading: bool) {
        loop {
            let Some(request) = self.module.queue.lock().unwrap().pop_front() else {
                return;
            };
            match &mut self.current {
                None => self.module.fall_back(request),
                Some(active) => {
                    if let Err(request) = active.offer(request) {
                        if unloading {
                            self.module.fall_back(request);
                            continue;
                        }
                        // It waits for room.
                        self.module.queue.lock().unwrap().push_front(request);
                        return;
                    }
                }
            }
        }
    }

    /// One session's turn. Whether it is still of use.
    fn attend(module: &Module, active: &mut Active, taken_over: bool) -> bool {
        // Before the completions: what came before the end counts.
        let closed = active.session.closed.load(Ordering::Acquire);
        active.reap(module);
        if closed {
            active.take_back(module);
            return false;
        }
        // Time passes as the schedule says: a deadline may be over at any pass.
        if roll(12) == 0 {
            active.take_back(module);
        }
        !(taken_over && active.table.is_empty())
    }

    /// Whether the module is unloaded.
    fn pass(&mut self) -> bool {
        // Before the queue: nothing is submitted after it.
        let unloading = self.module.unload.load(Ordering::Acquire);
        self.welcome();
        self.offload(unloading);
        let module = Arc::clone(&self.module);
        self.earlier
            .retain_mut(|active| Self::attend(&module, active, true));
        self.current = self
            .current
            .take()
            .and_then(|mut active| Self::attend(&module, &mut active, false).then_some(active));
        if !unloading {
            return false;
        }
        for active in self.earlier.iter_mut().chain(&mut self.current) {
            active.retire();
            active.take_back(&module);
        }
        // Helpers that the engine never met are told, and none comes after them.
        let mut incoming = module.incoming.lock().unwrap();
        for session in incoming.drain(..) {
            let control = session.control();
            control.store(STATE, SessionState::Retired.code());
        }
        module.engine_ended.store(true, Ordering::Release);
        true
    }
}
