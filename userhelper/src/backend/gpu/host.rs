//! A device without a GPU: the kernels' host side, run at once on the calling thread over ordinary memory. For
//! tests of kernels and backend on any machine; slow, because it runs a GPU's threads one after the other.
//!
//! It is stricter than a GPU: it checks every address of a copy. On request it fails, as a GPU would: the
//! failed call and all that come after it are refused until the device is opened anew.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kgpu_core::algorithm::Algorithm;
use kgpu_core::device::{Args, Card, Entry};
use kgpu_core::num::index;
use zeroize::Zeroize;

use super::device::{Address, Device, DeviceError, Opener, Pinned, Queue, Wait};
use crate::region::Window;

/// The name on the command line and in logs.
pub const NAME: &str = "host-kernels";
/// The number in completions.
pub const CODE: u16 = 3;

/// A card that has room for every kernel's shared memory.
const CARD: Card = Card {
    sms: 3,
    shared_per_block: 227 << 10,
    shared_per_sm: 228 << 10,
    threads_per_sm: 2048,
};

/// What goes wrong, and when: counts down to 0, where nothing happens any more.
#[derive(Debug, Default)]
pub struct Faults {
    /// The how-manieth launch from now fails.
    pub launch: AtomicU64,
    /// The how-manieth copy to the device from now fails.
    pub copy_in: AtomicU64,
    /// The how-manieth copy to the host from now fails.
    pub copy_out: AtomicU64,
    /// The how-manieth launch from now counts an item too many.
    pub stats: AtomicU64,
    /// So many times from now the device can't be opened.
    pub open: AtomicU64,
    /// So many times from now areas of sources can't be registered.
    pub sources: AtomicU64,
    /// No queue comes to its mark.
    pub held: AtomicBool,
    /// Times the device was opened.
    pub opened: AtomicU64,
    /// Launches so far.
    pub launches: AtomicU64,
    /// What each launch looks for first, in all memory of the device and all pinned memory, if anything.
    pub wanted: Mutex<Vec<u8>>,
    /// How often the last launch found it.
    pub found: AtomicU64,
}

/// Whether a countdown goes on.
fn counted(count: &AtomicU64) -> bool {
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
        .is_ok()
}

/// Whether a countdown comes to its end.
fn strikes(count: &AtomicU64) -> bool {
    let counted = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    counted == Ok(1)
}

/// Opens host devices.
#[derive(Debug, Default)]
pub struct HostOpener {
    /// What goes wrong.
    pub faults: Arc<Faults>,
}

impl Opener for HostOpener {
    fn name(&self) -> &'static str {
        NAME
    }

    fn code(&self) -> u16 {
        CODE
    }

    fn describe(&self) -> String {
        "the host as a device".into()
    }

    fn open(&self, _: &[&'static Algorithm]) -> Result<Box<dyn Device>, DeviceError> {
        if counted(&self.faults.open) {
            return Err(DeviceError::new("opening", "told to fail"));
        }
        self.faults.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Host {
            memory: Vec::new(),
            pool: None,
            sources: Vec::new(),
            faults: Arc::clone(&self.faults),
            failed: AtomicBool::new(false),
        }))
    }

    fn failed(&self) {}
}

/// Memory at a multiple of 256.
#[repr(C, align(256))]
#[derive(Clone, Copy)]
struct Grain([u8; 256]);

#[derive(Debug)]
struct Memory {
    base: NonNull<Grain>,
    grains: usize,
}

// SAFETY: owns its bytes; they are reached through the device's calls only.
unsafe impl Send for Memory {}

impl Memory {
    fn new(bytes: usize) -> Self {
        let grains = bytes.div_ceil(256).max(1);
        let boxed: Box<[Grain]> = vec![Grain([0; 256]); grains].into();
        let base = NonNull::from(Box::leak(boxed)).cast::<Grain>();
        // Kernels make pointers of addresses.
        let _ = base.as_ptr().expose_provenance();
        Self { base, grains }
    }

    /// How often it holds `wanted`, for nobody else's eyes at the same time.
    fn count(&self, wanted: &[u8]) -> usize {
        // SAFETY: its own bytes, initialised; a launch is the only one to touch them while it runs, on its thread.
        let all = unsafe {
            std::slice::from_raw_parts(self.base.as_ptr().cast::<u8>(), self.grains * 256)
        };
        all.windows(wanted.len())
            .filter(|window| *window == wanted)
            .count()
    }

    fn has(&self, at: usize, bytes: usize) -> bool {
        let base = self.base.as_ptr().addr();
        at >= base && bytes <= self.grains * 256 && at - base <= self.grains * 256 - bytes
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let all = std::ptr::slice_from_raw_parts_mut(self.base.as_ptr(), self.grains);
        // SAFETY: the box that `new` leaked; nothing else frees it, and its users are gone with the device.
        let mut memory = unsafe { Box::from_raw(all) };
        for grain in &mut memory {
            grain.0.zeroize();
        }
    }
}

/// The host as a device.
#[derive(Debug)]
struct Host {
    memory: Vec<Memory>,
    pool: Option<Window>,
    sources: Vec<Window>,
    faults: Arc<Faults>,
    failed: AtomicBool,
}

impl Host {
    /// Fails when told to, and from then on always.
    fn check(&self, what: &'static str, strikes: bool) -> Result<(), DeviceError> {
        if strikes {
            self.failed.store(true, Ordering::Relaxed);
            return Err(DeviceError::new(what, "told to fail"));
        }
        if self.failed.load(Ordering::Relaxed) {
            return Err(DeviceError::new(what, "the device has failed before"));
        }
        Ok(())
    }

    /// Looks for what a test wants to know of.
    fn look(&self) {
        let wanted = self
            .faults
            .wanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !wanted.is_empty() {
            let found: usize = self.memory.iter().map(|memory| memory.count(&wanted)).sum();
            let found = u64::try_from(found).unwrap_or(u64::MAX);
            self.faults.found.store(found, Ordering::Release);
        }
    }

    /// Checks that memory is the device's or, for the host's side of a copy, the pool's.
    fn owned(
        &self,
        what: &'static str,
        at: usize,
        bytes: usize,
        pool: bool,
    ) -> Result<(), DeviceError> {
        let window = self.pool.as_ref().filter(|_| pool);
        let in_pool = window.is_some_and(|pool| {
            let base = pool.base().as_ptr().addr();
            at >= base && bytes <= pool.len() && at - base <= pool.len() - bytes
        });
        if in_pool || self.memory.iter().any(|memory| memory.has(at, bytes)) {
            return Ok(());
        }
        self.failed.store(true, Ordering::Relaxed);
        Err(DeviceError::new(
            what,
            format!("illegal address {at:#x} of {bytes} bytes"),
        ))
    }

    fn own(&mut self, bytes: usize) -> NonNull<u8> {
        let memory = Memory::new(bytes);
        let base = memory.base;
        self.memory.push(memory);
        base.cast()
    }
}

impl Device for Host {
    fn enter(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn card(&self) -> Card {
        CARD
    }

    fn blocks(&self, entry: &Entry) -> u32 {
        entry.blocks(&CARD)
    }

    fn free_memory(&self) -> Result<u64, DeviceError> {
        Ok(1 << 40)
    }

    fn queues(&mut self, _: usize) -> Result<(), DeviceError> {
        Ok(())
    }

    fn register(&mut self, pool: Window) -> Result<Address, DeviceError> {
        let base = pool.base().as_ptr().expose_provenance();
        self.pool = Some(pool);
        Ok(u64::try_from(base).unwrap_or(0))
    }

    fn register_sources(&mut self, areas: Vec<Window>) -> Result<Vec<Address>, DeviceError> {
        if counted(&self.faults.sources) {
            return Err(DeviceError::new("registering sources", "told to fail"));
        }
        let address =
            |area: &Window| u64::try_from(area.base().as_ptr().expose_provenance()).unwrap_or(0);
        let addresses = areas.iter().map(address).collect();
        self.sources = areas;
        Ok(addresses)
    }

    fn allocate(&mut self, bytes: usize) -> Result<Address, DeviceError> {
        Ok(u64::try_from(self.own(bytes).as_ptr().addr()).unwrap_or(0))
    }

    fn pinned(&mut self, bytes: usize) -> Result<Pinned, DeviceError> {
        let base = self.own(bytes);
        let address = u64::try_from(base.as_ptr().addr()).unwrap_or(0);
        Ok(Pinned::new(base, bytes, address))
    }

    unsafe fn copy_in(
        &self,
        _: Queue,
        dst: Address,
        src: *const u8,
        bytes: usize,
    ) -> Result<(), DeviceError> {
        self.check("copying to the device", strikes(&self.faults.copy_in))?;
        self.owned("copying to the device", index(dst), bytes, false)?;
        self.owned("copying to the device", src.addr(), bytes, true)?;
        let dst = std::ptr::with_exposed_provenance_mut::<u8>(index(dst));
        // SAFETY: both are memory that this device has or was given (checked), and undisturbed (the caller's
        // promise).
        unsafe { std::ptr::copy(src, dst, bytes) };
        Ok(())
    }

    unsafe fn copy_out(
        &self,
        _: Queue,
        dst: *mut u8,
        src: Address,
        bytes: usize,
    ) -> Result<(), DeviceError> {
        self.check("copying to the host", strikes(&self.faults.copy_out))?;
        self.owned("copying to the host", dst.addr(), bytes, true)?;
        self.owned("copying to the host", index(src), bytes, false)?;
        let src = std::ptr::with_exposed_provenance::<u8>(index(src));
        // SAFETY: as in `copy_in`.
        unsafe { std::ptr::copy(src, dst, bytes) };
        Ok(())
    }

    unsafe fn clear(&self, _: Queue, at: Address, bytes: usize) -> Result<(), DeviceError> {
        self.check("clearing", false)?;
        self.owned("clearing", index(at), bytes, false)?;
        let at = std::ptr::with_exposed_provenance_mut::<u8>(index(at));
        // SAFETY: memory of this device (checked), undisturbed (the caller's promise).
        unsafe { std::ptr::write_bytes(at, 0, bytes) };
        Ok(())
    }

    unsafe fn launch(
        &self,
        _: Queue,
        entry: &Entry,
        blocks: u32,
        args: &Args,
    ) -> Result<(), DeviceError> {
        self.check("launching", strikes(&self.faults.launch))?;
        self.look();
        self.faults.launches.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise. A kernel that panics leaves nothing behind that is used.
        let ran = catch_unwind(AssertUnwindSafe(|| unsafe {
            (entry.host)(entry, blocks, args)
        }));
        self.check(entry.name, ran.is_err())?;
        if strikes(&self.faults.stats) {
            // SAFETY: the launch's own stats, which the kernel has just written.
            unsafe { (*args.stats).items += 1 };
        }
        Ok(())
    }

    fn mark(&self, _: Queue) -> Result<(), DeviceError> {
        self.check("marking", false)
    }

    fn reached(&self, _: Queue) -> Result<bool, DeviceError> {
        self.check("asking", false)?;
        Ok(!self.faults.held.load(Ordering::Acquire))
    }

    fn follow(&self, _: Queue, _: Queue) -> Result<(), DeviceError> {
        self.check("following", false)
    }

    fn finish(&self, _: Queue) -> Result<(), DeviceError> {
        self.check("finishing", false)
    }

    fn waiter(&self) -> Box<dyn Wait> {
        Box::new(HostWait(Arc::clone(&self.faults)))
    }
}

struct HostWait(Arc<Faults>);

impl Wait for HostWait {
    fn wait(&self, _: Queue) {
        while self.0.held.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}
