//! Attaching, as far as it goes without the module: a file in memory stands for the device's
//! mappings, an ordinary file for a device that is none.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::fd::{AsFd, OwnedFd};

use kgpu_core::abi::{
    Attach, AttachFlags, Features, Header, Layout, MAP_CONTROL, MAP_HELPER, MAP_POOL, RingSizes,
};
use kgpu_userhelper::device::Device;
use kgpu_userhelper::error::{UserError, exit};
use kgpu_userhelper::region::{Region, RegionError};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use zerocopy::IntoBytes;

/// A file with the mappings of a session, and the handshake that goes with it.
fn session(spoil: impl FnOnce(&mut Header, &mut Attach)) -> (OwnedFd, Attach) {
    let layout = Layout::new(RingSizes {
        entries: 8,
        tiles: 64,
        keys: 4,
        pool_bytes: 1 << 20,
    })
    .unwrap();
    let mut attach = Attach::request(Features::SERVICES, AttachFlags::SLEEPS, 0, "cpu");
    attach.session = 42;
    attach.features_in_force = Features::SERVICES.bits();
    attach.control_bytes = layout.control_bytes;
    attach.helper_bytes = layout.helper_bytes;
    attach.pool_bytes = layout.sizes.pool_bytes;
    let mut header = layout.header(42, Features::SERVICES, 1_000_000);
    spoil(&mut header, &mut attach);
    let file = memfd_create("kgpu-test", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, MAP_POOL + layout.sizes.pool_bytes).unwrap();
    rustix::io::pwrite(&file, header.as_bytes(), MAP_CONTROL).unwrap();
    (file, attach)
}

fn refused(spoil: impl FnOnce(&mut Header, &mut Attach)) -> RegionError {
    let (file, attach) = session(spoil);
    Region::of_device(file.as_fd(), &attach, 1).unwrap_err()
}

#[test]
fn a_session_is_mapped_where_the_abi_says() {
    let (file, attach) = session(|_, _| ());
    let region = Region::of_device(file.as_fd(), &attach, 1).unwrap();
    assert_eq!(region.session(), 42);
    assert_eq!(region.pool().len(), 1 << 20);
    region.helper().store(128, 0x1122);
    let mut seen = [0u8; 8];
    rustix::io::pread(&file, &mut seen, MAP_HELPER + 128).unwrap();
    assert_eq!(u64::from_ne_bytes(seen), 0x1122);
    let region = std::sync::Arc::new(region);
    let mut lane = kgpu_userhelper::region::Lane::take(&region).unwrap();
    lane.write(4096, 4, |to| to.copy_from_slice(b"pool"))
        .unwrap();
    let mut seen = [0u8; 4];
    rustix::io::pread(&file, &mut seen, MAP_POOL + 4096).unwrap();
    assert_eq!(&seen, b"pool");
}

/// Minor revisions are compatible in both directions.
#[test]
fn a_newer_minor_is_served() {
    let (file, attach) = session(|h, _| h.minor += 1);
    assert!(Region::of_device(file.as_fd(), &attach, 1).is_ok());
}

#[test]
fn foreign_headers_are_refused() {
    let revision = |error| matches!(error, RegionError::Revision(_));
    assert!(revision(refused(|h, _| h.magic ^= 1)));
    assert!(revision(refused(|h, _| h.major += 1)));
    assert!(revision(refused(|h, _| h.struct_sizes[2] = 48)));
    let layout = |error| matches!(error, RegionError::Layout(_));
    assert!(layout(refused(|h, _| h.sq_entries = 7)));
    assert!(layout(refused(|h, _| h.tile_offset += 64)));
    assert!(layout(refused(|h, _| h.pool_bytes = 5)));
    let handshake = |error| matches!(error, RegionError::Handshake { .. });
    assert!(handshake(refused(|h, _| h.session = 41)));
    assert!(handshake(refused(|_, a| a.pool_bytes += 4096)));
    assert!(handshake(refused(|_, a| a.features_in_force = 0)));
    let none = refused(|_, a| a.control_bytes = 0);
    assert!(matches!(none, RegionError::Map { .. }), "{none}");
}

#[test]
fn a_file_that_is_no_device() {
    let path = std::env::temp_dir().join(format!("kgpu-no-device-{}", std::process::id()));
    std::fs::write(&path, "").unwrap();
    let device = Device::open(&path).unwrap();
    let error = UserError::from(device.attach("cpu", 0, false).unwrap_err());
    assert_eq!(error.code, exit::REVISION, "{error}");
    assert!(device.start().is_err() && device.detach().is_err());
    drop(device);
    std::fs::remove_file(&path).unwrap();
    let error = UserError::from(Device::open(&path).unwrap_err());
    assert_eq!(error.code, exit::NO_MODULE, "{error}");
}
