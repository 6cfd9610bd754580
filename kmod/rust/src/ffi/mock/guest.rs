//! A virtio device, as a host's helper stands behind it: what it was handed, what it was told.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use std::cell::{Cell, RefCell};

use kgpu_core::num::index;

use super::pages::kgpu_glue_pages_address;
use crate::errno::Errno;
use crate::ffi::guest::{
    kgpu_rust_guest_answer, kgpu_rust_guest_event, kgpu_rust_guest_free, kgpu_rust_guest_is_closed,
    kgpu_rust_guest_new, kgpu_rust_guest_start, kgpu_rust_guest_stop, kgpu_rust_guest_stopped,
    kgpu_rust_guest_work,
};
use crate::guest::Guest;

/// What the glue's `struct kgpu_guest` is here.
#[derive(Debug, Default)]
struct Device {
    references: Cell<usize>,
    configuration: RefCell<Vec<u8>>,
    broken: Cell<bool>,
    /// The queue has no room.
    full: Cell<bool>,
    notified: Cell<usize>,
    wanted: Cell<bool>,
    setup: RefCell<Option<Vec<u8>>>,
}

/// A device and its driver.
#[derive(Debug)]
pub(crate) struct MockGuest {
    device: Box<Device>,
    guest: *mut Guest,
}

impl MockGuest {
    /// A device with this configuration space, found by the driver.
    pub(crate) fn new(configuration: &[u8], number: u32) -> Self {
        let device = Box::new(Device {
            references: Cell::new(1),
            configuration: RefCell::new(configuration.to_vec()),
            ..Device::default()
        });
        let handle: *const Device = &raw const *device;
        let mut guest = core::ptr::null_mut();
        // SAFETY: a device of this glue's, a place for the result.
        let error =
            unsafe { kgpu_rust_guest_new(handle.cast_mut().cast(), number, &raw mut guest) };
        assert_eq!(error, 0);
        // SAFETY: just made.
        unsafe { kgpu_rust_guest_start(guest) };
        Self { device, guest }
    }

    /// Tells the driver something.
    pub(crate) fn tell(&self, code: u64, bytes: u32) {
        // SAFETY: freed when this is dropped only.
        unsafe { kgpu_rust_guest_event(self.guest, code, bytes) };
    }

    /// Answers a set-up.
    pub(crate) fn answer(&self, code: u64, bytes: u32) {
        // SAFETY: as above.
        unsafe { kgpu_rust_guest_answer(self.guest, code, bytes) };
    }

    /// Runs the driver's work for as often as it was woken. The result is after how many milliseconds it
    /// wants to run again.
    pub(crate) fn work(&self) -> u32 {
        let mut again = 0;
        while self.device.wanted.replace(false) {
            // SAFETY: as above.
            again = unsafe { kgpu_rust_guest_work(self.guest) };
        }
        again
    }

    /// The same after the time that it asked for.
    pub(crate) fn work_again(&self) -> u32 {
        self.device.wanted.set(true);
        self.work()
    }

    /// The set-up that the driver sent last, taken.
    pub(crate) fn take_setup(&self) -> Option<Vec<u8>> {
        self.device.setup.take()
    }

    /// How often the doorbell rang since the last look.
    pub(crate) fn take_notified(&self) -> usize {
        self.device.notified.replace(0)
    }

    /// What the configuration space holds from now on.
    pub(crate) fn configure(&self, configuration: &[u8]) {
        self.device.configuration.replace(configuration.to_vec());
    }

    /// The machine finds the device broken.
    pub(crate) fn break_it(&self) {
        self.device.broken.set(true);
    }

    /// Its queue has no room from now on.
    pub(crate) fn fill(&self) {
        self.device.full.set(true);
    }

    /// Begins to remove the device: the engine is to let go of its session.
    pub(crate) fn stop(&self) {
        self.device.wanted.set(false);
        // SAFETY: as above.
        unsafe { kgpu_rust_guest_stop(self.guest) };
    }

    /// The engine has let go of its session.
    pub(crate) fn is_closed(&self) -> bool {
        // SAFETY: as above.
        unsafe { kgpu_rust_guest_is_closed(self.guest) != 0 }
    }

    /// The device was reset.
    pub(crate) fn stopped(&self) {
        // SAFETY: as above.
        unsafe { kgpu_rust_guest_stopped(self.guest) };
    }

    /// References that sessions have to the device: not the glue's, not the core's.
    pub(crate) fn references(&self) -> usize {
        self.device.references.get() - 2
    }
}

impl Drop for MockGuest {
    fn drop(&mut self) {
        // SAFETY: not used after.
        unsafe { kgpu_rust_guest_free(self.guest) };
        if self.device.references.get() > 1 {
            // After a failed test a session may still have it.
            let empty = Box::new(Device::default());
            empty.references.set(1);
            Box::leak(core::mem::replace(&mut self.device, empty));
        }
    }
}

fn device<'a>(handle: *mut c_void) -> &'a Device {
    // SAFETY: every handle is a device's that a test made, and not freed while it has references.
    unsafe { NonNull::new(handle).unwrap().cast::<Device>().as_ref() }
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_guest_get(handle: *mut c_void) {
    let references = &device(handle).references;
    references.set(references.get() + 1);
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_guest_put(handle: *mut c_void) {
    let references = &device(handle).references;
    references.set(references.get() - 1);
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_guest_notify(handle: *mut c_void) -> c_int {
    let device = device(handle);
    device.notified.set(device.notified.get() + 1);
    c_int::from(!device.broken.get())
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_guest_is_broken(handle: *mut c_void) -> c_int {
    c_int::from(device(handle).broken.get())
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_guest_wake(handle: *mut c_void) {
    device(handle).wanted.set(true);
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_guest_read(handle: *mut c_void, to: *mut u8, len: usize) {
    let configuration = device(handle).configuration.borrow();
    let len = len.min(configuration.len());
    // SAFETY: the caller's place is writable for `len` bytes, which there are.
    unsafe { to.copy_from_nonoverlapping(configuration.as_ptr(), len) };
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_guest_set_up(handle: *mut c_void, pages: *mut c_void, bytes: u64) -> c_int {
    let device = device(handle);
    if device.full.get() {
        return -Errno::NOSPC.0;
    }
    let from = kgpu_glue_pages_address(pages);
    // SAFETY: the caller's pages hold that many bytes.
    let setup = unsafe { core::slice::from_raw_parts(from, index(bytes)) }.to_vec();
    device.setup.replace(Some(setup));
    0
}
