//! What the glue calls. Each function is declared in `glue/glue.h` with the same words.

use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use kgpu_core::algorithm::{Fallback, IV_BYTES_MAX, Mode};
use kgpu_core::request::Shape;

use super::{Job, Level, Seq, lock, log};
use crate::engine::{self, Engine};
use crate::errno::{Errno, code};
use crate::job::{JOB_BYTES, JobCore, PoolPlace};
use crate::session::Session;
use crate::tfm::{Tfm, TfmRef};
use crate::{params, power, report, session, submit};

/// The engine, reached by the engine's thread only.
struct EngineCell(UnsafeCell<Option<Engine>>);

// SAFETY: set up before the thread starts, torn down after it stopped, used by it alone between.
unsafe impl Sync for EngineCell {}

static ENGINE: EngineCell = EngineCell(UnsafeCell::new(None));

#[unsafe(no_mangle)]
extern "C" fn kgpu_rust_init(job_bytes: usize, deliverers: u32) -> c_int {
    if job_bytes != JOB_BYTES || deliverers != engine::DELIVERERS {
        log(
            Level::Error,
            format_args!("glue and core were built from different sources"),
        );
        return -Errno::PROTO.0;
    }
    match Engine::new() {
        Ok(engine) => {
            // SAFETY: module init: the engine's thread does not run yet.
            unsafe { *ENGINE.0.get() = Some(engine) };
            0
        }
        Err(errno) => -errno.0,
    }
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_rust_exit() {
    // SAFETY: module exit, or init that failed: the engine's thread has stopped. Nothing is queued:
    // requests hold transforms, transforms and the open device hold the module.
    drop(unsafe { (*ENGINE.0.get()).take() });
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_rust_pass() -> u64 {
    // SAFETY: called by the engine's thread only, between init and exit.
    match unsafe { &mut *ENGINE.0.get() } {
        Some(engine) => engine.pass(),
        None => u64::MAX,
    }
}

/// An algorithm as the glue registers it (`struct kgpu_algorithm` in glue/glue.h).
#[repr(C)]
#[derive(Debug)]
pub struct GlueAlgorithm {
    name: [u8; 64],
    driver: [u8; 64],
    shash: [u8; 64],
    block_size: u32,
    iv_size: u32,
    key_min: u32,
    key_max: u32,
    output_per_unit: u32,
    priority: c_int,
    is_skcipher: u32,
    chunk_size: u32,
}

fn text(of: &str) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (to, from) in bytes.iter_mut().take(63).zip(of.bytes()) {
        *to = from;
    }
    bytes
}

/// # Safety
/// `out` is a place for a `struct kgpu_algorithm`.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_algorithm(index: u32, out: *mut GlueAlgorithm) -> c_int {
    let at = kgpu_core::num::index(u64::from(index));
    let Some(a) = crate::algorithm(at) else {
        return -Errno::NOENT.0;
    };
    let (shash, is_skcipher) = match a.fallback {
        Fallback::Skcipher => ("", 1),
        Fallback::Shash(name) => (name, 0),
    };
    let algorithm = GlueAlgorithm {
        name: text(a.name),
        driver: text(a.driver),
        shash: text(shash),
        // A stream mode's requests may have any length.
        block_size: if a.mode == Mode::Ctr {
            1
        } else {
            u32::from(a.block_size)
        },
        iv_size: u32::try_from(a.iv_size()).unwrap_or(0),
        key_min: u32::from(a.key_sizes.min),
        key_max: u32::from(a.key_sizes.max),
        output_per_unit: match a.output {
            kgpu_core::algorithm::Output::SameAsInput => 0,
            kgpu_core::algorithm::Output::PerUnit(bytes) => bytes,
        },
        priority: params::priority(at),
        is_skcipher,
        chunk_size: u32::from(a.block_size),
    };
    // SAFETY: the caller's place.
    unsafe { out.write(algorithm) };
    0
}

/// # Safety
/// `name` is readable for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_find(name: *const u8, len: usize, id: u16) -> c_int {
    let name = if name.is_null() {
        &[]
    } else {
        // SAFETY: the caller's promise.
        unsafe { core::slice::from_raw_parts(name, len) }
    };
    let found = kgpu_algos::all().iter().position(|a| {
        if name.is_empty() {
            a.id.0 == id
        } else {
            a.name.as_bytes() == name || a.driver.as_bytes() == name
        }
    });
    found
        .and_then(|i| c_int::try_from(i).ok())
        .unwrap_or(-Errno::NOENT.0)
}

/// # Safety
/// `out` is a place for the result.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_tfm_new(index: u32, out: *mut *mut Tfm) -> c_int {
    match Tfm::new(kgpu_core::num::index(u64::from(index))) {
        Ok(row) => {
            // SAFETY: the caller's place. A row of one lies where its element lies.
            unsafe { out.write(alloc::boxed::Box::into_raw(row).cast()) };
            0
        }
        Err(errno) => -errno.0,
    }
}

/// # Safety
/// `tfm` came from `kgpu_rust_tfm_new`, is not used after, and has no requests.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_tfm_free(tfm: *mut Tfm) {
    if !tfm.is_null() {
        // SAFETY: the caller's promise; made from a Box of a row of one.
        drop(unsafe { alloc::boxed::Box::from_raw(tfm.cast::<[Tfm; 1]>()) });
    }
}

/// # Safety
/// `tfm` is a live transform; `key` is readable for `len` bytes; null, say, for none.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_tfm_set_key(
    tfm: *const Tfm,
    key: *const u8,
    len: usize,
) -> c_int {
    // The crypto API's self-tests set an empty key from nowhere.
    let key = if len == 0 {
        &[]
    } else {
        // SAFETY: the caller's promise.
        unsafe { core::slice::from_raw_parts(key, len) }
    };
    // SAFETY: the caller's promise.
    code(unsafe { &*tfm }.set_key(key))
}

/// # Safety
/// `tfm` is a live transform.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_tfm_clear_key(tfm: *const Tfm) {
    // SAFETY: the caller's promise.
    unsafe { &*tfm }.retire_key();
}

/// # Safety
/// `iv` is readable for `len` bytes or null.
unsafe fn padded_iv(iv: *const u8, len: usize) -> [u8; IV_BYTES_MAX] {
    let mut padded = [0; IV_BYTES_MAX];
    if !iv.is_null() {
        // SAFETY: the caller's promise.
        let iv = unsafe { core::slice::from_raw_parts(iv, len.min(IV_BYTES_MAX)) };
        for (to, from) in padded.iter_mut().zip(iv) {
            *to = *from;
        }
    }
    padded
}

/// # Safety
/// `tfm` outlives the request; `job` is the request's; `iv` is readable for the algorithm's IV.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_skcipher(
    tfm: *const Tfm,
    job: *mut c_void,
    decrypt: c_int,
    waits: c_int,
    len: u32,
    iv: *const u8,
) -> c_int {
    let Some(job) = NonNull::new(job) else {
        return -Errno::INVAL.0;
    };
    // SAFETY: the crypto API's contract: a transform outlives its requests.
    let tfm = TfmRef::new(unsafe { &*tfm });
    let size = crate::algorithm(tfm.get().algorithm).map_or(0, |a| a.iv_size());
    // SAFETY: the caller's promise.
    let iv = unsafe { padded_iv(iv, size) };
    let op = if decrypt != 0 {
        kgpu_core::abi::Op::Decrypt
    } else {
        kgpu_core::abi::Op::Encrypt
    };
    let core = submit::core(tfm, Shape::single(op, len, iv), None);
    // SAFETY: the caller gives the job up.
    submit::skcipher(unsafe { Job::adopt(job, core) }, waits != 0)
}

/// A request of `kgpu.h` (`struct kgpu_description` in glue/glue.h).
#[repr(C)]
#[derive(Debug)]
pub struct GlueRequest {
    len: u32,
    data_unit_size: u32,
    iv: [u8; 16],
    op: u8,
    iv_step: u8,
    buffers: u16,
    session: [u32; 2],
    reserved: u32,
    offset: [u64; 2],
}

#[cfg(any(test, feature = "mock"))]
impl GlueRequest {
    /// The description of a request; its data is copied unless it lies in two pool buffers.
    pub(super) fn new(shape: &Shape, buffers: Option<[&GluePlace; 2]>) -> Self {
        Self {
            len: shape.len,
            data_unit_size: shape.data_unit_size,
            iv: shape.iv,
            op: shape.op.code(),
            iv_step: shape.iv_step.code(),
            buffers: u16::from(buffers.is_some()),
            session: buffers.map_or([0; 2], |places| places.map(|p| p.session)),
            reserved: 0,
            offset: buffers.map_or([0; 2], |places| places.map(|p| p.offset)),
        }
    }
}

/// Checks a request of `kgpu.h`; the result is the length of its output or an error number.
///
/// # Safety
/// `tfm` and `request` are live.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_check(
    tfm: *const Tfm,
    request: *const GlueRequest,
) -> i64 {
    // SAFETY: the caller's promise.
    let (tfm, request) = unsafe { (&*tfm, &*request) };
    let shape = shape_of(tfm, request);
    let Some(algorithm) = crate::algorithm(tfm.algorithm) else {
        return -i64::from(Errno::NOENT.0);
    };
    let shape = match shape {
        Ok(shape) => shape,
        Err(errno) => return -i64::from(errno.0),
    };
    if request.buffers != 0 && !submit::fits_in_place(tfm.algorithm, &shape) {
        return -i64::from(Errno::INVAL.0);
    }
    if algorithm.has_key() && tfm.key_id() == 0 {
        return -126; // ENOKEY
    }
    shape
        .output_len(algorithm)
        .map_or(-i64::from(Errno::INVAL.0), i64::from)
}

fn shape_of(tfm: &Tfm, request: &GlueRequest) -> Result<Shape, Errno> {
    submit::api_shape(
        tfm.algorithm,
        request.op,
        request.len,
        request.data_unit_size,
        request.iv_step,
        request.iv,
    )
}

/// # Safety
/// `tfm` outlives the request; `request` is live and passed `kgpu_rust_check`; `job` is the
/// request's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_submit(
    tfm: *const Tfm,
    job: *mut c_void,
    request: *const GlueRequest,
) -> c_int {
    let Some(job) = NonNull::new(job) else {
        return -Errno::INVAL.0;
    };
    // SAFETY: `kgpu.h`'s contract: a transform outlives its requests.
    let (tfm, request) = unsafe { (TfmRef::new(&*tfm), &*request) };
    let shape = match shape_of(tfm.get(), request) {
        Ok(shape) => shape,
        Err(errno) => return -errno.0,
    };
    let [src, dst] = request.session;
    let [src_at, dst_at] = request.offset;
    let buffers = (request.buffers != 0).then_some([
        PoolPlace {
            session: src,
            offset: src_at,
        },
        PoolPlace {
            session: dst,
            offset: dst_at,
        },
    ]);
    // SAFETY: the caller gives the job up.
    submit::api(unsafe { Job::adopt(job, submit::core(tfm, shape, buffers)) })
}

/// The IV of a data unit of a request: what the fallback computes it with.
///
/// # Safety
/// `job` is with the fallback; `iv` is writable for 16 bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_unit_iv(
    job: *const JobCore,
    unit: u32,
    iv: *mut [u8; IV_BYTES_MAX],
) {
    // SAFETY: the core lies at the start of the job; the fallback has the request to itself.
    let core = unsafe { &*job };
    let size = crate::algorithm(core.tfm.get().algorithm).map_or(0, |a| a.iv_size());
    let shape = &core.shape;
    // SAFETY: the caller's place.
    unsafe {
        iv.write(kgpu_core::iv::step(
            &shape.iv,
            size,
            shape.iv_step,
            u64::from(unit),
        ))
    };
}

/// # Safety
/// `job` went to the fallback through `Job::fall_back_later` and comes back once.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_fallback_done(job: *mut c_void, error: c_int) {
    if let Some(job) = NonNull::new(job) {
        engine::fallback_done(Job(job), error);
    }
}

/// A deliverer's work, until the result is 0. `number` came through `deliver_later`.
#[unsafe(no_mangle)]
pub(super) extern "C" fn kgpu_rust_deliver(number: u32) -> c_int {
    c_int::from(engine::deliver(number))
}

/// A pool buffer as the glue keeps it (`struct kgpu_place` in glue/glue.h).
#[repr(C)]
#[derive(Debug)]
pub struct GluePlace {
    pub(super) owner: *const Session,
    pub(super) pages: *mut c_void,
    pub(super) offset: u64,
    pub(super) session: u32,
    pub(super) len: u32,
}

/// Takes pool bytes of the current session for a caller of `kgpu.h`. Callable in any context.
///
/// # Safety
/// `out` is a place for the result.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_buffer_new(len: u32, out: *mut GluePlace) -> c_int {
    let mut guard = lock();
    let Some(session) = session::ATTACHED.get(&mut guard).current().cloned() else {
        return -Errno::NXIO.0;
    };
    // Before anything is taken: nobody would give it back.
    let taken = session
        .state()
        .is_open()
        .then(|| session.take_pool(&mut guard, len));
    let result = match taken {
        None => -Errno::NXIO.0,
        Some(None) => -Errno::NOMEM.0,
        Some(Some(run)) => {
            session.books.get(&mut guard).buffers += 1;
            let place = GluePlace {
                owner: alloc::sync::Arc::as_ptr(&session),
                pages: session.pool.handle(),
                offset: Session::pool_offset(run),
                session: session.generation,
                len,
            };
            // SAFETY: the caller's place.
            unsafe { out.write(place) };
            0
        }
    };
    // Not the last reference: the lock is held, so ATTACHED still has its own.
    drop(session);
    result
}

/// Gives pool bytes back; `lost` if a late helper may still write to them. Callable in any context.
///
/// # Safety
/// `place` was filled by `kgpu_rust_buffer_new` and is given back once.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn kgpu_rust_buffer_free(place: *const GluePlace, lost: c_int) {
    // SAFETY: the caller's promise. The engine keeps a session while buffers of it are held, and
    // this one is counted until the lock is let go below.
    let (place, session) = unsafe { (&*place, &*(*place).owner) };
    let granule = kgpu_core::runs::GRANULE;
    let run = kgpu_core::runs::Run {
        first: u32::try_from(place.offset / u64::from(granule)).unwrap_or(u32::MAX),
        count: place.len.div_ceil(granule),
    };
    let mut guard = lock();
    let books = session.books.get(&mut guard);
    if lost == 0 {
        books.pool.give(run);
    }
    books.buffers = books.buffers.saturating_sub(1);
}

/// # Safety
/// `text` is readable for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_param_set(which: u32, text: *const u8, len: usize) -> c_int {
    // SAFETY: the caller's promise.
    let text = unsafe { core::slice::from_raw_parts(text, len) };
    match core::str::from_utf8(text) {
        Ok(text) => code(params::set(which, text)),
        Err(_) => -Errno::INVAL.0,
    }
}

/// A buffer being filled with text.
struct Buffer<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl core::fmt::Write for Buffer<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for (to, from) in self.bytes.iter_mut().skip(self.len).zip(text.bytes()) {
            *to = from;
            self.len += 1;
        }
        Ok(())
    }
}

/// # Safety
/// `to` is writable for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_param_get(which: u32, to: *mut u8, len: usize) -> c_int {
    // SAFETY: the caller's promise.
    let bytes = unsafe { core::slice::from_raw_parts_mut(to, len) };
    let mut buffer = Buffer { bytes, len: 0 };
    match params::show(which, &mut buffer) {
        Ok(()) => c_int::try_from(buffer.len).unwrap_or(0),
        Err(_) => -Errno::INVAL.0,
    }
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_rust_queue_limit() -> u32 {
    params::QUEUE_LIMIT.get()
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_rust_pause(paused: c_int) {
    power::pause(paused != 0);
}

#[unsafe(no_mangle)]
extern "C" fn kgpu_rust_is_drained() -> c_int {
    c_int::from(power::is_drained())
}

/// # Safety
/// `seq` is the seq_file of the running show function.
#[unsafe(no_mangle)]
unsafe extern "C" fn kgpu_rust_report(which: u32, seq: *mut c_void) {
    let Some(seq) = NonNull::new(seq) else { return };
    // SAFETY: the caller's promise.
    let mut seq = unsafe { Seq::new(seq) };
    // A seq_file takes everything: the glue asks again with more room.
    let _always_ok = match which {
        0 => report::status(&mut seq),
        1 => report::counters(&mut seq),
        _ => report::latency(&mut seq),
    };
}

const _: () = {
    // Prevents a pointer type from creeping in unnoticed: C relies on these sizes (glue/glue.h).
    assert!(size_of::<GlueAlgorithm>() == 224);
    assert!(size_of::<GlueRequest>() == 56);
    assert!(size_of::<GluePlace>() == 32);
};
