//! What the module believes: rings and table of requests in flight, over words and completions
//! that a helper may set to anything. A model beside it says, from the rules of `docs/abi.md`
//! alone, which completion is believed, and counts that each request is answered once.
#![no_main]

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use arbitrary::Arbitrary;
use kgpu_core::abi::{Completion, Layout, RequestId, RingSizes, Status, Submission, word};
use kgpu_core::cell::Words;
use kgpu_core::inflight::{InFlight, Reject, Seat};
use kgpu_core::ring::{CompletionConsumer, RingError, RingPlace, SubmissionProducer};
use libfuzzer_sys::fuzz_target;
use zerocopy::{FromZeros, IntoBytes};

const SESSION: u32 = 7;

/// How a field differs from the right one.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Bend {
    Right,
    Flip(u8),
    Value(u64),
}

impl Bend {
    fn of(self, right: u64) -> u64 {
        match self {
            Self::Right => right,
            Self::Flip(bit) => right ^ 1 << (bit % 64),
            Self::Value(value) => value,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    /// The module hands a request over.
    Submit { written_len: u32 },
    /// The helper writes a completion of a request that there was, in place or anywhere.
    Answer {
        which: u8,
        at: Option<u8>,
        status: u16,
        request: Bend,
        session: Bend,
        written_len: Bend,
        reserved: Bend,
    },
    /// The helper writes a completion of nothing.
    Forge { at: u8, bytes: [u8; 32] },
    /// The helper publishes what it wrote.
    Publish,
    /// The helper takes submissions.
    Take { count: u8 },
    /// The helper sets its tail, or its head, to anything.
    Word { tail: bool, to: Bend },
    /// The module takes completions.
    Reap { count: u8 },
    /// The module takes a request back.
    TakeBack { which: u8 },
}

#[derive(Arbitrary, Debug)]
struct Input {
    entries: u8,
    seats: u8,
    steps: Vec<Step>,
}

/// What the module knows, said again.
#[derive(Default)]
struct Model {
    /// Wire id, then bytes asked for and the request's number.
    live: BTreeMap<u64, (u32, usize)>,
    /// Every id there was.
    issued: Vec<(u64, u32)>,
    /// Answers by number.
    answers: Vec<u32>,
}

impl Model {
    /// The kind of refusal, or `None` where the completion is to be believed.
    fn refusal(&self, found: &Completion, seats: usize) -> Option<usize> {
        let slot = found.request & 0xffff_ffff;
        if found.session != SESSION {
            Some(0)
        } else if slot >= seats as u64 {
            Some(1)
        } else if !self.live.contains_key(&found.request) {
            Some(2)
        } else if found.status > 5 {
            Some(4)
        } else if found.reserved != 0 {
            Some(5)
        } else {
            let asked = if found.status == 0 {
                self.live[&found.request].0
            } else {
                0
            };
            (found.written_len != asked).then_some(3)
        }
    }

    fn answered(&mut self, wire: u64, number: usize) {
        let (_, owed) = self.live.remove(&wire).expect("it was in flight");
        assert_eq!(owed, number, "another request came out");
        self.answers[number] += 1;
        assert_eq!(self.answers[number], 1, "answered twice");
    }
}

struct Bed {
    layout: Layout,
    control: Vec<AtomicU64>,
    helper: Vec<AtomicU64>,
    /// The helper's own counters.
    posted: u64,
    taken: u64,
}

impl Bed {
    fn new(entries: u32) -> Self {
        let layout = Layout::new(RingSizes {
            entries,
            tiles: 1,
            keys: 1,
            pool_bytes: 4096,
        })
        .expect("sizes in bounds");
        let words = |bytes: u64| (0..bytes / 8).map(|_| AtomicU64::new(0)).collect();
        Self {
            layout,
            control: words(layout.control_bytes),
            helper: words(layout.helper_bytes),
            posted: 0,
            taken: 0,
        }
    }

    fn at(&self, counter: u64) -> u64 {
        self.layout.cq_offset + counter % u64::from(self.layout.sizes.entries) * 32
    }

    fn put(&self, counter: u64, completion: &Completion) {
        assert!(Words::new(&self.helper).store_entry(self.at(counter), completion));
    }
}

fuzz_target!(|input: Input| {
    let entries = 2 << (input.entries % 4);
    let seats = usize::from(input.seats % 12) + 1;
    let mut bed = Bed::new(entries);
    let mut model = Model::default();
    let mut sq = SubmissionProducer::new(RingPlace::submissions(&bed.layout));
    let mut cq = CompletionConsumer::new(RingPlace::completions(&bed.layout));
    let row: Vec<Seat<usize>> = (0..seats).map(|_| Seat::default()).collect();
    let mut table = InFlight::<_, usize>::new(row);
    // What the module saw of the helper's words at its last look.
    let (mut seen_head, mut seen_tail) = (0, 0);
    let entries = u64::from(entries);

    'session: for step in &input.steps {
        match *step {
            Step::Submit { written_len } => {
                let number = model.answers.len();
                let full = model.live.len() == seats;
                assert_eq!(table.is_full(), full);
                let Ok(id) = table.insert(written_len, number) else {
                    assert!(full, "a free seat was not given");
                    continue;
                };
                assert!(!full);
                let entry = Submission {
                    request: id.to_wire(),
                    session: SESSION,
                    written_len,
                    ..Submission::new_zeroed()
                };
                let before = sq.pushed();
                let words = (Words::new(&bed.control), Words::new(&bed.helper));
                let pushed = sq.push(words.0, words.1, &entry);
                // The head is looked at only where the last look leaves no room.
                let mut expected = Ok(true);
                if before - seen_head >= entries {
                    let head = words.1.load(word::SQ_HEAD);
                    if head < seen_head || head > before {
                        expected = Err(());
                    } else {
                        seen_head = head;
                        expected = Ok(before - head < entries);
                    }
                }
                assert_eq!(pushed.map_err(|_| ()), expected);
                match pushed {
                    Ok(true) => {
                        sq.publish(words.0);
                        let at = bed.layout.sq_offset + before % entries * 32;
                        assert_eq!(words.0.load_entry::<Submission>(at), Some(entry));
                        let wire = id.to_wire();
                        assert!(
                            model.issued.iter().all(|(old, _)| *old != wire),
                            "an id again"
                        );
                        model.live.insert(wire, (written_len, number));
                        model.issued.push((wire, written_len));
                        model.answers.push(0);
                    }
                    Ok(false) => assert_eq!(table.remove(id), Some(number)),
                    Err(error) => {
                        assert!(matches!(error, RingError::InvalidHead { .. }));
                        assert_eq!(table.remove(id), Some(number));
                        break 'session;
                    }
                }
            }
            Step::Answer {
                which,
                at,
                status,
                request,
                session,
                written_len,
                reserved,
            } => {
                let Some((wire, asked)) = model
                    .issued
                    .get(usize::from(which) % model.issued.len().max(1))
                else {
                    continue;
                };
                let right = if status == 0 { *asked } else { 0 };
                let low = |bend: Bend, right: u32| {
                    u32::try_from(bend.of(u64::from(right)) & 0xffff_ffff).expect("32 bits")
                };
                let completion = Completion {
                    request: request.of(*wire),
                    session: low(session, SESSION),
                    written_len: low(written_len, right),
                    status,
                    backend: 1,
                    reserved: low(reserved, 0),
                    detail: 0,
                };
                match at {
                    Some(at) => bed.put(u64::from(at), &completion),
                    None => {
                        bed.put(bed.posted, &completion);
                        bed.posted += 1;
                    }
                }
            }
            Step::Forge { at, bytes } => {
                let mut completion = Completion::new_zeroed();
                completion.as_mut_bytes().copy_from_slice(&bytes);
                bed.put(u64::from(at), &completion);
            }
            Step::Publish => Words::new(&bed.helper).store(word::CQ_TAIL, bed.posted),
            Step::Take { count } => {
                bed.taken = (bed.taken + u64::from(count)).min(sq.pushed());
                Words::new(&bed.helper).store(word::SQ_HEAD, bed.taken);
            }
            Step::Word { tail, to } => {
                let at = if tail { word::CQ_TAIL } else { word::SQ_HEAD };
                let words = Words::new(&bed.helper);
                words.store(at, to.of(words.load(at)));
            }
            Step::Reap { count } => {
                for _ in 0..count {
                    let words = Words::new(&bed.helper);
                    let head = cq.taken();
                    let mut broken = false;
                    if head == seen_tail {
                        let tail = words.load(word::CQ_TAIL);
                        broken = tail < seen_tail || tail - head > entries;
                        if !broken {
                            seen_tail = tail;
                        }
                    }
                    match cq.pop(words) {
                        Err(error) => {
                            assert!(broken, "{error}");
                            break 'session;
                        }
                        Ok(None) => {
                            assert!(!broken && head == seen_tail);
                            break;
                        }
                        Ok(Some(found)) => {
                            assert!(!broken && head < seen_tail);
                            assert_eq!(words.load_entry(bed.at(head)), Some(found));
                            let refusal = model.refusal(&found, seats);
                            match table.complete(&found, SESSION) {
                                Ok((number, status)) => {
                                    assert_eq!(refusal, None, "believed {found:?}");
                                    assert_eq!(status, Status::ALL[usize::from(found.status)]);
                                    model.answered(found.request, number);
                                }
                                Err(reject) => {
                                    assert_eq!(refusal, Some(reject.kind()), "{reject}");
                                    assert!(reject.kind() < Reject::KINDS);
                                    assert!(!reject.to_string().is_empty());
                                }
                            }
                            cq.release(Words::new(&bed.control));
                            assert_eq!(Words::new(&bed.control).load(word::CQ_HEAD), head + 1);
                        }
                    }
                }
            }
            Step::TakeBack { which } => {
                if let Some((wire, _)) = model
                    .issued
                    .get(usize::from(which) % model.issued.len().max(1))
                    .copied()
                {
                    let taken = table.remove(RequestId::from_wire(wire));
                    assert_eq!(taken, model.live.get(&wire).map(|(_, number)| *number));
                    if let Some(number) = taken {
                        model.answered(wire, number);
                    }
                }
            }
        }
        assert_eq!(table.len() as usize, model.live.len());
    }
    // The session is over: the module does what is left itself.
    let owed: Vec<RequestId> = table.ids().collect();
    for id in owed {
        let number = table.remove(id).expect("in flight");
        model.answered(id.to_wire(), number);
    }
    assert!(table.is_empty() && model.live.is_empty());
    assert!(model.answers.iter().all(|answers| *answers == 1));
});
