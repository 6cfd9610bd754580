//! What a process can do to mappings that it was given: each is tried while requests are served,
//! and everything is served on afterwards. One line of output each, as the suite hands it on.

use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use kgpu_core::peer::MockHelper;
use kgpu_guest::device::Mapping;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use rustix::mm::{MprotectFlags, MremapFlags};

use crate::region::{Region, Trouble};

const PAGE: usize = 4096;
/// How long it is tried to serve after a trick, and how many answers are enough.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWERS: u64 = 4;

/// Advice that must leave the data where it is, or be refused.
const ADVICE: &[(&str, libc::c_int)] = &[
    ("MADV_WILLNEED", libc::MADV_WILLNEED),
    ("MADV_COLD", libc::MADV_COLD),
    ("MADV_PAGEOUT", libc::MADV_PAGEOUT),
    ("MADV_FREE", libc::MADV_FREE),
    ("MADV_HUGEPAGE", libc::MADV_HUGEPAGE),
    ("MADV_MERGEABLE", libc::MADV_MERGEABLE),
    ("MADV_WIPEONFORK", libc::MADV_WIPEONFORK),
    ("MADV_DODUMP", libc::MADV_DODUMP),
];

struct Trickster {
    region: Region,
    peer: MockHelper,
}

/// Plays all tricks, and dies of the last one.
pub fn run() -> Result<(), Trouble> {
    let (region, peer) = Region::attach(false)?;
    let mut trickster = Trickster { region, peer };
    while trickster.region.is_open() && !trickster.region.is_live() {
        trickster.serve()?;
    }
    trickster.serves_on("before any trick")?;
    trickster.files();
    trickster.rights();
    trickster.children();
    trickster.serves_on("after refusals")?;
    trickster.sizes();
    trickster.advice()?;
    trickster.moves()?;
    trickster.holes()?;
    trickster.end()
}

/// A check's line.
fn check(name: &str, why_not: Option<String>) {
    match why_not {
        None => println!("pass {name}"),
        Some(why) => println!("fail {name} # {why}"),
    }
}

fn refused<T>(name: &str, expected: Errno, result: Result<T, Errno>) {
    check(
        name,
        match result {
            Err(errno) if errno == expected => None,
            Err(errno) => Some(format!("expected {expected:?}, got {errno:?}")),
            Ok(_) => Some(format!("expected {expected:?}, but it worked")),
        },
    );
}

fn works<T>(name: &str, result: Result<T, Errno>) -> Option<T> {
    let why_not = result.as_ref().err().map(|errno| format!("{errno:?}"));
    check(name, why_not);
    result.ok()
}

impl Trickster {
    fn serve(&mut self) -> Result<u64, Trouble> {
        self.peer.beat(self.region.view());
        let served = self.peer.serve(self.region.view())?;
        if served > 0 {
            self.region.kick_if_asked();
        } else {
            sleep(Duration::from_micros(200));
        }
        Ok(u64::try_from(served).unwrap_or(0))
    }

    fn serves_on(&mut self, when: &str) -> Result<(), Trouble> {
        let (since, mut served) = (Instant::now(), 0);
        while served < ANSWERS && since.elapsed() < PATIENCE && self.region.is_open() {
            served += self.serve()?;
        }
        let state = self.region.state().label();
        let why_not = format!("{served} requests served, session {state}");
        let well = served >= ANSWERS && self.region.is_live();
        check(
            &format!("requests are served {when}"),
            (!well).then_some(why_not),
        );
        Ok(())
    }

    fn parts(&self) -> [(&'static str, &Mapping); 3] {
        let region = &self.region;
        [
            ("control", &region.control),
            ("helper", &region.helper),
            ("pool", &region.pool),
        ]
    }

    fn files(&self) {
        let device = self.region.device.as_fd();
        for (what, len) in [("shorter", 0), ("longer", 1 << 40)] {
            let name = format!("ftruncate to make the device {what} is EINVAL");
            refused(&name, Errno::INVAL, rustix::fs::ftruncate(device, len));
        }
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let result = rustix::fs::fallocate(device, punch, 0, 4096);
        refused(
            "a hole punched into the device is ENODEV",
            Errno::NODEV,
            result,
        );
    }

    fn rights(&self) {
        let write = MprotectFlags::READ | MprotectFlags::WRITE;
        let control = &self.region.control;
        refused(
            "control part made writable is EACCES",
            Errno::ACCESS,
            control.protect(write),
        );
        for (name, part) in self.parts() {
            let rights = MprotectFlags::READ | MprotectFlags::EXEC;
            let name = format!("{name} part made executable is EACCES");
            refused(&name, Errno::ACCESS, part.protect(rights));
        }
        let pool = &self.region.pool;
        works(
            "pool made inaccessible",
            pool.protect(MprotectFlags::empty()),
        );
        works("and accessible again", pool.protect(write));
    }

    fn children(&self) {
        for (name, part) in self.parts() {
            let why_not = match part.child_touches() {
                Ok(Some(libc::SIGSEGV)) => None,
                Ok(end) => Some(format!("ended by signal {end:?}")),
                Err(errno) => Some(format!("{errno:?}")),
            };
            check(
                &format!("a child that touches the {name} part dies of SIGSEGV"),
                why_not,
            );
        }
    }

    fn sizes(&self) {
        for (name, part) in self.parts() {
            let len = part.bytes();
            let ways = [
                ("in place", len, MremapFlags::empty()),
                ("elsewhere", len, MremapFlags::MAYMOVE),
                ("as a second mapping", 0, MremapFlags::MAYMOVE),
            ];
            for (how, from, flags) in ways {
                let name = format!("{name} part made longer {how} is EFAULT");
                refused(&name, Errno::FAULT, part.grow(from, flags));
            }
        }
    }

    fn advice(&mut self) -> Result<(), Trouble> {
        for (name, advice) in ADVICE {
            for part in ["helper", "pool"] {
                let mapping = match part {
                    "pool" => &mut self.region.pool,
                    _ => &mut self.region.helper,
                };
                let said = match mapping.advise(*advice, 0..0) {
                    Ok(()) => "taken".to_owned(),
                    Err(errno) => format!("{errno:?}"),
                };
                println!("note {name} for the {part} part: {said}");
            }
            self.serves_on(&format!("after {name}"))?;
        }
        let remove = self.region.pool.advise(libc::MADV_REMOVE, 0..0);
        let why_not = remove.is_ok().then(|| "it worked".to_owned());
        check("MADV_REMOVE of the pool is refused", why_not);
        // Whether a helper can hand its region to a child if it wants to: no refusal is promised.
        for part in ["control", "helper", "pool"] {
            let mapping = match part {
                "control" => &mut self.region.control,
                "pool" => &mut self.region.pool,
                _ => &mut self.region.helper,
            };
            let said = mapping.advise(libc::MADV_DOFORK, 0..0);
            let child = mapping.child_touches();
            println!("note MADV_DOFORK for the {part} part: {said:?}, a child's signal: {child:?}");
        }
        self.serves_on("after MADV_DOFORK")
    }

    fn moves(&mut self) -> Result<(), Trouble> {
        let pool = self.region.pool.relocate();
        works("pool moved to another address", pool);
        let helper = self.region.helper.relocate();
        works("helper part moved to another address", helper);
        let control = self.region.control.relocate();
        works("control part moved to another address", control);
        self.serves_on("from there")
    }

    /// Requests whose data lies in a hole are refused by this helper; the module does them itself.
    fn holes(&mut self) -> Result<(), Trouble> {
        let middle = self.region.pool.bytes() / 2 / PAGE * PAGE;
        let gone = self
            .region
            .pool
            .advise(libc::MADV_DONTNEED, middle..middle + PAGE);
        println!("note MADV_DONTNEED for a page of the pool: {gone:?}");
        let there = self.region.pool.is_there(middle);
        println!("note the page is there afterwards: {there:?}");
        self.serves_on("after MADV_DONTNEED")?;
        let end = self.region.pool.bytes();
        let unmapped = self.region.pool.punch(0..middle);
        works("half of the pool unmapped", unmapped);
        // The other half begins with the page that was given up: it is left alone too.
        let there = self.region.pool.is_there(end - PAGE);
        check(
            "the rest of it is there",
            (there != Ok(true)).then(|| format!("{there:?}")),
        );
        self.serves_on("with half of the pool")
    }

    /// Touches what it gave up: whatever that does, it does to this process alone.
    fn end(mut self) -> Result<(), Trouble> {
        let middle = self.region.pool.bytes() / 2 / PAGE * PAGE;
        println!("end touching what is not there");
        let byte = self.region.pool.touch(middle);
        // Still here: the kernel gave the page back.
        println!("note the page that was given up holds {byte}");
        let len = self.region.pool.bytes();
        let gone = self.region.pool.advise(libc::MADV_DONTNEED, middle..len);
        println!("note MADV_DONTNEED for the rest of the pool: {gone:?}");
        let _byte = self.region.pool.touch(0);
        println!("fail touching unmapped memory ends the process # it did not");
        Ok(())
    }
}
