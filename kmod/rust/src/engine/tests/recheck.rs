//! Rechecks: what a helper computed wrongly reaches nobody.

use kgpu_core::abi::{Op, SessionState};
use kgpu_core::peer::{Dice, Lie};

use super::{World, bytes};
use crate::counters::{GLOBAL, Reason};
use crate::ffi::mock::{Request, Transform};

/// Parameter number of `recheck`.
const RECHECK: u32 = 10;

fn rechecks() -> [u64; 2] {
    [GLOBAL.rechecks.get(), GLOBAL.rechecks_wrong.get()]
}

/// Has the next request answered with one wrong byte.
fn answer_wrongly(world: &mut World) {
    assert_eq!(world.helper().take(), 1);
    let submission = world.helper().peer.taken.pop_front().unwrap();
    world
        .helper()
        .tell(Lie::WrongData, &submission, &mut Dice::new(1));
}

#[test]
fn right_results_pass_and_give_everything_back() {
    for in_place in [false, true] {
        let mut world = World::live();
        world.set(RECHECK, "1");
        let before = rechecks();
        let tfm = Transform::new("cbc(aes)", &[7; 16]);
        for (op, seed) in [(Op::Encrypt, 1), (Op::Decrypt, 2)] {
            let mut request = Request::cipher(&tfm, op, &bytes(4992, seed), [9; 16]);
            if in_place {
                request = request.in_place();
            }
            request.submit();
            world.settle();
            request.assert_right();
            assert_eq!(request.fallbacks(), 1, "the bytes are the fallback's");
        }
        assert_eq!(rechecks(), [before[0] + 2, before[1]]);
        assert_eq!(world.state(), SessionState::Live);
        world.assert_balanced();
    }
}

#[test]
fn the_first_wrong_byte_quarantines_and_reaches_nobody() {
    for in_place in [false, true] {
        let mut world = World::live();
        world.set(RECHECK, "1");
        let before = rechecks();
        let tfm = Transform::new("ctr(aes)", &[7; 16]);
        let mut request = Request::cipher(&tfm, Op::Encrypt, &bytes(4992, 1), [9; 16]);
        if in_place {
            request = request.in_place();
        }
        request.submit();
        world.passes();
        answer_wrongly(&mut world);
        world.passes();
        request.assert_right();
        assert_eq!(world.state(), SessionState::Quarantined);
        assert_eq!(rechecks(), [before[0] + 1, before[1] + 1]);
        assert_eq!(world.fell_back(Reason::Wrong), 1);
        assert_eq!(world.bad()[0], 1, "quarantines");
        world.assert_balanced();
    }
}

#[test]
fn one_in_so_many_is_looked_at() {
    let mut world = World::live();
    world.set(RECHECK, "4");
    let before = rechecks();
    let tfm = Transform::new("ecb(aes)", &[7; 16]);
    for seed in 0..40 {
        let request = Request::cipher(&tfm, Op::Encrypt, &bytes(512, seed), [0; 16]);
        request.submit();
        world.settle();
        request.assert_right();
    }
    assert_eq!(
        rechecks()[0] - before[0],
        10,
        "the test's chance is regular"
    );
    world.assert_balanced();
}

/// The device is closed while the fallback still computes: the region lives until it has compared.
#[test]
fn a_helper_that_dies_meanwhile_changes_nothing() {
    let mut world = World::live();
    world.set(RECHECK, "1");
    let tfm = Transform::new("ecb(aes)", &[7; 16]);
    let request = Request::cipher(&tfm, Op::Encrypt, &bytes(4992, 3), [0; 16]);
    request.submit();
    world.engine.pass();
    world.helper().serve();
    world.engine.pass();
    assert_eq!(request.answers(), 0, "the fallback has it");
    world.kill();
    request.assert_right();
}
