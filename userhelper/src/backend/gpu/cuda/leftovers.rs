//! Device memory as it comes from the driver, for looking at what others left there. The backend's own memory is
//! `device`'s, which clears it.
#![allow(unsafe_code)]

use cust::context::{Context, CurrentContext};
use cust::device::Device;
use cust_raw::{
    CUdeviceptr, cuMemAlloc_v2, cuMemFree_v2, cuMemGetInfo_v2, cuMemcpyDtoH_v2, cuMemcpyHtoD_v2,
};

use super::call::{raw, told};
use super::found::Found;
use crate::backend::gpu::DeviceError;

/// The largest block asked for, and the smallest that is worth it: what the driver hands out.
const MOST: usize = 1 << 30;
const LEAST: usize = 2 << 20;

/// Device memory of this process, never cleared.
///
/// # Invariants
/// Each block is allocated in `context`, with its length, and freed when this is dropped.
#[derive(Debug)]
pub struct Leftovers {
    blocks: Vec<(CUdeviceptr, usize)>,
    total: u64,
    // Last: the blocks live in it.
    _context: Context,
}

impl Leftovers {
    /// Opens a device for the calling thread; nothing is allocated yet.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn open(found: &Found) -> Result<Self, DeviceError> {
        let device = Device::get_device(found.index).map_err(told("finding the device"))?;
        let context = Context::new(device).map_err(told("making a context"))?;
        CurrentContext::set_current(&context).map_err(told("entering the context"))?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: writes the two integers, which live during the call.
        raw("asking for free memory", unsafe {
            cuMemGetInfo_v2(&raw mut free, &raw mut total)
        })?;
        Ok(Self {
            blocks: Vec::new(),
            total: u64::try_from(total).unwrap_or(u64::MAX),
            _context: context,
        })
    }

    /// Bytes of memory that the device has.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Takes a block.
    ///
    /// # Errors
    /// [`DeviceError`]: there is none.
    pub fn take(&mut self, bytes: usize) -> Result<(), DeviceError> {
        let mut address = 0;
        // SAFETY: writes the integer, which lives during the call.
        raw("allocating device memory", unsafe {
            cuMemAlloc_v2(&raw mut address, bytes)
        })?;
        self.blocks.push((address, bytes));
        Ok(())
    }

    /// Takes all that there is. The result is how many bytes that are.
    pub fn take_all(&mut self) -> u64 {
        let mut bytes = MOST;
        while bytes >= LEAST {
            if self.take(bytes).is_err() {
                bytes /= 2;
            }
        }
        let all: usize = self.blocks.iter().map(|(_, len)| len).sum();
        u64::try_from(all).unwrap_or(u64::MAX)
    }

    /// How many blocks there are.
    #[must_use]
    pub const fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Bytes of a block; 0 if there is no such block.
    #[must_use]
    pub fn len(&self, block: usize) -> usize {
        self.blocks.get(block).map_or(0, |(_, len)| *len)
    }

    /// Whether there is no block.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Where bytes of a block lie, if it has them.
    fn at(&self, block: usize, from: usize, len: usize) -> Result<CUdeviceptr, DeviceError> {
        let outside = || DeviceError::new("reaching device memory", "outside of the block");
        let (address, size) = self.blocks.get(block).ok_or_else(outside)?;
        let end = from.checked_add(len).ok_or_else(outside)?;
        if end > *size {
            return Err(outside());
        }
        let from = CUdeviceptr::try_from(from).map_err(|_| outside())?;
        Ok(address + from)
    }

    /// Copies some of a block here.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn read(&self, block: usize, from: usize, to: &mut [u8]) -> Result<(), DeviceError> {
        let address = self.at(block, from, to.len())?;
        // SAFETY: as many bytes of a block (checked), and memory of the caller's that lives during the call.
        raw("copying to the host", unsafe {
            cuMemcpyDtoH_v2(to.as_mut_ptr().cast(), address, to.len())
        })
    }

    /// Copies bytes to a block.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn write(&mut self, block: usize, to: usize, from: &[u8]) -> Result<(), DeviceError> {
        let address = self.at(block, to, from.len())?;
        // SAFETY: as many bytes of a block (checked), and memory of the caller's that lives during the call.
        raw("copying to the device", unsafe {
            cuMemcpyHtoD_v2(address, from.as_ptr().cast(), from.len())
        })
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        for (address, _) in self.blocks.drain(..) {
            // SAFETY: this value's own memory (invariant), freed once.
            if let Err(error) = raw("freeing device memory", unsafe { cuMemFree_v2(address) }) {
                tracing::debug!("{error}");
            }
        }
    }
}
