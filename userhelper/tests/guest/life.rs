//! Sessions from start to end: retired, quarantined, reset, detached; memory that changes or goes.

use std::time::Duration;

use kgpu_core::abi::guest::{Event, Setup};
use kgpu_core::abi::{SessionState, word};
use rustix::process::Signal;
use zerocopy::IntoBytes;

use super::helper::Helper;
use super::machine::{AREAS, Machine};
use super::module::{Module, served, still, works};

/// Nothing is told for this long.
const QUIET: Duration = Duration::from_millis(300);

#[test]
fn a_retired_session_is_let_go_and_the_next_served() {
    let helper = Helper::start(&["--workers", "1"]);
    let mut machine = Machine::start(&helper);
    let mut module = served(&mut machine, 1);
    for session in 2..5 {
        works(&machine, &module, &mut module.kernel());
        module.set_state(&machine, SessionState::Retired);
        machine.expect(Event::Attach);
        // The same memory again: nobody else has it any more.
        module = Module::new(&machine, session);
        module.set_up(&mut machine);
    }
    works(&machine, &module, &mut module.kernel());
    let log = helper.stop();
    assert_eq!(log.matches("ended=Retired").count(), 3, "{log}");
}

/// What was sent before this life's driver was invited is of another time, rung for or not.
#[test]
fn a_set_up_before_the_invitation_fails() {
    let helper = Helper::start(&["--workers", "1"]);
    let mut machine = Machine::start(&helper);
    machine.expect(Event::Attach);
    let module = Module::new(&machine, 1);
    machine.stop_queues();
    machine.start_empty_queues();
    machine.send(&module.attach, &module.runs());
    assert_eq!(machine.answer(), Setup::Failed);
    machine.lay_bytes(&[module.attach.as_bytes(), module.runs().as_bytes()].concat());
    machine.offer_event();
    assert_eq!(machine.answer(), Setup::Failed);
    machine.expect(Event::Attach);
    module.set_up(&mut machine);
    works(&machine, &module, &mut module.kernel());
    helper.stop();
}

#[test]
fn a_second_set_up_is_refused_beside_a_session() {
    let helper = Helper::start(&[]);
    let mut machine = Machine::start(&helper);
    let module = served(&mut machine, 1);
    machine.send(&module.attach, &module.runs());
    assert_eq!(machine.answer(), Setup::Refused);
    works(&machine, &module, &mut module.kernel());
    helper.stop();
}

#[test]
fn a_quarantined_helper_waits_for_the_driver_to_start_anew() {
    let helper = Helper::start(&["--once"]);
    let mut machine = Machine::start(&helper);
    let module = served(&mut machine, 1);
    module.set_state(&machine, SessionState::Quarantined);
    still(&module);
    assert_eq!(machine.event(QUIET), None);
    machine.send(&module.attach, &module.runs());
    assert_eq!(machine.answer(), Setup::Refused);
    machine.stop_queues();
    machine.start_queues();
    let module = served(&mut machine, 2);
    works(&machine, &module, &mut module.kernel());
    drop(machine);
    let end = helper.end();
    assert_eq!(end.code, Some(7), "{}", end.log);
    assert!(end.log.contains("next: "), "{}", end.log);
}

/// A driver that goes without a word: when its queues have stopped, nothing writes to its memory.
#[test]
fn stopped_queues_end_the_session_first() {
    let helper = Helper::start(&["--workers", "2"]);
    let mut machine = Machine::start(&helper);
    for session in 1..5 {
        let module = served(&mut machine, session);
        works(&machine, &module, &mut module.kernel());
        if session % 2 == 0 {
            machine.stop_queues();
        } else {
            // As User-Mode Linux does it.
            use vhost::vhost_user::VhostUserFrontend;
            machine.front.set_vring_enable(1, false).unwrap();
            machine.front.set_vring_enable(0, false).unwrap();
            vhost::VhostBackend::get_features(&machine.front).unwrap();
        }
        // The heartbeat is what writes all the time.
        let beat = || module.region.helper().load(word::HEARTBEAT);
        let before = beat();
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(beat(), before);
        machine.start_queues();
    }
    machine.expect(Event::Attach);
    helper.stop();
}

#[test]
fn a_session_outlives_a_new_table_with_its_memory_only() {
    let helper = Helper::start(&[]);
    let mut machine = Machine::start(&helper);
    let module = served(&mut machine, 1);
    let mut kernel = module.kernel();
    // The same, told the other way round; then more of it.
    let [a, b] = AREAS;
    machine.set_memory(&[b, a]);
    works(&machine, &module, &mut kernel);
    machine.set_memory(&[a, b, (0x2_0000_0000, 4096, 0)]);
    works(&machine, &module, &mut kernel);
    assert_eq!(machine.event(QUIET), None);
    // Without the second area, then with another place of the file in its stead.
    machine.set_memory(&[a]);
    machine.expect(Event::Attach);
    machine.send(&module.attach, &module.runs());
    assert_eq!(machine.answer(), Setup::Refused);
    machine.set_memory(&AREAS);
    let module = Module::new(&machine, 2);
    module.set_up(&mut machine);
    works(&machine, &module, &mut module.kernel());
    machine.set_memory(&[a, (b.0, b.1 - 4096, b.2 + 4096)]);
    machine.expect(Event::Attach);
    let log = helper.stop();
    assert_eq!(log.matches("left the guest").count(), 2, "{log}");
}

#[test]
fn a_told_helper_detaches_and_finishes() {
    let helper = Helper::start(&["--workers", "1"]);
    let mut machine = Machine::start(&helper);
    let module = served(&mut machine, 1);
    works(&machine, &module, &mut module.kernel());
    helper.signal(Signal::TERM);
    machine.expect(Event::Detach);
    module.set_state(&machine, SessionState::Retired);
    let end = helper.end();
    assert_eq!(end.code, Some(0), "{}", end.log);
}

/// A guest that goes on handing requests to a helper that was told to stop does not keep it.
#[test]
fn a_guest_cannot_keep_a_told_helper() {
    let helper = Helper::start(&["--workers", "1"]);
    let mut machine = Machine::start(&helper);
    let module = served(&mut machine, 1);
    let mut kernel = module.kernel();
    let algorithm = super::named("ctr(aes)");
    let src = super::noise(3, 4096);
    let request = kgpu_core::peer::Request {
        algorithm,
        shape: kgpu_core::request::Shape::single(algorithm.ops()[0], 4096, [0; 16]),
        key: &super::noise(4, 16),
        key_id: 99,
        src: &src,
    };
    let mut hand_over = |machine: &Machine| {
        let _ = kernel.hand_over(module.view(), &request).unwrap();
        module.submitted(machine);
        while kernel.reap(module.view()).unwrap().is_some() {}
    };
    hand_over(&machine);
    helper.signal(Signal::TERM);
    let over = std::sync::atomic::AtomicBool::new(false);
    let end = std::thread::scope(|scope| {
        let ended = scope.spawn(|| {
            let end = helper.end();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            end
        });
        while !over.load(std::sync::atomic::Ordering::Relaxed) {
            hand_over(&machine);
        }
        ended.join().unwrap()
    });
    assert_eq!(end.code, Some(0), "{}", end.log);
}

/// A machine that shortens the file behind the memory: the helper of that guest says so and is gone.
#[test]
fn memory_that_is_taken_back_ends_the_process() {
    let helper = Helper::start(&["--workers", "1"]);
    let mut machine = Machine::start(&helper);
    let _module = served(&mut machine, 1);
    rustix::fs::ftruncate(&*machine.memory.0, 4096).unwrap();
    let end = helper.end();
    assert_eq!((end.code, end.signal), (Some(9), None), "{}", end.log);
    let last = end.log.lines().last().unwrap();
    assert!(last.contains("took back memory"), "{last}");
}
