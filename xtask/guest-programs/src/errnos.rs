//! Every refusal of the device: a precise errno, and one line of the log at notice level.

use std::io;
use std::os::fd::OwnedFd;

use kgpu_core::abi::{
    Attach, AttachFlags, IOC_ATTACH, IOC_DETACH, IOC_KICK, IOC_START, MAP_CONTROL, MAP_HELPER,
    MAP_POOL,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, MremapFlags, ProtFlags};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use kgpu_guest::device::{Mapping, attach, attach_as, handshake, ioctl, open};
use kgpu_guest::report::Report;

const READ: ProtFlags = ProtFlags::READ;
const WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);
const SHARED: MapFlags = MapFlags::SHARED;

/// A number that is no ioctl of the device's, of its own type and of another.
const UNKNOWN: [u32; 2] = [0x4b63, 0x5401];

/// A change to a handshake.
type Spoil = fn(&mut Attach);

/// What a handshake must not say.
const SPOILED: &[(&str, Spoil)] = &[
    ("magic", |a| a.magic ^= 1),
    ("major", |a| a.major += 1),
    ("newer minor", |a| a.minor += 1),
    ("structure size", |a| a.struct_sizes[2] += 8),
    ("unknown flag", |a| a.flags |= 1 << 31),
    ("unknown feature", |a| a.features |= 1 << 63),
    ("reserved field in", |a| a.reserved_in = 1),
    ("reserved field out", |a| a.reserved_out = 1),
    ("reserved tail", |a| a.reserved_tail[3] = 1),
    ("odd tile size", |a| a.tile_bytes = 3000),
    ("large tile size", |a| a.tile_bytes = 2 << 20),
];

/// Runs all checks; whether all passed.
///
/// # Errors
/// When the log can't be read.
pub fn run() -> io::Result<bool> {
    let mut report = Report::new()?;
    report.refused_and_logged("open without CAP_SYS_ADMIN is EPERM", Errno::PERM, || {
        without_admin(open)?
    });
    if let Some(device) = report.works("open as root", open()) {
        before_attach(&mut report, &device);
        handshakes(&mut report, &device);
        if let Some(answer) = attached(&mut report, &device) {
            mappings(&mut report, &device, &answer);
        }
    }
    report.works("open after close", open());
    flood(&mut report);
    Ok(report.passed())
}

/// Runs something with CAP_SYS_ADMIN switched off.
fn without_admin<T>(work: impl FnOnce() -> T) -> Result<T, Errno> {
    let held = capabilities(None)?;
    let lowered = CapabilitySets {
        effective: held.effective.difference(CapabilitySet::SYS_ADMIN),
        ..held
    };
    set_capabilities(None, lowered)?;
    let result = work();
    set_capabilities(None, held)?;
    Ok(result)
}

fn before_attach(report: &mut Report, device: &OwnedFd) {
    report.refused_and_logged("mmap before attach is ENXIO", Errno::NXIO, || {
        Mapping::new(device, MAP_POOL, 4096, WRITE, SHARED)
    });
    for early in [IOC_START, IOC_KICK, IOC_DETACH] {
        let name = format!("{} before attach is ENXIO", early.name);
        report.refused_and_logged(&name, Errno::NXIO, || ioctl(device, early.request));
    }
    for request in UNKNOWN {
        let name = format!("unknown ioctl {request:#x} is ENOTTY");
        report.refused_and_logged(&name, Errno::NOTTY, || ioctl(device, request));
    }
    report.refused_and_logged("attach of another size is EINVAL", Errno::INVAL, || {
        let other = IOC_ATTACH.request ^ (8 << 16);
        attach_as(device, other, &mut handshake())
    });
    report.refused(
        "attach at a bad address is EFAULT",
        Errno::FAULT,
        ioctl(device, IOC_ATTACH.request),
    );
    report.refused_and_logged("attach without CAP_SYS_ADMIN is EPERM", Errno::PERM, || {
        without_admin(|| attach(device, &mut handshake()))?
    });
}

fn handshakes(report: &mut Report, device: &OwnedFd) {
    for (what, spoil) in SPOILED {
        let name = format!("attach with a wrong {what} is EINVAL");
        report.refused_and_logged(&name, Errno::INVAL, || {
            let mut request = handshake();
            spoil(&mut request);
            attach(device, &mut request)
        });
    }
}

fn attached(report: &mut Report, device: &OwnedFd) -> Option<Attach> {
    let mut answer = handshake();
    let result = attach(device, &mut answer);
    report.works("attach", result)?;
    report.refused_and_logged("second attach is EBUSY", Errno::BUSY, || {
        attach(device, &mut handshake())
    });
    if let Some(other) = report.works("open a second time", open()) {
        let name = "attach beside an attached helper is EBUSY";
        report.refused_and_logged(name, Errno::BUSY, || attach(&other, &mut handshake()));
        let name = "a takeover from one that is being tested is EBUSY";
        report.refused_and_logged(name, Errno::BUSY, || {
            let mut takeover = handshake();
            takeover.flags |= AttachFlags::TAKEOVER.bits();
            attach(&other, &mut takeover)
        });
    }
    report.refused_and_logged("start before the mappings is EINVAL", Errno::INVAL, || {
        ioctl(device, IOC_START.request)
    });
    Some(answer)
}

fn mappings(report: &mut Report, device: &OwnedFd, answer: &Attach) {
    let sizes = [answer.control_bytes, answer.helper_bytes, answer.pool_bytes];
    let [control, helper, pool] = sizes;
    let wrong = [
        ("a page behind the pool's offset", MAP_POOL + 4096, pool),
        ("an offset of no part", MAP_POOL * 2, pool),
        (
            "a page more than the control part",
            MAP_CONTROL,
            control + 4096,
        ),
        ("a page of the pool", MAP_POOL, 4096),
        ("a page less than the pool", MAP_POOL, pool - 4096),
        (
            "a page more than the helper part",
            MAP_HELPER,
            helper + 4096,
        ),
    ];
    for (what, offset, bytes) in wrong {
        let name = format!("mmap of {what} is ENXIO");
        report.refused_and_logged(&name, Errno::NXIO, || {
            Mapping::new(device, offset, bytes, READ, SHARED)
        });
    }
    report.refused_and_logged("executable pool is EACCES", Errno::ACCESS, || {
        let rights = ProtFlags::READ | ProtFlags::WRITE | ProtFlags::EXEC;
        Mapping::new(device, MAP_POOL, pool, rights, MapFlags::SHARED)
    });
    report.refused_and_logged("writable control part is EACCES", Errno::ACCESS, || {
        Mapping::new(device, MAP_CONTROL, control, WRITE, SHARED)
    });
    for (what, prot) in [("private", WRITE), ("private read-only", READ)] {
        let name = format!("{what} mapping is EINVAL");
        report.refused_and_logged(&name, Errno::INVAL, || {
            Mapping::new(device, MAP_POOL, pool, prot, MapFlags::PRIVATE)
        });
    }
    let parts = [
        ("control", MAP_CONTROL, control, READ),
        ("helper", MAP_HELPER, helper, WRITE),
        ("pool", MAP_POOL, pool, WRITE),
    ];
    let mut held = Vec::new();
    for (what, offset, bytes, prot) in parts {
        let mapping = Mapping::new(device, offset, bytes, prot, SHARED);
        held.extend(report.works(&format!("mmap of the {what} part"), mapping));
        let name = format!("second mmap of the {what} part is EBUSY");
        report.refused_and_logged(&name, Errno::BUSY, || {
            Mapping::new(device, offset, bytes, prot, SHARED)
        });
    }
    if let [control, helper, pool] = held.as_slice() {
        rights(report, control, helper, pool);
        life(report, device);
    }
}

/// What the mappings may become.
fn rights(report: &mut Report, control: &Mapping, helper: &Mapping, pool: &Mapping) {
    let write = MprotectFlags::READ | MprotectFlags::WRITE;
    report.refused(
        "control part made writable later is EACCES",
        Errno::ACCESS,
        control.protect(write),
    );
    report.refused(
        "pool made executable is EACCES",
        Errno::ACCESS,
        pool.protect(write | MprotectFlags::EXEC),
    );
    report.refused(
        "pool made longer is EFAULT",
        Errno::FAULT,
        pool.grow(pool.bytes(), MremapFlags::empty()),
    );
    for (name, part) in [("control", control), ("helper", helper), ("pool", pool)] {
        let why_not = match part.child_has_it() {
            Ok(false) => None,
            Ok(true) => Some("it does".to_owned()),
            Err(errno) => Some(errno.to_string()),
        };
        report.check(&format!("a child does not have the {name} part"), why_not);
    }
}

/// A session that does nothing, up to its end.
fn life(report: &mut Report, device: &OwnedFd) {
    let over = || {
        let mut fds = [PollFd::new(device, PollFlags::IN)];
        let _timed_out = rustix::event::poll(
            &mut fds,
            Some(&Timespec {
                tv_sec: 5,
                tv_nsec: 0,
            }),
        );
        fds[0].revents().contains(PollFlags::HUP)
    };
    report.works("detach", ioctl(device, IOC_DETACH.request));
    report.check(
        "poll tells the end of the session",
        (!over()).then(|| "no POLLHUP".to_owned()),
    );
}

/// A hundred refusals in a row must not fill the log.
fn flood(report: &mut Report) {
    std::thread::sleep(std::time::Duration::from_secs(6));
    let Some(device) = report.works("open for a flood", open()) else {
        return;
    };
    let _earlier = report.lines();
    let refused = (0..100)
        .filter(|_| ioctl(&device, UNKNOWN[0]).is_err())
        .count();
    let lines = report.lines().len();
    report.check(
        "a hundred refusals give ten lines",
        (refused != 100 || !(1..=10).contains(&lines))
            .then(|| format!("{refused} refused, {lines} lines")),
    );
}
