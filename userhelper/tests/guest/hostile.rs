//! Guests that lie: set-ups that are none, rings that are broken, requests that must be refused. Whatever it is, the
//! helper refuses it and serves what is right after it.

use kgpu_core::abi::guest::{PageRun, RUNS_MAX, Setup};
use kgpu_core::abi::{Attach, PAGE, SessionState, word};
use kgpu_core::peer::{Ground, HOSTILE};
use zerocopy::IntoBytes;

use super::helper::{Helper, PATIENCE};
use super::machine::{AREAS, FREE, Machine, pages};
use super::module::{Module, served, still, works};

/// What a set-up may have wrong.
type Spoil = fn(&mut Attach, &mut Vec<PageRun>);

/// A run of the last part.
fn last(runs: &mut [PageRun]) -> &mut PageRun {
    runs.last_mut().unwrap()
}

const WRONG: &[(&str, Spoil)] = &[
    ("another magic", |attach, _| attach.magic ^= 1),
    ("another major", |attach, _| attach.major += 1),
    ("a later minor", |attach, _| attach.minor += 1),
    ("another structure", |attach, _| attach.struct_sizes[2] = 48),
    ("unknown flags", |attach, _| attach.flags = 0x80),
    ("features not offered", |attach, _| {
        attach.features_in_force |= 4
    }),
    ("a reserved field", |attach, _| attach.reserved_tail[1] = 7),
    ("no control part", |attach, _| attach.control_bytes = 0),
    ("a control part of no pages", |attach, _| {
        attach.control_bytes += 8
    }),
    ("a control part of all memory", |attach, _| {
        attach.control_bytes = 1 << 40
    }),
    ("a helper part that wraps", |attach, _| {
        attach.helper_bytes = u64::MAX - 4095
    }),
    ("a pool of 4 GiB", |attach, _| attach.pool_bytes = 1 << 32),
    ("a pool larger than its runs", |attach, _| {
        attach.pool_bytes += PAGE
    }),
    ("a pool smaller than its runs", |attach, _| {
        attach.pool_bytes -= PAGE
    }),
    ("another session than the header's", |attach, _| {
        attach.session += 1
    }),
    ("parts in another order", |_, runs| runs.reverse()),
    ("one run less", |_, runs| runs.truncate(runs.len() - 1)),
    ("one run more", |_, runs| runs.push(pages(1, 0, 1))),
    ("a run twice", |_, runs| {
        *last(runs) = PageRun {
            bytes: last(runs).bytes,
            ..runs[20]
        }
    }),
    ("a control page in the pool", |_, runs| {
        last(runs).address = runs[0].address
    }),
    ("an address of no page", |_, runs| last(runs).address += 8),
    ("bytes of no page", |_, runs| last(runs).bytes -= 8),
    ("no bytes", |_, runs| last(runs).bytes = 0),
    ("an address in no area", |_, runs| {
        last(runs).address = 0x5000_0000
    }),
    ("address 0", |_, runs| last(runs).address = 0),
    ("an address that wraps", |_, runs| {
        last(runs).address = u64::MAX - 4095
    }),
    ("over an area's end", |attach, runs| {
        let run = last(runs);
        let more = 4 * PAGE - run.bytes.min(4 * PAGE);
        *run = PageRun {
            address: AREAS[1].0 + AREAS[1].1 - PAGE,
            bytes: run.bytes + more + PAGE,
        };
        attach.pool_bytes += more + PAGE;
    }),
    ("before an area", |_, runs| {
        last(runs).address = AREAS[0].0 - PAGE
    }),
    ("no runs", |_, runs| runs.clear()),
];

#[test]
fn set_ups_that_are_none_are_refused_and_a_good_one_served() {
    let helper = Helper::start(&["--workers", "1"]);
    let mut machine = Machine::start(&helper);
    machine.expect(kgpu_core::abi::guest::Event::Attach);
    let module = Module::new(&machine, 7);
    for (what, spoil) in WRONG {
        let (mut attach, mut runs) = (module.attach, module.runs());
        spoil(&mut attach, &mut runs);
        assert!(attach != module.attach || runs != module.runs(), "{what}");
        machine.send(&attach, &runs);
        assert_eq!(machine.answer(), Setup::Refused, "{what}");
    }
    // Not even a handshake, or not whole runs.
    let whole = [module.attach.as_bytes(), module.runs().as_bytes()].concat();
    for bytes in [1, 127, 128, 129, whole.len() - 1, whole.len() - 8] {
        machine.send_bytes(&whole[..bytes]);
        assert_eq!(machine.answer(), Setup::Refused, "{bytes} bytes");
    }
    module.set_up(&mut machine);
    works(&machine, &module, &mut module.kernel());
    let log = helper.stop();
    let refused = log.matches("refused a set-up").count() + log.matches("no session: ").count();
    assert_eq!(refused, WRONG.len() + 6, "{log}");
}

/// More runs than there may be, in a buffer of the guest's own memory over and over.
#[test]
fn too_many_runs_are_refused() {
    let helper = Helper::start(&[]);
    let mut machine = Machine::start(&helper);
    machine.expect(kgpu_core::abi::guest::Event::Attach);
    let module = Module::new(&machine, 1);
    let buffer = AREAS[0].0 + FREE;
    let answer = AREAS[0].0 + 0x8_0000;
    let runs = u32::try_from((RUNS_MAX + 1) * size_of::<PageRun>()).unwrap();
    for buffers in [
        vec![
            (buffer, 128, false),
            (buffer, runs, false),
            (answer, 8, true),
        ],
        // Nearly 4 GiB, if one believes it.
        vec![(buffer, u32::MAX - 4096, false), (answer, 8, true)],
        // Outside.
        vec![(0x5000_0000, 4096, false), (answer, 8, true)],
    ] {
        machine.setup.add(&buffers);
        machine.setup.ring();
        assert_eq!(machine.answer(), Setup::Refused, "{buffers:?}");
    }
    // No room for an answer: the buffer comes back empty.
    for buffers in [
        vec![(buffer, 4096, false)],
        vec![(buffer, 4096, false), (answer, 7, true)],
        vec![(buffer, 4096, false), (0x5000_0000, 8, true)],
    ] {
        machine.setup.add(&buffers);
        machine.setup.ring();
        let (_, bytes) = machine.setup.wait(PATIENCE).unwrap();
        assert_eq!(bytes, 0, "{buffers:?}");
    }
    module.set_up(&mut machine);
    works(&machine, &module, &mut module.kernel());
    helper.stop();
}

/// Headers that do not fit the handshake, which the helper sees only once it has mapped them.
#[test]
fn headers_that_lie_are_refused() {
    let helper = Helper::start(&["--workers", "1"]);
    let mut machine = Machine::start(&helper);
    machine.expect(kgpu_core::abi::guest::Event::Attach);
    let module = Module::new(&machine, 7);
    let control = module.region.control();
    // All but the deadline, which is the module's own affair, and what nobody reads.
    for word in 0..13 {
        let good = control.load(8 * word);
        control.store(8 * word, good ^ (1 << 40));
        machine.send(&module.attach, &module.runs());
        assert_eq!(machine.answer(), Setup::Refused, "word {word}");
        control.store(8 * word, good);
    }
    module.set_up(&mut machine);
    works(&machine, &module, &mut module.kernel());
    helper.stop();
}

/// What breaks the protocol ends the session, not the helper: the driver has to start anew.
#[test]
fn broken_rings_end_the_session() {
    let helper = Helper::start(&["--workers", "2"]);
    let mut machine = Machine::start(&helper);
    for (at, value) in [
        (word::SQ_TAIL, 99),
        (word::SQ_TAIL, u64::MAX),
        (word::STATE, 99),
        (word::STATE, 0),
    ] {
        let module = served(&mut machine, 1);
        works(&machine, &module, &mut module.kernel());
        module.region.control().store(at, value);
        machine.setup.ring();
        still(&module);
        machine.send(&module.attach, &module.runs());
        assert_eq!(machine.answer(), Setup::Refused);
        machine.stop_queues();
        machine.start_queues();
    }
    let module = served(&mut machine, 2);
    works(&machine, &module, &mut module.kernel());
    let log = helper.stop();
    assert_eq!(log.matches("the session broke").count(), 4, "{log}");
}

/// Everything that a module must never submit, from a guest.
#[test]
fn hostile_requests_are_refused_and_the_next_served() {
    let helper = Helper::start(&["--workers", "2"]);
    let mut machine = Machine::start(&helper);
    let module = served(&mut machine, 3);
    let ground = Ground::new(module.layout, 3, kgpu_algos::by_id).unwrap();
    let mut kernel = module.kernel();
    for hostile in HOSTILE.iter().map(Some).flat_map(|hostile| [hostile, None]) {
        let case = kernel.send(module.view(), &ground, hostile).unwrap();
        module.submitted(&machine);
        let since = std::time::Instant::now();
        let answer = loop {
            if let Some(answer) = kernel.pop(module.view()).unwrap() {
                break answer;
            }
            assert!(since.elapsed() < PATIENCE);
        };
        let status = hostile.map_or(kgpu_core::abi::Status::Ok, |hostile| hostile.status);
        assert!(case.is_answered(&answer, status), "{hostile:?}: {answer:?}");
    }
    module.set_state(&machine, SessionState::Retired);
    machine.expect(kgpu_core::abi::guest::Event::Attach);
    let log = helper.stop();
    assert!(log.contains(&format!("faults={}", HOSTILE.len())), "{log}");
}
