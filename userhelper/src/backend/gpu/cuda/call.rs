//! The driver's answers as errors of ours.

use cust::error::CudaError;
use cust_raw::CUresult;

use crate::backend::gpu::DeviceError;

/// An answer of a function called through `cust_raw`.
pub(super) fn raw(what: &'static str, answer: CUresult) -> Result<(), DeviceError> {
    match answer {
        CUresult::CUDA_SUCCESS => Ok(()),
        error => Err(DeviceError::new(what, format!("{error:?}"))),
    }
}

/// An answer that came through `cust`, to be told with what was tried.
pub(super) fn told(what: &'static str) -> impl Fn(CudaError) -> DeviceError {
    move |error| DeviceError::new(what, format!("{error:?}"))
}
