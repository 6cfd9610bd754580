//! What the device refuses, and with which errno.

use kgpu_core::abi::{
    Attach, AttachFlags, Features, IOC_ATTACH, IOC_DETACH, IOC_KICK, IOC_START, MAP_CONTROL,
    MAP_HELPER, MAP_POOL,
};
use zerocopy::IntoBytes;

use super::World;
use crate::device::{self, Mapping};
use crate::errno::Errno;
use crate::ffi::mock;

fn handshake() -> Attach {
    Attach::request(Features::SERVICES, AttachFlags::empty(), 0, "test")
}

#[test]
fn only_the_capable_are_helpers_and_one_at_a_time() {
    let mut world = World::new();
    mock::set_capable(false);
    assert_eq!(device::open().err(), Some(Errno::PERM));
    mock::set_capable(true);
    world.open();
    mock::set_capable(false);
    assert_eq!(world.attach_with(&handshake()).unwrap_err(), Errno::PERM);
    mock::set_capable(true);
    world.attach_with(&handshake()).unwrap();
    assert_eq!(world.attach_with(&handshake()).unwrap_err(), Errno::BUSY);
    let mut other = world.set_aside();
    world.open();
    assert_eq!(world.attach_with(&handshake()).unwrap_err(), Errno::BUSY);
    world.kill();
    world.swap(&mut other);
    // An open file that never attached holds nothing.
    world.kill();
    world.attach();
    world.start();
}

#[test]
fn handshakes_that_do_not_fit_are_refused() {
    let mut world = World::new();
    world.open();
    let refused: [fn(&mut Attach); 6] = [
        |a| a.magic ^= 1,
        |a| a.major += 1,
        |a| a.minor += 1,
        |a| a.features |= 1 << 63,
        |a| a.reserved_tail[3] = 1,
        |a| a.tile_bytes = 5000,
    ];
    for change in refused {
        let mut attach = handshake();
        change(&mut attach);
        assert_eq!(world.attach_with(&attach).unwrap_err(), Errno::INVAL);
    }
    mock::set_user(&handshake().as_bytes()[..100]);
    assert_eq!(
        world.device().ioctl(IOC_ATTACH.request, mock::USER),
        Err(Errno::FAULT)
    );
    assert_eq!(
        world.device().ioctl(IOC_ATTACH.request, 0),
        Err(Errno::FAULT)
    );
    world.set(5, "3");
    assert_eq!(world.attach_with(&handshake()).unwrap_err(), Errno::INVAL);
    assert_eq!(mock::live_pages(), 0, "what was refused keeps nothing");
}

#[test]
fn ioctls_and_mappings_have_their_order_and_their_sizes() {
    let mut world = World::new();
    world.open();
    for early in [IOC_START, IOC_KICK, IOC_DETACH] {
        assert_eq!(world.ioctl(early), Err(Errno::NXIO));
    }
    assert_eq!(world.device().ioctl(0x1234, 0), Err(Errno::NOTTY));
    assert_eq!(
        world.device().ioctl(IOC_ATTACH.request + (8 << 16), 0),
        Err(Errno::INVAL)
    );
    assert!(world.device().poll().over);
    let answer = world.attach_with(&handshake()).unwrap();
    assert!(!world.device().poll().over);
    assert_eq!(world.ioctl(IOC_START), Err(Errno::INVAL));
    let good = Mapping {
        offset: MAP_HELPER,
        bytes: answer.helper_bytes,
        writable: true,
        shared: true,
        executable: false,
    };
    let map = |mapping| world.device().map(mapping, |_| ());
    let refused = [
        (
            Mapping {
                offset: 4096,
                ..good
            },
            Errno::NXIO,
        ),
        (
            Mapping {
                bytes: good.bytes + 4096,
                ..good
            },
            Errno::NXIO,
        ),
        (
            Mapping {
                offset: MAP_CONTROL,
                bytes: answer.control_bytes,
                ..good
            },
            Errno::ACCES,
        ),
        (
            Mapping {
                executable: true,
                ..good
            },
            Errno::ACCES,
        ),
        (
            Mapping {
                shared: false,
                ..good
            },
            Errno::INVAL,
        ),
    ];
    for (mapping, errno) in refused {
        assert_eq!(map(mapping), Err(errno), "{mapping:?}");
    }
    map(good).unwrap();
    assert_eq!(map(good), Err(Errno::BUSY));
    let control = Mapping {
        offset: MAP_CONTROL,
        bytes: answer.control_bytes,
        writable: false,
        ..good
    };
    map(control).unwrap();
    assert_eq!(world.ioctl(IOC_START), Err(Errno::INVAL));
    map(Mapping {
        offset: MAP_POOL,
        bytes: answer.pool_bytes,
        ..good
    })
    .unwrap();
    world.ioctl(IOC_START).unwrap();
    world.ioctl(IOC_KICK).unwrap();
}

#[test]
fn a_helper_that_goes_before_the_engine_took_it_leaves_nothing() {
    let mut world = World::new();
    world.attach();
    world.kill();
    assert_eq!(mock::live_pages(), 0);
    world.attach();
    world.start();
}

#[test]
fn a_backends_name_is_shown_without_what_a_terminal_would_obey() {
    let mut world = World::new();
    world.open();
    let mut attach = handshake();
    attach.backend[2] = 0x1b;
    world.attach_with(&attach).unwrap();
    let mut text = String::new();
    crate::report::status(&mut text).unwrap();
    assert!(text.contains("te?t"), "{text}");
}
