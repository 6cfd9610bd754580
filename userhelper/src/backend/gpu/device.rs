//! What the backend needs of a device: the operations of a GPU driver, as few as possible. No policy here:
//! what is copied and launched, and when, is the backend's affair.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use kgpu_core::algorithm::Algorithm;
use kgpu_core::device::{Args, Card, Entry};

use crate::region::Window;

/// An address as kernels see it.
pub type Address = u64;

/// Numbers a queue of a device; what is put into one queue is done in that order.
pub type Queue = usize;

/// Why a device could not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct DeviceError {
    /// What was tried.
    pub what: &'static str,
    /// The driver's word for it.
    pub why: String,
}

impl DeviceError {
    /// An error with the driver's word for it.
    #[must_use]
    pub fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self {
            what,
            why: why.into(),
        }
    }
}

/// Host memory that a device copies from and to at full speed. It is the device's, and gone when the device
/// is dropped.
#[derive(Debug)]
pub struct Pinned {
    base: NonNull<u8>,
    len: usize,
    address: Address,
}

// SAFETY: an address range; all access is through `part`, whose caller answers for it.
unsafe impl Send for Pinned {}

impl Pinned {
    /// A device's pinned memory, and where its kernels see it. `base` is a multiple of 16, and `len` bytes from it
    /// are initialised.
    #[must_use]
    pub const fn new(base: NonNull<u8>, len: usize, address: Address) -> Self {
        Self { base, len, address }
    }

    /// Where kernels see it.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Its first byte, for copies.
    #[must_use]
    pub const fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Some of its bytes; none when it has no such bytes.
    ///
    /// # Safety
    /// The device lives, and nothing in its queues reads or writes these bytes.
    pub unsafe fn part(&mut self, from: usize, len: usize) -> &mut [u8] {
        if from.checked_add(len).is_none_or(|end| end > self.len) {
            return &mut [];
        }
        // SAFETY: inside the memory, which is valid and initialised while the device lives (`new`); the device
        // leaves these bytes alone (the caller's promise), and `&mut self` is the only way to them in this
        // process.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(from), len) }
    }
}

/// A GPU, or what stands for one. Owns all its memory: dropping it waits for what is in its queues, zeroes
/// its memory, frees it and lets go of the pool and of a guest's memory.
pub trait Device: Send + std::fmt::Debug {
    /// Makes the device usable on the calling thread.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn enter(&self) -> Result<(), DeviceError>;

    /// What it can do.
    fn card(&self) -> Card;

    /// Blocks of a kernel that run at the same time.
    fn blocks(&self, entry: &Entry) -> u32;

    /// Bytes of free memory.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn free_memory(&self) -> Result<u64, DeviceError>;

    /// Makes `count` queues, numbered from 0.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn queues(&mut self, count: usize) -> Result<(), DeviceError>;

    /// Registers the pool: copies to and from it are asynchronous, and kernels can reach it at the address
    /// returned. Holds it until the device is dropped.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn register(&mut self, pool: Window) -> Result<Address, DeviceError>;

    /// Registers areas of a guest's sources, all of them or none: kernels can reach them at the addresses returned, and
    /// only read there. Holds them until the device is dropped.
    ///
    /// # Errors
    /// [`DeviceError`]; the device is as before then.
    fn register_sources(&mut self, areas: Vec<Window>) -> Result<Vec<Address>, DeviceError>;

    /// Device memory, zeroed, at a multiple of 256.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn allocate(&mut self, bytes: usize) -> Result<Address, DeviceError>;

    /// Pinned host memory, zeroed.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn pinned(&mut self, bytes: usize) -> Result<Pinned, DeviceError>;

    /// Copies host memory to the device.
    ///
    /// # Safety
    /// `src` lies in pinned memory or the registered pool, `dst` in allocated device memory, both with
    /// `bytes` bytes, and neither is written by anything else until the queue has done it.
    ///
    /// # Errors
    /// [`DeviceError`].
    unsafe fn copy_in(
        &self,
        queue: Queue,
        dst: Address,
        src: *const u8,
        bytes: usize,
    ) -> Result<(), DeviceError>;

    /// Copies device memory to the host.
    ///
    /// # Safety
    /// As for [`Device::copy_in`], and nothing else reads `dst` until the queue has done it.
    ///
    /// # Errors
    /// [`DeviceError`].
    unsafe fn copy_out(
        &self,
        queue: Queue,
        dst: *mut u8,
        src: Address,
        bytes: usize,
    ) -> Result<(), DeviceError>;

    /// Zeroes device memory.
    ///
    /// # Safety
    /// `bytes` bytes at `at` are allocated device memory, and nothing else uses them until the queue has done
    /// it.
    ///
    /// # Errors
    /// [`DeviceError`].
    unsafe fn clear(&self, queue: Queue, at: Address, bytes: usize) -> Result<(), DeviceError>;

    /// Launches a kernel of `blocks` blocks.
    ///
    /// # Safety
    /// All that `args` and the tiles there name is valid for the kernel, until the queue has done it.
    ///
    /// # Errors
    /// [`DeviceError`].
    unsafe fn launch(
        &self,
        queue: Queue,
        entry: &Entry,
        blocks: u32,
        args: &Args,
    ) -> Result<(), DeviceError>;

    /// Marks the end of what a queue has been given so far.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn mark(&self, queue: Queue) -> Result<(), DeviceError>;

    /// Whether a queue has come to its mark.
    ///
    /// # Errors
    /// [`DeviceError`]: what the queue was given has failed.
    fn reached(&self, queue: Queue) -> Result<bool, DeviceError>;

    /// Makes what `queue` is given from now on wait for what `other` has been given so far.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn follow(&self, queue: Queue, other: Queue) -> Result<(), DeviceError>;

    /// Waits until a queue has done all it was given.
    ///
    /// # Errors
    /// [`DeviceError`]: what the queue was given has failed.
    fn finish(&self, queue: Queue) -> Result<(), DeviceError>;

    /// Waits for marks, on a thread of its own. To be dropped before the device.
    fn waiter(&self) -> Box<dyn Wait>;
}

/// Waits for a device's marks.
pub trait Wait: Send {
    /// Waits until a queue has come to its mark, or has failed.
    fn wait(&self, queue: Queue);
}

/// Opens a device, again after a failure.
pub trait Opener: Send + Sync + std::fmt::Debug {
    /// The backend's name.
    fn name(&self) -> &'static str;

    /// The backend's number in completions.
    fn code(&self) -> u16;

    /// One line about the device, for the log.
    fn describe(&self) -> String;

    /// Does what takes long about opening, ahead of the first session.
    ///
    /// # Errors
    /// [`DeviceError`]: the device can't be used.
    fn warm(&self, _algorithms: &[&'static Algorithm]) -> Result<(), DeviceError> {
        Ok(())
    }

    /// Opens the device. `algorithms` are those whose kernels will be launched.
    ///
    /// # Errors
    /// [`DeviceError`].
    fn open(&self, algorithms: &[&'static Algorithm]) -> Result<Box<dyn Device>, DeviceError>;

    /// Told when an opened device has failed: the next one is to be opened from scratch.
    fn failed(&self);
}
