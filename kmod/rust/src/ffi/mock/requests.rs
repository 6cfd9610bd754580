//! What the crypto API and callers of `kgpu.h` do: transforms and requests, through the functions
//! that the glue calls.

use core::ptr::null_mut;
use std::cell::RefCell;
use std::rc::Rc;

use kgpu_core::abi::Op;
use kgpu_core::algorithm::IV_BYTES_MAX;
use kgpu_core::request::Shape;

use super::buffers::PoolBuffer;
use super::compute::compute;
use super::jobs::{Fields, MockJob};
use crate::errno::Errno;
use crate::ffi::exports::{
    GlueRequest, kgpu_rust_check, kgpu_rust_skcipher, kgpu_rust_submit, kgpu_rust_tfm_clear_key,
    kgpu_rust_tfm_free, kgpu_rust_tfm_new, kgpu_rust_tfm_set_key,
};
use crate::tfm::Tfm;

/// A transform and its fallback's key.
pub(crate) struct Transform {
    core: *mut Tfm,
    pub(crate) algorithm: usize,
    pub(super) key: RefCell<Vec<u8>>,
}

impl Transform {
    /// A transform of a name of the crypto API, owned by who runs now.
    pub(crate) fn new(name: &str, key: &[u8]) -> Rc<Self> {
        let algorithm = (0..crate::ALGORITHMS)
            .find(|i| crate::algorithm(*i).is_some_and(|a| a.name == name))
            .unwrap();
        let mut core = null_mut();
        // SAFETY: a place for the result.
        let told = unsafe { kgpu_rust_tfm_new(u32::try_from(algorithm).unwrap(), &raw mut core) };
        assert_eq!(told, 0);
        let this = Rc::new(Self {
            core,
            algorithm,
            key: RefCell::default(),
        });
        if !key.is_empty() {
            assert_eq!(this.set_key(key), 0);
        }
        this
    }

    /// Sets the key. The result is what the caller is told.
    pub(crate) fn set_key(&self, key: &[u8]) -> i32 {
        *self.key.borrow_mut() = key.to_vec();
        // SAFETY: the transform lives as long as `self`; the key is readable.
        unsafe { kgpu_rust_tfm_set_key(self.core, key.as_ptr(), key.len()) }
    }

    /// What the glue does when the fallback refuses a key.
    pub(crate) fn clear_key(&self) {
        // SAFETY: the transform lives as long as `self`.
        unsafe { kgpu_rust_tfm_clear_key(self.core) };
    }

    /// Its core.
    pub(crate) fn core(&self) -> &Tfm {
        // SAFETY: made by `kgpu_rust_tfm_new`, freed with `self`; the core itself only shares it.
        unsafe { &*self.core }
    }
}

impl Drop for Transform {
    fn drop(&mut self) {
        // SAFETY: made by `kgpu_rust_tfm_new`; requests hold the transform until they are dropped.
        unsafe { kgpu_rust_tfm_free(self.core) };
    }
}

/// A request and what must come of it.
#[derive(Clone)]
pub(crate) struct Request {
    job: Rc<MockJob>,
    iv_size: usize,
    expected: Result<(Vec<u8>, [u8; IV_BYTES_MAX]), Errno>,
}

impl Request {
    fn new(tfm: &Rc<Transform>, shape: Shape, src: &[u8], api: bool) -> Self {
        let algorithm = crate::algorithm(tfm.algorithm).unwrap();
        let expected = compute(algorithm, &tfm.key.borrow(), &shape, src);
        let len = expected.as_ref().map_or(src.len(), |(dst, _)| dst.len());
        let job = MockJob::new(Fields {
            tfm: Some(tfm.clone()),
            shape,
            src: src.to_vec(),
            dst: vec![0xee; len],
            buffers: None,
            in_place: false,
            iv: shape.iv,
            api,
            may_backlog: false,
            answers: Vec::new(),
            told_queued: 0,
            fallbacks: 0,
            taken_over: false,
            looked: 0,
        });
        Self {
            job,
            iv_size: algorithm.iv_size(),
            expected,
        }
    }

    /// A request of the crypto API.
    pub(crate) fn cipher(tfm: &Rc<Transform>, op: Op, src: &[u8], iv: [u8; IV_BYTES_MAX]) -> Self {
        let shape = Shape::single(op, u32::try_from(src.len()).unwrap(), iv);
        Self::new(tfm, shape, src, false)
    }

    /// A request of `kgpu.h`.
    pub(crate) fn api(tfm: &Rc<Transform>, shape: Shape, src: &[u8]) -> Self {
        Self::new(tfm, shape, src, true)
    }

    /// A request of `kgpu.h` over pool buffers.
    pub(crate) fn buffers(
        tfm: &Rc<Transform>,
        shape: Shape,
        src: &Rc<PoolBuffer>,
        dst: &Rc<PoolBuffer>,
    ) -> Self {
        let this = Self::new(tfm, shape, &src.read(), true);
        this.job.fields.borrow_mut().buffers = Some([src.clone(), dst.clone()]);
        this
    }

    /// The result goes over the source.
    pub(crate) fn in_place(self) -> Self {
        self.job.fields.borrow_mut().in_place = true;
        self
    }

    /// The submitter waits when the queue is full.
    pub(crate) fn may_backlog(self) -> Self {
        self.job.fields.borrow_mut().may_backlog = true;
        self
    }

    /// Submits. The result is what the submitter is told; an outcome told at once is an answer.
    pub(crate) fn submit(&self) -> i32 {
        let (tfm, shape, api, buffers) = {
            let fields = self.job.fields.borrow();
            let buffers = fields.buffers.clone();
            (
                fields.tfm.as_ref().unwrap().core,
                fields.shape,
                fields.api,
                buffers,
            )
        };
        let told = if api {
            let request = {
                let places = buffers.as_ref().map(|[src, dst]| [&src.place, &dst.place]);
                GlueRequest::new(&shape, places)
            };
            // SAFETY: the transform lives as long as the request; so does the description.
            let checked = unsafe { kgpu_rust_check(tfm, &raw const request) };
            if let Ok(refused @ ..0) = i32::try_from(checked) {
                refused
            } else {
                // SAFETY: as above; the job is given up.
                unsafe { kgpu_rust_submit(tfm, self.job.handle(), &raw const request) }
            }
        } else {
            let decrypt = i32::from(shape.op == Op::Decrypt);
            let waits = i32::from(self.job.fields.borrow().may_backlog);
            // SAFETY: the transform lives as long as the request, whose job is given up; the IV is
            // as long as any.
            unsafe {
                kgpu_rust_skcipher(
                    tfm,
                    self.job.handle(),
                    decrypt,
                    waits,
                    shape.len,
                    shape.iv.as_ptr(),
                )
            }
        };
        if told != -Errno::INPROGRESS.0 && told != -Errno::BUSY.0 {
            self.job.fields.borrow_mut().answers.push(told);
        }
        told
    }

    /// Times its submitter was told an outcome.
    pub(crate) fn answers(&self) -> usize {
        self.job.fields.borrow().answers.len()
    }

    /// Times the fallback computed it.
    pub(crate) fn fallbacks(&self) -> u32 {
        self.job.fields.borrow().fallbacks
    }

    /// Whether its submitter was told to wait and then that it is queued.
    pub(crate) fn told_queued(&self) -> u32 {
        self.job.fields.borrow().told_queued
    }

    /// Fails the test unless the request was answered once, rightly, and left the right IV.
    #[track_caller]
    pub(crate) fn assert_right(&self) {
        let fields = self.job.fields.borrow();
        match &self.expected {
            Ok((bytes, iv)) => {
                assert_eq!(fields.answers, [0]);
                let buffer = fields.result_buffer().map(|buffer| {
                    let mut found = buffer.read();
                    found.truncate(bytes.len());
                    found
                });
                let found = match &buffer {
                    Some(found) => found,
                    None if fields.in_place => &fields.src,
                    None => &fields.dst,
                };
                assert!(found == bytes, "wrong bytes");
                if !fields.api {
                    let size = self.iv_size;
                    assert_eq!(fields.iv[..size], iv[..size], "wrong output IV");
                }
            }
            Err(errno) => assert_eq!(fields.answers, [-errno.0]),
        }
    }

    /// As above, and lets go of the transform, as its submitter may from then on.
    #[track_caller]
    pub(crate) fn finish(&self) {
        self.assert_right();
        let mut fields = self.job.fields.borrow_mut();
        let held = (fields.tfm.take(), fields.buffers.take());
        drop(fields);
        drop(held);
    }
}
