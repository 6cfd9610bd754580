//! The backend's device on CUDA: queues are streams, marks are events.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use cust::event::{Event, EventFlags, EventStatus};
use cust::stream::{Stream, StreamFlags};
use cust_raw::{
    CU_MEMHOSTREGISTER_DEVICEMAP, CU_MEMHOSTREGISTER_PORTABLE, CUdeviceptr, cuLaunchKernel,
    cuMemAlloc_v2, cuMemAllocHost_v2, cuMemFree_v2, cuMemFreeHost, cuMemGetInfo_v2,
    cuMemHostGetDevicePointer_v2, cuMemHostRegister_v2, cuMemHostUnregister, cuMemcpyDtoHAsync_v2,
    cuMemcpyHtoDAsync_v2, cuMemsetD8_v2, cuMemsetD8Async,
};
use kgpu_core::device::{Args, Card, Entry};
use zeroize::Zeroize;

use super::call::{raw, told};
use super::link::Link;
use super::opener::Loaded;
use crate::backend::gpu::device::{Address, Device, DeviceError, Pinned, Queue, Wait};
use crate::region::Window;

/// A CUDA device with what was made on it.
///
/// # Invariants
/// `memory`, `pinned` and `windows` are this value's own, allocated or registered in the context of `loaded`.
#[derive(Debug)]
pub(super) struct Cuda {
    streams: Vec<Stream>,
    marks: Arc<Vec<Event>>,
    /// By queue: where others wait for it.
    links: Vec<Link>,
    memory: Vec<(CUdeviceptr, usize)>,
    pinned: Vec<(NonNull<u8>, usize)>,
    /// The pool, and a guest's areas of sources: all that is registered.
    windows: Vec<Window>,
    // Last: everything else lives in its context.
    loaded: Arc<Loaded>,
}

// SAFETY: the pointers are to memory that this value owns; the driver's handles are usable from every thread in
// whose context they are, which `enter` sees to.
unsafe impl Send for Cuda {}

impl Cuda {
    pub(super) fn new(loaded: Arc<Loaded>) -> Self {
        Self {
            streams: Vec::new(),
            marks: Arc::new(Vec::new()),
            links: Vec::new(),
            memory: Vec::new(),
            pinned: Vec::new(),
            windows: Vec::new(),
            loaded,
        }
    }

    fn stream(&self, queue: Queue) -> Result<&Stream, DeviceError> {
        of_queue(&self.streams, queue)
    }

    fn event(&self, queue: Queue) -> Result<&Event, DeviceError> {
        of_queue(&self.marks, queue)
    }

    /// Registers a window; the result is where kernels see it.
    fn add(&mut self, window: Window, what: &'static str) -> Result<Address, DeviceError> {
        let base: *mut c_void = window.base().as_ptr().cast();
        let flags = CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE;
        // SAFETY: the memory is mapped, page-aligned, while the window lives, which this value keeps until it has
        // unregistered it.
        raw(what, unsafe {
            cuMemHostRegister_v2(base, window.len(), flags)
        })?;
        self.windows.push(window);
        let mut address = 0;
        // SAFETY: writes the integer; the memory was just registered as mapped.
        raw("asking for the address of host memory", unsafe {
            cuMemHostGetDevicePointer_v2(&raw mut address, base, 0)
        })?;
        Ok(address)
    }
}

/// Logs what fails at closing.
fn note(result: Result<(), DeviceError>) {
    if let Err(error) = result {
        // Of a device that has failed nothing else is to be expected.
        tracing::debug!("closing the device: {error}");
    }
}

/// Unregisters a window that `Cuda::add` has registered, and that kernels and copies are done with.
fn remove(window: &Window) {
    // SAFETY: registered, once (the caller's promise); nothing in the streams uses it.
    note(raw("unregistering host memory", unsafe {
        cuMemHostUnregister(window.base().as_ptr().cast())
    }));
}

/// What each queue has one of.
fn of_queue<T>(all: &[T], queue: Queue) -> Result<&T, DeviceError> {
    all.get(queue)
        .ok_or_else(|| DeviceError::new("finding a queue", format!("there is no queue {queue}")))
}

impl Device for Cuda {
    fn enter(&self) -> Result<(), DeviceError> {
        self.loaded.enter()
    }

    fn card(&self) -> Card {
        self.loaded.card
    }

    fn blocks(&self, entry: &Entry) -> u32 {
        let kernel = self.loaded.kernel(entry);
        kernel.map_or_else(|| entry.blocks(&self.loaded.card), |kernel| kernel.blocks)
    }

    fn free_memory(&self) -> Result<u64, DeviceError> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: writes the two integers, which live during the call.
        raw("asking for free memory", unsafe {
            cuMemGetInfo_v2(&raw mut free, &raw mut total)
        })?;
        Ok(u64::try_from(free).unwrap_or(u64::MAX))
    }

    fn queues(&mut self, count: usize) -> Result<(), DeviceError> {
        let mut marks = Vec::with_capacity(count);
        for _ in 0..count {
            self.streams.push(
                Stream::new(StreamFlags::NON_BLOCKING, None).map_err(told("making a stream"))?,
            );
            let flags = EventFlags::DISABLE_TIMING | EventFlags::BLOCKING_SYNC;
            marks.push(Event::new(flags).map_err(told("making an event"))?);
            self.links.push(Link::new()?);
        }
        self.marks = Arc::new(marks);
        Ok(())
    }

    fn register(&mut self, pool: Window) -> Result<Address, DeviceError> {
        self.add(pool, "registering the pool")
    }

    fn register_sources(&mut self, areas: Vec<Window>) -> Result<Vec<Address>, DeviceError> {
        let before = self.windows.len();
        let add = |area| self.add(area, "registering the guest's memory");
        let added: Result<Vec<_>, _> = areas.into_iter().map(add).collect();
        if added.is_err() {
            for window in self.windows.drain(before..) {
                remove(&window);
            }
        }
        added
    }

    fn allocate(&mut self, bytes: usize) -> Result<Address, DeviceError> {
        let mut address = 0;
        let bytes = bytes.max(1);
        // SAFETY: writes the integer, which lives during the call.
        raw("allocating device memory", unsafe {
            cuMemAlloc_v2(&raw mut address, bytes)
        })?;
        self.memory.push((address, bytes));
        // What another user of the card left there is nobody's to see.
        // SAFETY: just allocated, of this size.
        raw("zeroing device memory", unsafe {
            cuMemsetD8_v2(address, 0, bytes)
        })?;
        cust::context::CurrentContext::synchronize().map_err(told("zeroing device memory"))?;
        Ok(address)
    }

    fn pinned(&mut self, bytes: usize) -> Result<Pinned, DeviceError> {
        let mut base: *mut c_void = std::ptr::null_mut();
        let bytes = bytes.max(1);
        // SAFETY: writes the pointer, which lives during the call.
        raw("allocating pinned memory", unsafe {
            cuMemAllocHost_v2(&raw mut base, bytes)
        })?;
        let base = NonNull::new(base.cast::<u8>())
            .ok_or_else(|| DeviceError::new("allocating pinned memory", "no address"))?;
        self.pinned.push((base, bytes));
        // SAFETY: just allocated, of this size.
        unsafe { std::ptr::write_bytes(base.as_ptr(), 0, bytes) };
        let mut address = 0;
        // SAFETY: writes the integer; the memory was just allocated, which maps it too.
        raw("asking for pinned memory's address", unsafe {
            cuMemHostGetDevicePointer_v2(&raw mut address, base.as_ptr().cast(), 0)
        })?;
        Ok(Pinned::new(base, bytes, address))
    }

    unsafe fn copy_in(
        &self,
        queue: Queue,
        dst: Address,
        src: *const u8,
        bytes: usize,
    ) -> Result<(), DeviceError> {
        let stream = self.stream(queue)?.as_inner();
        // SAFETY: the caller's promise.
        raw("copying to the device", unsafe {
            cuMemcpyHtoDAsync_v2(dst, src.cast(), bytes, stream)
        })
    }

    unsafe fn copy_out(
        &self,
        queue: Queue,
        dst: *mut u8,
        src: Address,
        bytes: usize,
    ) -> Result<(), DeviceError> {
        let stream = self.stream(queue)?.as_inner();
        // SAFETY: the caller's promise.
        raw("copying to the host", unsafe {
            cuMemcpyDtoHAsync_v2(dst.cast(), src, bytes, stream)
        })
    }

    unsafe fn clear(&self, queue: Queue, at: Address, bytes: usize) -> Result<(), DeviceError> {
        let stream = self.stream(queue)?.as_inner();
        // SAFETY: the caller's promise.
        raw("clearing device memory", unsafe {
            cuMemsetD8Async(at, 0, bytes, stream)
        })
    }

    unsafe fn launch(
        &self,
        queue: Queue,
        entry: &Entry,
        blocks: u32,
        args: &Args,
    ) -> Result<(), DeviceError> {
        let stream = self.stream(queue)?.as_inner();
        let kernel = self
            .loaded
            .kernel(entry)
            .ok_or_else(|| DeviceError::new(entry.name, "is not in the device module"))?;
        let mut args = *args;
        let mut parameters: [*mut c_void; 6] = [
            (&raw mut args.tiles).cast(),
            (&raw mut args.spans).cast(),
            (&raw mut args.span_count).cast(),
            (&raw mut args.keys).cast(),
            (&raw mut args.scratch).cast(),
            (&raw mut args.stats).cast(),
        ];
        // SAFETY: a kernel of the loaded module, whose parameters are those of `Args` in this order; the driver
        // copies them during the call. What they point to is the caller's promise.
        let answer = unsafe {
            cuLaunchKernel(
                kernel.function,
                blocks,
                1,
                1,
                entry.threads,
                1,
                1,
                entry.shared_bytes,
                stream,
                parameters.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        };
        raw(entry.name, answer)
    }

    fn mark(&self, queue: Queue) -> Result<(), DeviceError> {
        self.event(queue)?
            .record(self.stream(queue)?)
            .map_err(told("recording an event"))
    }

    fn reached(&self, queue: Queue) -> Result<bool, DeviceError> {
        let status = self.event(queue)?.query();
        Ok(status.map_err(told("the batch"))? == EventStatus::Ready)
    }

    fn follow(&self, queue: Queue, other: Queue) -> Result<(), DeviceError> {
        of_queue(&self.links, other)?.lead(self.stream(queue)?, self.stream(other)?)
    }

    fn finish(&self, queue: Queue) -> Result<(), DeviceError> {
        self.stream(queue)?.synchronize().map_err(told("the batch"))
    }

    fn waiter(&self) -> Box<dyn Wait> {
        Box::new(CudaWait {
            marks: Arc::clone(&self.marks),
            loaded: Arc::clone(&self.loaded),
        })
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        note(self.enter());
        for stream in &self.streams {
            note(stream.synchronize().map_err(told("finishing")));
        }
        for (address, bytes) in &self.memory {
            // SAFETY: this value's own memory (invariant), which nothing uses any more.
            note(raw("zeroing device memory", unsafe {
                cuMemsetD8_v2(*address, 0, *bytes)
            }));
        }
        note(cust::context::CurrentContext::synchronize().map_err(told("zeroing device memory")));
        for (address, _) in self.memory.drain(..) {
            // SAFETY: as above; freed once.
            note(raw("freeing device memory", unsafe {
                cuMemFree_v2(address)
            }));
        }
        for (base, bytes) in self.pinned.drain(..) {
            // SAFETY: as above; the streams are done with it, and whoever wrote to it is gone with this value.
            unsafe { std::slice::from_raw_parts_mut(base.as_ptr(), bytes) }.zeroize();
            // SAFETY: as above; freed once.
            note(raw("freeing pinned memory", unsafe {
                cuMemFreeHost(base.as_ptr().cast())
            }));
        }
        for window in self.windows.drain(..) {
            remove(&window);
        }
    }
}

struct CudaWait {
    marks: Arc<Vec<Event>>,
    loaded: Arc<Loaded>,
}

impl Wait for CudaWait {
    fn wait(&self, queue: Queue) {
        if let Some(mark) = self.marks.get(queue)
            && self.loaded.enter().is_ok()
        {
            // What went wrong is found by whoever asks next.
            let _ = mark.synchronize();
        }
    }
}
