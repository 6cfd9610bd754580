//! What a guest's device does that it should not: handshakes, answers and events that are wrong or out
//! of order, devices that break, and regions without end.

use kgpu_core::abi::guest::{Event, Setup};
use kgpu_core::abi::{Attach, SessionState, word};
use zerocopy::IntoBytes;

use super::MS;
use super::guest::{Guest, handshake, request};
use crate::counters::Reason;
use crate::ffi::mock;
use crate::guest::ANSWER_NS;
use crate::kept::{self, KEEP_NS, PLACES};
use crate::session;

#[test]
fn handshakes_that_do_not_fit_are_refused_until_they_do() {
    let mut guest = Guest::new();
    let refused: [fn(&mut Attach); 5] = [
        |a| a.magic ^= 1,
        |a| a.minor += 1,
        |a| a.reserved_tail[3] = 1,
        |a| a.features |= 1 << 63,
        |a| a.tile_bytes = 5000,
    ];
    for change in refused {
        let mut attach = handshake();
        change(&mut attach);
        guest.device.configure(attach.as_bytes());
        guest.event(Event::Attach);
        assert!(guest.device.take_setup().is_none());
    }
    // Another device's, with less to read.
    guest.device.configure(&[7; 3]);
    guest.event(Event::Attach);
    assert!(guest.device.take_setup().is_none());
    assert_eq!((mock::live_pages(), kept::count()), (0, 0));
    assert_eq!(guest.device.work_again(), 0, "it is not asked again");
    guest.device.configure(handshake().as_bytes());
    guest.event(Event::Attach);
    guest.go_live();
}

#[test]
fn any_answer_but_one_ends_the_session_and_keeps_the_region() {
    for (code, bytes) in [
        (Setup::Refused.code(), 8),
        (Setup::Failed.code(), 8),
        (Setup::Serving.code(), 4),
        (Setup::Serving.code(), 0),
        (Setup::Serving.code(), u32::MAX),
        (0, 8),
        (4, 8),
        (u64::MAX, 8),
    ] {
        let mut guest = Guest::new();
        guest.event(Event::Attach);
        assert!(guest.device.take_setup().is_some());
        guest.answer(code, bytes);
        assert!(
            session::current().is_none(),
            "answered {code}, {bytes} bytes"
        );
        assert_eq!(kept::count(), 1, "the device knew of it");
        let pages = mock::live_pages();
        assert!(pages > 0);
        assert!(guest.device.take_setup().is_none(), "unasked");
        // Another answer is one to nothing.
        guest.answer(Setup::Serving.code(), 8);
        assert_eq!(mock::live_pages(), pages);
        guest.event(Event::Attach);
        guest.go_live();
    }
}

#[test]
fn what_comes_out_of_order_has_no_effect() {
    let mut guest = Guest::new();
    guest.event(Event::Kick);
    guest.event(Event::Detach);
    guest.answer(Setup::Serving.code(), 8);
    for (code, bytes) in [(0, 8), (4, 8), (u64::MAX, 8), (Event::Attach.code(), 4)] {
        guest.device.tell(code, bytes);
        guest.work();
    }
    assert!(session::current().is_none() && guest.device.take_setup().is_none());
    // Wanted again before the set-up was answered: no other until it is.
    guest.event(Event::Attach);
    assert!(guest.device.take_setup().is_some());
    let first = session::current().unwrap().generation;
    guest.event(Event::Attach);
    assert!(session::current().is_none(), "the first is over");
    assert!(
        guest.device.take_setup().is_none(),
        "the first is unanswered"
    );
    guest.answer(Setup::Serving.code(), 8);
    assert_ne!(session::current().unwrap().generation, first);
    guest.go_live();
    // Answered again, and told what is nothing.
    guest.answer(Setup::Failed.code(), 8);
    guest.device.tell(Event::Detach.code(), 7);
    guest.work();
    assert_eq!(guest.world.state(), SessionState::Live);
}

#[test]
fn a_device_that_never_answers_makes_room() {
    let mut guest = Guest::new();
    guest.event(Event::Attach);
    assert!(guest.device.take_setup().is_some());
    assert_eq!(guest.device.work_again(), 1000, "it is looked at again");
    mock::advance(ANSWER_NS / 2);
    guest.device.work_again();
    assert!(session::current().is_some());
    mock::advance(ANSWER_NS / 2);
    assert_eq!(guest.device.work_again(), 0);
    guest.work();
    assert!(session::current().is_none(), "another helper may attach");
    assert_eq!(kept::count(), 1, "the device knew of it");
    // It has the set-up still, so it gets no other before it answers.
    guest.event(Event::Attach);
    assert!(guest.device.take_setup().is_none());
    guest.answer(Setup::Serving.code(), 8);
    guest.go_live();
    assert_eq!(guest.device.work_again(), 0, "nothing is waited for");
}

#[test]
fn a_device_that_breaks_ends_its_session_when_it_is_rung() {
    let mut guest = Guest::live();
    let helper = guest.world.helper().session.clone();
    helper.helper.words().store(word::ASLEEP, 1);
    guest.device.break_it();
    let wanted = request(1);
    wanted.submit();
    guest.work();
    wanted.assert_right();
    assert_eq!(guest.world.fell_back(Reason::Death), 1);
    assert!(session::current().is_none());
    assert_eq!(kept::count(), 1);
    guest.event(Event::Attach);
    assert!(guest.device.take_setup().is_none(), "it is broken");
}

#[test]
fn a_device_that_breaks_unheard_is_found_by_the_deadline() {
    let mut guest = Guest::live();
    let wanted = request(1);
    wanted.submit();
    guest.world.passes();
    guest.device.break_it();
    guest.world.wait(1001 * MS);
    guest.work();
    wanted.assert_right();
    assert_eq!(guest.world.fell_back(Reason::Deadline), 1);
    assert!(session::current().is_none());
}

#[test]
fn a_device_that_breaks_in_its_test_makes_room() {
    let mut guest = Guest::new();
    guest.event(Event::Attach);
    assert!(guest.device.take_setup().is_some());
    guest.answer(Setup::Serving.code(), 8);
    let session = session::current().unwrap();
    assert_eq!(session.state(), SessionState::Testing);
    // Unheard: nothing rings until the deadline.
    guest.device.break_it();
    guest.device.take_notified();
    mock::advance(1001 * MS);
    guest.work();
    assert!(session::current().is_none());
    drop(session);
}

#[test]
fn a_device_that_breaks_while_it_is_stalled_is_found() {
    let mut guest = Guest::live();
    let wanted = request(1);
    wanted.submit();
    guest.world.passes();
    guest.world.wait(1001 * MS);
    wanted.assert_right();
    assert!(guest.world.active().is_stalled());
    guest.device.break_it();
    guest.world.wait(50 * MS);
    guest.work();
    assert!(session::current().is_none());
}

#[test]
fn no_more_regions_than_can_be_kept_are_made() {
    let mut guest = Guest::new();
    for _ in 0..PLACES {
        guest.spend();
    }
    assert_eq!(kept::count(), PLACES);
    let pages = mock::live_pages();
    guest.event(Event::Attach);
    assert!(guest.device.take_setup().is_none());
    assert_eq!(guest.device.work_again(), 1000, "milliseconds");
    assert_eq!(mock::live_pages(), pages);
    mock::advance(KEEP_NS);
    guest.world.engine.pass();
    assert_eq!((mock::live_pages(), kept::count()), (0, 0));
    assert_eq!(guest.device.work_again(), 1000, "looks for the answer");
    guest.go_live();
}

#[test]
fn a_set_up_that_fits_no_queue_leaves_no_session() {
    let mut guest = Guest::new();
    guest.device.fill();
    guest.event(Event::Attach);
    guest.work();
    assert!(session::current().is_none());
    assert!(guest.device.take_setup().is_none());
}
