//! Data in pool buffers of a caller of `kgpu.h`: no copy, and what a takeover leaves behind.

use std::rc::Rc;

use kgpu_core::abi::{IvStep, Op, SessionState};
use kgpu_core::request::Shape;

use super::{MS, World, bytes};
use crate::counters;
use crate::errno::Errno;
use crate::ffi::mock::{self, PoolBuffer, Request, Transform};

const LEN: u32 = 8192;

fn shape(op: Op) -> Shape {
    Shape {
        op,
        len: LEN,
        data_unit_size: 512,
        iv: [3; 16],
        iv_step: IvStep::Le64,
    }
}

fn pair(seed: u64) -> [Rc<PoolBuffer>; 2] {
    [
        PoolBuffer::new(&bytes(8192, seed)).unwrap(),
        PoolBuffer::new(&[0; 8192]).unwrap(),
    ]
}

fn request(tfm: &Rc<Transform>, [src, dst]: &[Rc<PoolBuffer>; 2]) -> Request {
    let request = Request::buffers(tfm, shape(Op::Encrypt), src, dst);
    assert_eq!(request.submit(), -Errno::INPROGRESS.0);
    request
}

#[test]
fn buffers_of_the_session_are_computed_where_they_are() {
    let mut world = World::live();
    let tfm = Transform::new("xts(aes)", &bytes(64, 1));
    let zero_copy = &counters::of(tfm.algorithm).zero_copy;
    let before = zero_copy.get();
    let buffers = pair(1);
    let request = request(&tfm, &buffers);
    world.settle();
    request.finish();
    assert_eq!(request.fallbacks(), 0);
    assert_eq!(zero_copy.get() - before, 1);
    drop(buffers);
    world.assert_balanced();
}

#[test]
fn a_takeover_computes_over_the_source_and_gives_the_destination_up() {
    let mut world = World::live();
    let tfm = Transform::new("xts(aes)", &bytes(64, 1));
    let buffers = pair(2);
    let request = request(&tfm, &buffers);
    world.passes();
    world.helper().take();
    world.wait(1001 * MS);
    request.assert_right();
    assert!(buffers[1].lost.get());
    let result = buffers[0].read();
    // The late write changes nothing of it, nor of who takes pool bytes next.
    let next = pair(3);
    let submission = world.helper().peer.taken.pop_front().unwrap();
    let before = next.each_ref().map(|b| b.read());
    // Its key may be gone; it writes anyway.
    world.helper().compute(&submission);
    buffers[1].write(&[0xdd; 8192]);
    assert_eq!(buffers[0].read(), result);
    assert_eq!(next.each_ref().map(|b| b.read()), before);
    request.finish();
    drop((buffers, next));
    world.assert_balanced();
}

#[test]
fn buffers_outlive_their_session_and_are_then_copied() {
    let mut world = World::live();
    let tfm = Transform::new("xts(aes)", &bytes(64, 1));
    let buffers = pair(4);
    let in_flight = request(&tfm, &buffers);
    world.passes();
    world.kill();
    in_flight.finish();
    assert!(
        buffers[1].lost.get(),
        "the dead helper's last write may still come"
    );
    let held = mock::live_pages();
    assert!(held > 0, "the pool is kept for its buffers");
    assert!(world.engine.pass() < u64::MAX, "it looks at them again");
    let none = request(&tfm, &buffers);
    world.passes();
    none.finish();
    // Under the next helper, data of the old session's buffers goes through its own pool.
    world.attach();
    world.start();
    let copied = request(&tfm, &buffers);
    world.settle();
    copied.finish();
    assert_eq!(copied.fallbacks(), 0);
    world.assert_balanced();
    drop(buffers);
    world.passes();
    assert!(mock::live_pages() < held * 2);
    world.kill();
    world.engine.pass();
    assert_eq!(mock::live_pages(), 0);
}

#[test]
fn a_retired_session_gives_no_buffers() {
    let mut world = World::live();
    assert_eq!(PoolBuffer::new(&[0; 2 << 20]).err(), Some(-Errno::NOMEM.0));
    world.ioctl(kgpu_core::abi::IOC_DETACH).unwrap();
    world.passes();
    assert_eq!(world.state(), SessionState::Retired);
    assert_eq!(PoolBuffer::new(&[0; 512]).err(), Some(-Errno::NXIO.0));
    world.assert_balanced();
    world.kill();
    assert_eq!(PoolBuffer::new(&[0; 512]).err(), Some(-Errno::NXIO.0));
}
