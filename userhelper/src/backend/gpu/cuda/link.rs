//! An event by which one stream waits for another, made once and recorded anew each time: `cust`'s wait takes its
//! event, which would be one more event for each wait.
#![allow(unsafe_code)]

use cust::stream::Stream;
use cust_raw::{
    CUevent, CUevent_flags_enum, cuEventCreate, cuEventDestroy_v2, cuEventRecord, cuStreamWaitEvent,
};

use super::call::raw;
use crate::backend::gpu::device::DeviceError;

/// The event, of the context it was made in.
#[derive(Debug)]
pub(super) struct Link(CUevent);

impl Link {
    pub(super) fn new() -> Result<Self, DeviceError> {
        let mut event = std::ptr::null_mut();
        let flags: u32 = CUevent_flags_enum::CU_EVENT_DISABLE_TIMING as u32;
        // SAFETY: writes the handle, which lives during the call.
        raw("making an event", unsafe {
            cuEventCreate(&raw mut event, flags)
        })?;
        Ok(Self(event))
    }

    /// Makes what `stream` is given from now on wait for what `other` has been given so far. Waits that were made
    /// before stay what they were.
    pub(super) fn lead(&self, stream: &Stream, other: &Stream) -> Result<(), DeviceError> {
        // SAFETY: an event and a stream of one context, both alive.
        raw("recording an event", unsafe {
            cuEventRecord(self.0, other.as_inner())
        })?;
        // SAFETY: as above.
        raw("waiting for an event", unsafe {
            cuStreamWaitEvent(stream.as_inner(), self.0, 0)
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once; the driver keeps what streams still wait for.
        let _ = raw("destroying an event", unsafe { cuEventDestroy_v2(self.0) });
    }
}
