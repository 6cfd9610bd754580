//! Jobs, the queue, and the fallback, as `glue/job.c` has them.

use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use kgpu_core::algorithm::IV_BYTES_MAX;
use kgpu_core::num::index;
use kgpu_core::request::Shape;

use super::buffers::PoolBuffer;
use super::compute::compute;
use super::requests::Transform;
use crate::errno::Errno;
use crate::ffi::exports::{kgpu_rust_deliver, kgpu_rust_fallback_done};
use crate::job::JOB_BYTES;

/// A request as the glue keeps it. Not freed before [`forget_jobs`], so that an answer too many is
/// counted and hits nothing else.
#[repr(C)]
pub(crate) struct MockJob {
    /// The core's bytes.
    core: UnsafeCell<[u64; JOB_BYTES / 8]>,
    pub(super) fields: RefCell<Fields>,
}

/// The glue's part of a job.
pub(super) struct Fields {
    /// Until the request is finished with.
    pub(super) tfm: Option<Rc<Transform>>,
    pub(super) shape: Shape,
    pub(super) src: Vec<u8>,
    pub(super) dst: Vec<u8>,
    /// Source and destination, for data in pool buffers.
    pub(super) buffers: Option<[Rc<PoolBuffer>; 2]>,
    /// Source and destination are the same bytes.
    pub(super) in_place: bool,
    pub(super) iv: [u8; IV_BYTES_MAX],
    /// A request of `kgpu.h`.
    pub(super) api: bool,
    pub(super) may_backlog: bool,
    /// What the submitter was told, finally.
    pub(super) answers: Vec<c_int>,
    /// Times a backlogged submitter was told that it is queued now.
    pub(super) told_queued: u32,
    /// Times the fallback computed it.
    pub(super) fallbacks: u32,
    pub(super) taken_over: bool,
    /// How far its source was looked through.
    pub(super) looked: usize,
}

impl MockJob {
    pub(super) fn new(fields: Fields) -> Rc<Self> {
        let job = Rc::new(Self {
            core: UnsafeCell::new([0; JOB_BYTES / 8]),
            fields: RefCell::new(fields),
        });
        JOBS.with_borrow_mut(|jobs| jobs.push(Rc::clone(&job)));
        job
    }

    pub(super) fn handle(&self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}

impl Fields {
    /// Computes with the fallback.
    fn fall_back(&mut self) -> c_int {
        self.fallbacks += 1;
        let tfm = self.tfm.clone().unwrap();
        let algorithm = crate::algorithm(tfm.algorithm).unwrap();
        match compute(algorithm, &tfm.key.borrow(), &self.shape, &self.source()) {
            Ok((result, iv)) => {
                self.put(&result);
                if !self.api {
                    let size = algorithm.iv_size();
                    self.iv[..size].copy_from_slice(&iv[..size]);
                }
                0
            }
            Err(errno) => -errno.0,
        }
    }

    fn source(&self) -> Vec<u8> {
        match &self.buffers {
            Some([src, _]) => {
                let mut bytes = src.read();
                bytes.truncate(index(u64::from(self.shape.len)));
                bytes
            }
            None => self.src.clone(),
        }
    }

    /// The buffer that has the result. What a helper had as destination is not touched any more:
    /// over the source, then.
    pub(super) fn result_buffer(&self) -> Option<&PoolBuffer> {
        let [src, dst] = self.buffers.as_ref()?;
        Some(if self.taken_over { src } else { dst })
    }

    fn result(&self) -> &[u8] {
        if self.in_place { &self.src } else { &self.dst }
    }

    fn put(&mut self, result: &[u8]) {
        if let Some(buffer) = self.result_buffer() {
            buffer.write(result);
            return;
        }
        let to = if self.in_place {
            &mut self.src
        } else {
            &mut self.dst
        };
        to[..result.len()].copy_from_slice(result);
    }
}

thread_local! {
    /// Every job since the last [`forget_jobs`]: what the core's handles point to.
    static JOBS: RefCell<Vec<Rc<MockJob>>> = const { RefCell::new(Vec::new()) };
    static QUEUE: RefCell<VecDeque<&'static MockJob>> = const { RefCell::new(VecDeque::new()) };
    static LATER: RefCell<VecDeque<&'static MockJob>> = const { RefCell::new(VecDeque::new()) };
    static DELIVERERS: RefCell<VecDeque<u32>> = const { RefCell::new(VecDeque::new()) };
    static PIECES: Cell<usize> = const { Cell::new(usize::MAX) };
    static LIMIT: Cell<usize> = const { Cell::new(4096) };
}

/// Requests that may wait before submitters are held back.
pub(crate) fn set_queue_limit(limit: usize) {
    LIMIT.set(limit);
}

/// Sources lie in physical memory in pieces of at most so many bytes.
#[cfg(test)]
pub(crate) fn set_source_pieces(bytes: usize) {
    PIECES.set(bytes);
}

/// Physical memory that has the sources of jobs, and nothing else: their addresses in this process count from here.
pub(crate) const SOURCES: u64 = 1 << 52;

/// Reads the source of a job by its physical address. `false` unless one of them has all the bytes.
#[cfg(test)]
pub(crate) fn read_source(address: u64, to: &mut [u8]) -> bool {
    JOBS.with_borrow(|jobs| {
        jobs.iter().any(|job| {
            let fields = job.fields.borrow();
            let at = address.checked_sub(SOURCES + fields.src.as_ptr().addr() as u64);
            let at = at.map(index);
            let bytes = at.and_then(|at| fields.src.get(at..)?.get(..to.len()));
            bytes.map(|bytes| to.copy_from_slice(bytes)).is_some()
        })
    })
}

/// Frees the jobs of this thread, where nothing of the module is left that could have one: no
/// engine, no queue.
pub(crate) fn forget_jobs() {
    let queued = QUEUE.with_borrow(VecDeque::len)
        + LATER.with_borrow(VecDeque::len)
        + DELIVERERS.with_borrow(VecDeque::len);
    if queued == 0 {
        let jobs = JOBS.take();
        // Outside of the borrow: a job holds its transform.
        drop(jobs);
    }
}

/// Deliverers that were told to begin.
#[cfg(test)]
pub(crate) fn deliverers() -> usize {
    DELIVERERS.with_borrow(VecDeque::len)
}

/// Does what waits for the work queues: results to be delivered, then the fallback's requests. The result is
/// how many items that was.
pub(crate) fn run_work() -> usize {
    let mut done = 0;
    while let Some(number) = DELIVERERS.with_borrow_mut(VecDeque::pop_front) {
        while kgpu_rust_deliver(number) != 0 {
            done += 1;
        }
    }
    while let Some(job) = LATER.with_borrow_mut(VecDeque::pop_front) {
        let error = job.fields.borrow_mut().fall_back();
        // SAFETY: the job came through `kgpu_glue_fallback_later` and goes back once.
        unsafe { kgpu_rust_fallback_done(job.handle(), error) };
        done += 1;
    }
    done
}

/// # Safety
/// `job` is a [`MockJob`]'s handle.
unsafe fn mock(job: *mut c_void) -> &'static MockJob {
    // SAFETY: the caller's promise; jobs live until nobody has a handle to them (`forget_jobs`).
    unsafe { &*job.cast::<MockJob>() }
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_enqueue(job: *mut c_void) -> c_int {
    // SAFETY: the core only knows jobs that came from here.
    let job = unsafe { mock(job) };
    QUEUE.with_borrow_mut(|queue| {
        let is_full = queue.len() >= LIMIT.get();
        if is_full && !job.fields.borrow().may_backlog {
            return -Errno::NOSPC.0;
        }
        queue.push_back(job);
        if is_full {
            -Errno::BUSY.0
        } else {
            -Errno::INPROGRESS.0
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_dequeue(jobs: *mut *mut c_void, most: u32) -> u32 {
    let mut count = 0;
    QUEUE.with_borrow_mut(|queue| {
        while count < most
            && let Some(job) = queue.pop_front()
        {
            // SAFETY: one of the caller's `most` places.
            unsafe { jobs.add(index(u64::from(count))).write(job.handle()) };
            count += 1;
            // It has moved up behind those that count.
            if let Some(backlogged) = LIMIT.get().checked_sub(1).and_then(|at| queue.get(at)) {
                backlogged.fields.borrow_mut().told_queued += 1;
                break;
            }
        }
    });
    count
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_fallback_now(job: *mut c_void) -> c_int {
    // SAFETY: the core only knows jobs that came from here.
    unsafe { mock(job) }.fields.borrow_mut().fall_back()
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_fallback_later(job: *mut c_void, taken_over: c_int) {
    // SAFETY: the core only knows jobs that came from here.
    let job = unsafe { mock(job) };
    job.fields.borrow_mut().taken_over = taken_over != 0;
    LATER.with_borrow_mut(|later| later.push_back(job));
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_deliver_later(number: u32) {
    DELIVERERS.with_borrow_mut(|deliverers| {
        assert!(!deliverers.contains(&number), "told to begin twice");
        deliverers.push_back(number);
    });
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_source(job: *mut c_void) -> *mut c_void {
    // SAFETY: the core only knows jobs that came from here.
    unsafe { mock(job) }.fields.borrow_mut().looked = 0;
    job
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_source_run(at: *mut *mut c_void, address: *mut u64) -> u32 {
    // SAFETY: the caller's place, which holds what `kgpu_glue_source` gave, or null at the end.
    let job = unsafe { *at };
    if job.is_null() {
        return 0;
    }
    // SAFETY: the core only knows jobs that came from here.
    let mut fields = unsafe { mock(job) }.fields.borrow_mut();
    let bytes = PIECES.get().min(fields.src.len() - fields.looked);
    // SAFETY: both are the caller's places.
    unsafe {
        address.write(SOURCES + (fields.src.as_ptr().addr() + fields.looked) as u64);
        fields.looked += bytes;
        if fields.looked == fields.src.len() {
            at.write(core::ptr::null_mut());
        }
    }
    u32::try_from(bytes).unwrap()
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_read_source(job: *mut c_void, at: u32, to: *mut u8, len: u32) {
    // SAFETY: the core only knows jobs that came from here.
    let fields = unsafe { mock(job) }.fields.borrow();
    let (at, len) = (index(u64::from(at)), index(u64::from(len)));
    let source = fields.source();
    let bytes = &source[at..at + len];
    // SAFETY: the caller's place is writable for `len` bytes.
    unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), len) };
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_read_result(job: *mut c_void, at: u32, to: *mut u8, len: u32) {
    // SAFETY: the core only knows jobs that came from here.
    let fields = unsafe { mock(job) }.fields.borrow();
    let (at, len) = (index(u64::from(at)), index(u64::from(len)));
    let bytes = &fields.result()[at..at + len];
    // SAFETY: the caller's place is writable for `len` bytes.
    unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), len) };
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_write_result(job: *mut c_void, from: *const u8, len: u32) {
    // SAFETY: the caller's bytes are readable for `len`, and nobody writes them in a test meanwhile.
    let result = unsafe { core::slice::from_raw_parts(from, index(u64::from(len))) };
    // SAFETY: the core only knows jobs that came from here.
    unsafe { mock(job) }.fields.borrow_mut().put(result);
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_set_iv(job: *mut c_void, iv: *const u8, len: u32) {
    // SAFETY: the core only knows jobs that came from here; `iv` is readable for `len` bytes.
    let (mut fields, iv) = unsafe {
        (
            mock(job).fields.borrow_mut(),
            core::slice::from_raw_parts(iv, index(u64::from(len))),
        )
    };
    if !fields.api {
        fields.iv[..iv.len()].copy_from_slice(iv);
    }
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_name_result(job: *mut c_void, taken_over: c_int) {
    // SAFETY: the core only knows jobs that came from here.
    let fields = unsafe { mock(job) }.fields.borrow();
    assert_eq!(fields.taken_over, taken_over != 0);
    if let (Some([_, dst]), true) = (&fields.buffers, fields.taken_over) {
        dst.lost.set(true);
    }
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_glue_complete(job: *mut c_void, error: c_int) {
    // SAFETY: the core only knows jobs that came from here.
    unsafe { mock(job) }.fields.borrow_mut().answers.push(error);
}
