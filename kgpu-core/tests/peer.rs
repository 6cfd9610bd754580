//! The two mock sides against each other: honest work lands right, and each lie gets the answer that
//! its class names.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cell::RefCell;
use std::collections::HashSet;

use kgpu_core::abi::{AlgorithmId, Layout, Op, RequestId, RingSizes, SessionState, Status};
use kgpu_core::algorithm::{Algorithm, Fallback, KeySizes, Mode, Output, spread};
use kgpu_core::cell::{Word, Words};
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};
use kgpu_core::inflight::Reject;
use kgpu_core::num::index;
use kgpu_core::peer::{
    Answer, Broken, Case, Dice, Ground, HOSTILE, Landed, Lie, MockHelper, MockKernel, Pool,
    Request, View,
};
use kgpu_core::request::Shape;
use kgpu_core::ring::RingError;

/// A key stream that anyone can check: key byte, counter and place.
#[derive(Debug)]
struct Toy(Vec<u8>);

impl CpuKey for Toy {
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError> {
        let Data::Apart { src, dst } = data else {
            panic!("the peers compute apart");
        };
        let first = u128::from_be_bytes(work.iv);
        for (i, (to, from)) in dst.iter_mut().zip(src).enumerate() {
            let counter = first.wrapping_add(u128::try_from(i / 16).unwrap());
            let mixed = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[5];
            *to = from ^ self.0[i % 16] ^ mixed;
        }
        Ok(())
    }
}

fn expand(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    match key.len() {
        16 => Ok(Box::new(Toy(key.to_vec()))),
        len => Err(KeyError { len }),
    }
}

static TOY: Algorithm = Algorithm {
    id: AlgorithmId(3),
    name: "ctr(toy)",
    driver: "ctr-toy-kgpu",
    mode: Mode::Ctr,
    block_size: 16,
    key_sizes: KeySizes {
        min: 16,
        max: 16,
        step: 0,
    },
    output: Output::SameAsInput,
    fallback: Fallback::Skcipher,
    crossover: 0,
    known_answers: &[],
    launch: |load| spread(load, 1),
    cpu: expand,
    device: None,
};

fn lookup(id: AlgorithmId) -> Option<&'static Algorithm> {
    (id == TOY.id).then_some(&TOY)
}

#[derive(Debug)]
struct Memory(RefCell<Vec<u8>>);

impl Pool for Memory {
    fn read(&self, at: u64, to: &mut [u8]) -> bool {
        let (at, memory) = (index(at), self.0.borrow());
        let from = at.checked_add(to.len()).and_then(|end| memory.get(at..end));
        from.map(|from| to.copy_from_slice(from)).is_some()
    }

    fn write(&self, at: u64, from: &[u8]) -> bool {
        let (at, mut memory) = (index(at), self.0.borrow_mut());
        let end = at.checked_add(from.len());
        let to = end.and_then(|end| memory.get_mut(at..end));
        to.map(|to| to.copy_from_slice(from)).is_some()
    }
}

/// A region, both sides on it.
struct World {
    control: Vec<Word>,
    helper_words: Vec<Word>,
    pool: Memory,
    layout: Layout,
}

fn zeroed(bytes: u64) -> Vec<Word> {
    (0..bytes / 8).map(|_| Word::new(0)).collect()
}

impl World {
    fn new() -> (Self, MockKernel, MockHelper) {
        let layout = Layout::new(RingSizes {
            entries: 8,
            tiles: 64,
            keys: 4,
            pool_bytes: 1 << 18,
        })
        .unwrap();
        let world = Self {
            control: zeroed(layout.control_bytes),
            helper_words: zeroed(layout.helper_bytes),
            pool: Memory(RefCell::new(vec![0; 1 << 18])),
            layout,
        };
        let kernel = MockKernel::new(layout, 7, 4096);
        kernel.open(world.view(), SessionState::Live);
        (world, kernel, MockHelper::new(layout, 7, lookup))
    }

    fn view(&self) -> View<'_> {
        View {
            control: Words::new(&self.control),
            helper: Words::new(&self.helper_words),
            pool: &self.pool,
        }
    }

    fn hand_over(&self, kernel: &mut MockKernel, len: usize, seed: u64) -> Option<RequestId> {
        let mut dice = Dice::new(seed);
        let mut src = vec![0; len];
        src.fill_with(|| u8::try_from(dice.roll(256)).unwrap());
        let mut iv = [0xff; 16];
        iv[3] = 1;
        let request = Request {
            algorithm: &TOY,
            shape: Shape::single(Op::Encrypt, u32::try_from(len).unwrap(), iv),
            key: &[u8::try_from(seed % 200).unwrap(); 16],
            key_id: 1 + seed % 200,
            src: &src,
        };
        kernel.hand_over(self.view(), &request).unwrap()
    }
}

#[test]
fn honest_work_lands_right() {
    let (world, mut kernel, mut helper) = World::new();
    let mut landed = 0;
    for round in 0..200 {
        let mut sent = 0;
        while world
            .hand_over(
                &mut kernel,
                1 + index(round * 997 % 30_000),
                round * 8 + sent,
            )
            .is_some()
        {
            sent += 1;
        }
        assert!(sent >= 4, "the key slots at least");
        helper.serve(world.view()).unwrap();
        while let Some(Landed { status, right, .. }) = kernel.reap(world.view()).unwrap() {
            assert_eq!((status, right), (Status::Ok, true));
            landed += 1;
        }
        assert_eq!(kernel.in_flight(), 0);
        helper.forget(world.view());
    }
    assert!(landed >= 800, "{landed}");
}

#[test]
fn every_lie_gets_the_answer_that_it_names() {
    for &lie in Lie::ALL {
        let (world, mut kernel, mut helper) = World::new();
        let view = world.view();
        let mut dice = Dice::new(11);
        // Honest at first: counters that could go back have gone on.
        for seed in 0..2 {
            world.hand_over(&mut kernel, 5000, seed).unwrap();
            assert_eq!(helper.serve(view), Ok(1));
            assert!(kernel.reap(view).unwrap().unwrap().right);
        }
        world.hand_over(&mut kernel, 5000, 2).unwrap();
        assert_eq!(helper.take(view), Ok(1));
        let submission = helper.taken.pop_front().unwrap();
        let over = helper.tell(view, lie, &submission, &mut dice).unwrap();
        if lie == Lie::Doubled {
            assert!(kernel.reap(view).unwrap().unwrap().right);
        }
        let met = kernel.reap(view);
        let name = lie.label();
        match lie.answer() {
            Answer::Rejected(kind) => match met {
                Err(Broken::Reject(reject)) => assert_eq!(reject.kind(), kind, "{name}"),
                other => panic!("{name}: {other:?}"),
            },
            Answer::InvalidHead => assert!(
                matches!(met, Err(Broken::Ring(RingError::InvalidHead { .. }))),
                "{name}: {met:?}"
            ),
            Answer::InvalidTail => assert!(
                matches!(met, Err(Broken::Ring(RingError::InvalidTail { .. }))),
                "{name}: {met:?}"
            ),
            Answer::Recheck | Answer::KnownAnswer => {
                let landed = met.unwrap().unwrap();
                assert_eq!((landed.status, landed.right), (Status::Ok, false), "{name}");
            }
            Answer::Failed => {
                let landed = met.unwrap().unwrap();
                assert_eq!(landed.status, Status::BackendFailed, "{name}");
            }
            Answer::Deadline | Answer::NoKnownAnswer => {
                assert_eq!(met, Ok(None), "{name}");
                assert_eq!(kernel.in_flight(), 1, "{name}");
            }
        }
        // What is said rightly afterwards is believed.
        if lie.is_completion() && !over {
            let good = helper.compute(view, &submission);
            assert_eq!(helper.post(view, &good), Ok(true));
            assert!(kernel.reap(view).unwrap().unwrap().right, "{name}");
        }
        if lie == Lie::Late {
            assert_eq!(helper.answer_late(view), Ok(1));
            assert!(kernel.reap(view).unwrap().unwrap().right);
        }
    }
}

/// One bit of one byte, anywhere in the result: never none, never two.
#[test]
fn wrong_data_is_one_bit_wrong() {
    let (world, mut kernel, mut helper) = World::new();
    let (view, mut dice, mut places) = (world.view(), Dice::new(3), HashSet::new());
    for seed in 0..50 {
        world.hand_over(&mut kernel, 10_000, seed).unwrap();
        helper.take(view).unwrap();
        let submission = helper.taken.pop_front().unwrap();
        let good = helper.compute(view, &submission);
        let before = world.pool.0.borrow().clone();
        assert!(helper.spoil(view, &submission, &mut dice));
        let after = world.pool.0.borrow();
        let wrong: Vec<_> = (0..before.len())
            .filter(|i| before[*i] != after[*i])
            .collect();
        let [at] = wrong.as_slice() else {
            panic!("{wrong:?}");
        };
        assert_eq!((before[*at] ^ after[*at]).count_ones(), 1);
        places.insert(*at);
        drop(after);
        helper.post(view, &good).unwrap();
        assert!(!kernel.reap(view).unwrap().unwrap().right);
    }
    assert!(places.len() > 30, "{places:?}");
}

#[test]
fn names_are_stable_unique_and_those_of_the_counters() {
    let labels: HashSet<_> = Lie::ALL.iter().map(|lie| lie.label()).collect();
    assert_eq!(labels.len(), Lie::ALL.len());
    for (kind, label) in Reject::LABELS.iter().enumerate() {
        let counter = format!("rejected.{label}");
        assert_eq!(Answer::Rejected(kind).counter(), counter);
        assert!(
            Lie::ALL
                .iter()
                .any(|l| l.answer() == Answer::Rejected(kind)),
            "no lie is rejected as {label}"
        );
    }
    for &lie in Lie::ALL {
        assert_eq!(Lie::by_label(lie.label()), Some(lie));
        assert!(lie.about().starts_with("A ") || lie.about().starts_with("No "));
    }
}

#[test]
fn every_hostile_case_differs_from_the_good_one() {
    let (world, ..) = World::new();
    let ground = Ground::new(world.layout, 7, lookup).unwrap();
    let id = RequestId {
        slot: 1,
        generation: 2,
    };
    let good = format!("{:?}", Case::good(&ground, id, 9));
    let mut seen = HashSet::from([good]);
    for hostile in HOSTILE {
        let case = hostile.case(&ground, id, 9);
        assert!(seen.insert(format!("{case:?}")), "{hostile:?}");
        assert_ne!(hostile.status, Status::Ok);
    }
    let labels: HashSet<_> = HOSTILE.iter().map(|h| h.label).collect();
    assert_eq!(labels.len(), HOSTILE.len());
}
