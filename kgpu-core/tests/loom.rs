//! Models of what two threads may see of each other through shared words: interleavings up to a
//! stated number of forced switches, and
//! every order in which the memory model lets stores become visible in them.
//!
//! Run by `RUSTFLAGS="--cfg loom" cargo test -p kgpu-core --release --test loom`. The places of
//! the words are packed, not those of [`kgpu_core::abi::word`]: each word of a mapping is an object
//! that loom follows, and the logic under test takes its places from outside.
#![cfg(loom)]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests, too, may panic.

#[path = "loom/replay.rs"]
mod replay;

use kgpu_core::abi::{Completion, RequestId, SessionState, Status, Submission};
use kgpu_core::cell::{Word, Words};
use kgpu_core::inflight::{InFlight, Reject, Seat};
use kgpu_core::ring::{Consumer, Producer, RingPlace};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// Words of the control mapping: SQ tail, CQ head, state, kick needed; then the SQ's entries.
const SQ_TAIL: u64 = 0;
const CQ_HEAD: u64 = 8;
const STATE: u64 = 16;
const KICK_NEEDED: u64 = 24;
const SQ_ENTRIES: u64 = 32;
/// Words of the helper mapping: SQ head, CQ tail; then the CQ's entries.
const SQ_HEAD: u64 = 0;
const CQ_TAIL: u64 = 8;
const CQ_ENTRIES: u64 = 16;

const SESSION: u32 = 7;

const fn submissions(entries: u32) -> RingPlace {
    RingPlace {
        entries_at: SQ_ENTRIES,
        entries,
        tail_at: SQ_TAIL,
        head_at: SQ_HEAD,
    }
}

const fn completions(entries: u32) -> RingPlace {
    RingPlace {
        entries_at: CQ_ENTRIES,
        entries,
        tail_at: CQ_TAIL,
        head_at: CQ_HEAD,
    }
}

/// The two mappings, of which only one side writes each.
struct Region {
    control: Vec<Word>,
    helper: Vec<Word>,
}

impl Region {
    fn new(entries: usize, entry_words: usize) -> Arc<Self> {
        let words = |fixed| {
            (0..fixed + entries * entry_words)
                .map(|_| Word::new(0))
                .collect()
        };
        Arc::new(Self {
            control: words(4),
            helper: words(2),
        })
    }

    fn control(&self) -> Words<'_> {
        Words::new(&self.control)
    }

    fn helper(&self) -> Words<'_> {
        Words::new(&self.helper)
    }
}

/// Explores a model with at most `preemptions` forced switches between threads a run; what a load
/// may see is not bounded by it. It keeps the number of runs within what a test may take.
fn model(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

/// A two-word entry that names its own number twice: an entry torn or stale shows.
fn entry(number: u64) -> [u64; 2] {
    [number, !number]
}

/// An entry popped is the entry pushed under that counter, over a ring of two that wraps.
#[test]
fn entries_match_their_counter_over_a_wrap() {
    const TOTAL: u64 = 4;
    model(5, || {
        let region = Region::new(2, 2);
        let theirs = Arc::clone(&region);
        let helper = thread::spawn(move || {
            let mut ring = Consumer::<[u64; 2]>::new(submissions(2));
            while ring.taken() < TOTAL {
                let number = ring.taken();
                match ring.pop(theirs.control()).expect("an honest producer") {
                    Some(found) => {
                        assert_eq!(found, entry(number));
                        ring.release(theirs.helper());
                    }
                    None => thread::yield_now(),
                }
            }
        });
        let mut ring = Producer::<[u64; 2]>::new(submissions(2));
        while ring.pushed() < TOTAL {
            let next = entry(ring.pushed());
            if ring
                .push(region.control(), region.helper(), &next)
                .expect("an honest consumer")
            {
                ring.publish(region.control());
            } else {
                thread::yield_now();
            }
        }
        helper.join().unwrap();
    });
}

/// Entries published by one store of the tail are all visible with it, and none before.
#[test]
fn one_publish_shows_all_entries_before_it() {
    model(6, || {
        let region = Region::new(4, 2);
        let theirs = Arc::clone(&region);
        let helper = thread::spawn(move || {
            let mut ring = Consumer::<[u64; 2]>::new(submissions(4));
            let ready = ring.ready(theirs.control()).expect("an honest producer");
            assert!(ready == 0 || ready == 2 || ready == 3);
            for number in 0..u64::from(ready) {
                let found = ring.pop(theirs.control()).expect("an honest producer");
                assert_eq!(found, Some(entry(number)));
            }
        });
        let mut ring = Producer::<[u64; 2]>::new(submissions(4));
        for burst in [2, 1] {
            for _ in 0..burst {
                let next = entry(ring.pushed());
                assert_eq!(
                    ring.push(region.control(), region.helper(), &next),
                    Ok(true)
                );
            }
            ring.publish(region.control());
        }
        helper.join().unwrap();
    });
}

fn submission(id: RequestId) -> Submission {
    Submission {
        request: id.to_wire(),
        session: SESSION,
        tile_first: id.slot,
        tile_count: 1,
        bytes: 16,
        written_len: 16,
        algorithm: 1,
        op: 1,
        flags: 0,
    }
}

fn completion(of: &Submission) -> Completion {
    Completion {
        request: of.request,
        session: of.session,
        written_len: of.written_len,
        status: Status::Ok.code(),
        backend: 0,
        reserved: 0,
        detail: 0,
    }
}

/// Submit to complete through both rings of two entries, three requests: each is answered once.
#[test]
fn requests_go_round_both_rings() {
    const TOTAL: u32 = 3;
    model(3, || {
        let region = Region::new(2, 4);
        let theirs = Arc::clone(&region);
        let helper = thread::spawn(move || {
            let mut sq = Consumer::<Submission>::new(submissions(2));
            let mut cq = Producer::<Completion>::new(completions(2));
            while cq.pushed() < u64::from(TOTAL) {
                let Some(taken) = sq.pop(theirs.control()).expect("an honest module") else {
                    thread::yield_now();
                    continue;
                };
                sq.release(theirs.helper());
                while !cq
                    .push(theirs.helper(), theirs.control(), &completion(&taken))
                    .expect("an honest module")
                {
                    thread::yield_now();
                }
                cq.publish(theirs.helper());
            }
        });
        let mut sq = Producer::<Submission>::new(submissions(2));
        let mut cq = Consumer::<Completion>::new(completions(2));
        let mut table = InFlight::<_, u32>::new([Seat::default(), Seat::default()]);
        let (mut sent, mut done) = (0, [false; TOTAL as usize]);
        while cq.taken() < u64::from(TOTAL) {
            let mut idle = true;
            if sent < TOTAL
                && let Ok(id) = table.insert(16, sent)
            {
                let pushed = sq.push(region.control(), region.helper(), &submission(id));
                // Two seats, and a completion follows its submission's release: never full.
                assert_eq!(pushed, Ok(true));
                sq.publish(region.control());
                sent += 1;
                idle = false;
            }
            while let Some(found) = cq.pop(region.helper()).expect("an honest helper") {
                let (request, status) = table.complete(&found, SESSION).expect("in flight");
                assert_eq!(status, Status::Ok);
                assert!(!std::mem::replace(&mut done[request as usize], true));
                cq.release(region.control());
                idle = false;
            }
            if idle {
                thread::yield_now();
            }
        }
        assert!(table.is_empty());
        assert_eq!(done, [true; TOTAL as usize]);
        helper.join().unwrap();
    });
}

/// What `KGPU_IOC_KICK` does: wakes the module, or lets its next sleep end at once.
#[derive(Default)]
struct Doorbell {
    kicked: Mutex<bool>,
    rung: Condvar,
}

impl Doorbell {
    fn kick(&self) {
        *self.kicked.lock().unwrap() = true;
        self.rung.notify_one();
    }

    fn sleep(&self) {
        let mut kicked = self.kicked.lock().unwrap();
        while !*kicked {
            kicked = self.rung.wait(kicked).unwrap();
        }
        *kicked = false;
    }

    fn forget(&self) {
        *self.kicked.lock().unwrap() = false;
    }
}

/// The module says that it is going to sleep, looks once more, and sleeps; the helper publishes
/// and then looks whether the module sleeps. No completion is left lying: loom reports a module
/// that sleeps for ever as a deadlock.
#[test]
fn no_wake_up_is_lost() {
    const TOTAL: u64 = 2;
    model(6, || {
        let region = Region::new(2, 2);
        let bell = Arc::new(Doorbell::default());
        let (theirs, their_bell) = (Arc::clone(&region), Arc::clone(&bell));
        let helper = thread::spawn(move || {
            let mut cq = Producer::<[u64; 2]>::new(completions(2));
            while cq.pushed() < TOTAL {
                let next = entry(cq.pushed());
                // The ring holds all there is: whether it has room is not the question here.
                assert_eq!(cq.push(theirs.helper(), theirs.control(), &next), Ok(true));
                cq.publish(theirs.helper());
                Words::fence();
                if theirs.control().load(KICK_NEEDED) != 0 {
                    their_bell.kick();
                }
            }
        });
        let mut cq = Consumer::<[u64; 2]>::new(completions(2));
        while cq.taken() < TOTAL {
            while let Some(found) = cq.pop(region.helper()).expect("an honest helper") {
                assert_eq!(found, entry(cq.taken() - 1));
                cq.release(region.control());
            }
            if cq.taken() == TOTAL {
                break;
            }
            region.control().store_then_look(KICK_NEEDED, 1);
            if cq.ready(region.helper()).expect("an honest helper") == 0 {
                bell.sleep();
            }
            region.control().store(KICK_NEEDED, 0);
        }
        helper.join().unwrap();
    });
}

/// As in a guest: the helper says to the module that it sleeps, and to its own thread that hears the doorbell; one fence
/// stands behind both. The module rings if the first is set, and whoever hears it wakes if the second is. Here the module
/// does both, one after the other, as a doorbell orders them; so it can be late with the second.
#[test]
fn no_wake_up_is_lost_on_its_way_through_two() {
    const TAIL: u64 = 0;
    const ASLEEP: u64 = 8;
    const TOTAL: u64 = 2;
    model(5, || {
        let words = Arc::new([Word::new(0), Word::new(0)]);
        let listens = Arc::new(AtomicBool::new(false));
        let bell = Arc::new(Doorbell::default());
        let (theirs, their_listens, their_bell) =
            (Arc::clone(&words), Arc::clone(&listens), Arc::clone(&bell));
        let module = thread::spawn(move || {
            let words = Words::new(&*theirs);
            for tail in 1..=TOTAL {
                words.store(TAIL, tail);
                Words::fence();
                if words.load(ASLEEP) != 0 {
                    Words::fence();
                    let asleep = their_listens.load(Ordering::Relaxed);
                    if asleep && their_listens.swap(false, Ordering::AcqRel) {
                        their_bell.kick();
                    }
                }
            }
        });
        let ours = Words::new(&*words);
        let mut seen = 0;
        while seen < TOTAL {
            let tail = ours.load(TAIL);
            if tail > seen {
                seen = tail;
                continue;
            }
            ours.store(ASLEEP, 1);
            // A store is enough, but not for loom: it does not conclude that a store behind the value that a swap
            // took is behind that swap as well.
            listens.swap(true, Ordering::Relaxed);
            Words::fence();
            if ours.load(TAIL) == seen {
                bell.sleep();
            }
            if !listens.swap(false, Ordering::AcqRel) {
                bell.forget();
            }
            ours.store(ASLEEP, 0);
        }
        module.join().unwrap();
    });
}

/// The proof that the models above can fail: without the fences it finds the lost wake-up.
#[test]
#[should_panic(expected = "deadlock")]
fn without_fences_a_wake_up_is_lost() {
    model(4, || {
        let region = Region::new(2, 2);
        let bell = Arc::new(Doorbell::default());
        let (theirs, their_bell) = (Arc::clone(&region), Arc::clone(&bell));
        let helper = thread::spawn(move || {
            theirs.helper().store(CQ_TAIL, 1);
            if theirs.control().load(KICK_NEEDED) != 0 {
                their_bell.kick();
            }
        });
        region.control().store(KICK_NEEDED, 1);
        if region.helper().load(CQ_TAIL) == 0 {
            bell.sleep();
        }
        helper.join().unwrap();
    });
}

/// The module retires the session while the helper drains it, and does itself what is still owed:
/// every request is finished exactly once, by the helper's completion or by the module, and a
/// completion for one that the module took back is refused as stale.
#[test]
fn closing_finishes_each_request_exactly_once() {
    const TOTAL: u32 = 2;
    model(6, || {
        let region = Region::new(2, 4);
        region.control().store(STATE, SessionState::Live.code());
        let theirs = Arc::clone(&region);
        let helper = thread::spawn(move || {
            let mut sq = Consumer::<Submission>::new(submissions(2));
            let mut cq = Producer::<Completion>::new(completions(2));
            loop {
                let state = SessionState::try_from(theirs.control().load(STATE)).unwrap();
                match sq.pop(theirs.control()).expect("an honest module") {
                    Some(taken) => {
                        sq.release(theirs.helper());
                        let answer = completion(&taken);
                        let pushed = cq.push(theirs.helper(), theirs.control(), &answer);
                        assert_eq!(pushed, Ok(true));
                        cq.publish(theirs.helper());
                    }
                    // Drained, and the state was read before: nothing more can come.
                    None if !state.is_open() => break,
                    None => thread::yield_now(),
                }
            }
            cq.pushed()
        });

        let mut sq = Producer::<Submission>::new(submissions(2));
        let mut cq = Consumer::<Completion>::new(completions(2));
        let mut table = InFlight::<_, u32>::new([Seat::default(), Seat::default()]);
        let mut finished = [0; TOTAL as usize];
        for request in 0..TOTAL {
            let id = table.insert(16, request).expect("a seat each");
            let pushed = sq.push(region.control(), region.helper(), &submission(id));
            assert_eq!(pushed, Ok(true));
            sq.publish(region.control());
        }
        region.control().store(STATE, SessionState::Retired.code());

        // What has come in by now counts as the helper's.
        let mut by_helper = 0;
        while let Some(found) = cq.pop(region.helper()).expect("an honest helper") {
            let (request, _) = table.complete(&found, SESSION).expect("in flight");
            finished[request as usize] += 1;
            by_helper += 1;
        }
        assert_eq!(by_helper + table.len(), TOTAL);
        // The rest is still owed, and the module does it.
        let owed: Vec<RequestId> = table.ids().collect();
        for id in &owed {
            let request = table.remove(*id).expect("owed");
            finished[request as usize] += 1;
        }
        assert!(table.is_empty());

        // Whatever the helper said in the meantime is late.
        let posted = helper.join().unwrap();
        let mut late = 0;
        while let Some(found) = cq.pop(region.helper()).expect("an honest helper") {
            let id = RequestId::from_wire(found.request);
            assert!(owed.contains(&id));
            assert!(matches!(
                table.complete(&found, SESSION),
                Err(Reject::StaleGeneration { slot, .. }) if slot == id.slot
            ));
            late += 1;
        }
        assert_eq!(posted, u64::from(TOTAL));
        assert_eq!(by_helper + late, TOTAL);
        assert_eq!(finished, [1; TOTAL as usize]);
    });
}
