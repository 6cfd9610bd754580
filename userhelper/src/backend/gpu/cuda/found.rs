//! Which CUDA devices there are, and whether they can be used.
#![allow(unsafe_code)]

use cust::CudaFlags;
use cust::device::{Device, DeviceAttribute};
use cust::error::CudaError;
use cust_raw::CUdevice_attribute;
use kgpu_core::device::Card;

use super::call::raw;
use crate::backend::gpu::DeviceError;

/// The least compute capability: what the device module is built for.
const CAPABILITY: (i32, i32) = (7, 5);
/// The compute mode in which a device takes nobody.
const PROHIBITED: i32 = 2;

/// A CUDA device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number: what `--gpu` takes.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Compute capability, major and minor.
    pub capability: (i32, i32),
    /// Bytes of memory.
    pub memory: u64,
    /// What it can do.
    pub card: Card,
    /// Where it sits: domain, bus, device.
    pub pci: String,
    /// Why it can't be used, if it can't.
    pub problem: Option<String>,
}

/// Why there are no CUDA devices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Absent {
    /// What is missing.
    pub what: String,
    /// What to do next.
    pub next: &'static str,
}

/// Initialises the driver and lists its devices. Starts nothing on them.
///
/// # Errors
/// [`Absent`] when there is no driver, or it does not work. No devices are no error.
pub fn devices() -> Result<Vec<Found>, Absent> {
    kgpu_cuda_shim::driver().map_err(|why| Absent {
        what: format!("there is no NVIDIA driver: {why}"),
        next: "install NVIDIA's driver (the one with libcuda.so.1), or stay with `--backend cpu`",
    })?;
    match cust::init(CudaFlags::empty()) {
        Ok(()) => {}
        Err(CudaError::NoDevice) => return Ok(Vec::new()),
        Err(error) => {
            return Err(Absent {
                what: format!("NVIDIA's driver does not start: {error:?}"),
                next: "look at `nvidia-smi` and `dmesg`: the driver's kernel module and its library must be of \
                       one release, and /dev/nvidia* must be there and open to this user",
            });
        }
    }
    let count = Device::num_devices().map_err(|error| Absent {
        what: format!("NVIDIA's driver does not count its devices: {error:?}"),
        next: "look at `nvidia-smi` and `dmesg`",
    })?;
    Ok((0..count).map(look).collect())
}

fn look(index: u32) -> Found {
    let mut found = Found {
        index,
        name: "?".into(),
        capability: (0, 0),
        memory: 0,
        card: Card {
            sms: 0,
            shared_per_block: 0,
            shared_per_sm: 0,
            threads_per_sm: 0,
        },
        pci: "?".into(),
        problem: None,
    };
    let told = Device::get_device(index)
        .map_err(super::call::told("looking at the device"))
        .and_then(|device| fill(device, &mut found));
    if let Err(error) = told {
        found.problem = Some(error.to_string());
    }
    found
}

fn fill(device: Device, found: &mut Found) -> Result<(), DeviceError> {
    let told = || super::call::told("looking at the device");
    let get = |attribute| device.get_attribute(attribute).map_err(told());
    let count = |attribute| get(attribute).map(|n| u32::try_from(n).unwrap_or(0));
    found.name = device.name().map_err(told())?;
    found.memory = u64::try_from(device.total_memory().map_err(told())?).unwrap_or(u64::MAX);
    found.capability = (
        get(DeviceAttribute::ComputeCapabilityMajor)?,
        get(DeviceAttribute::ComputeCapabilityMinor)?,
    );
    found.pci = format!(
        "{:04x}:{:02x}:{:02x}",
        get(DeviceAttribute::PciDomainId)?,
        get(DeviceAttribute::PciBusId)?,
        get(DeviceAttribute::PciDeviceId)?
    );
    found.card = Card {
        sms: count(DeviceAttribute::MultiprocessorCount)?,
        shared_per_block: shared_per_block(device)?,
        shared_per_sm: count(DeviceAttribute::MaxSharedMemoryPerMultiprocessor)?,
        threads_per_sm: count(DeviceAttribute::MaxThreadsPerMultiprocessor)?,
    };
    found.problem = if found.capability < CAPABILITY {
        Some(format!(
            "its compute capability is below {}.{}",
            CAPABILITY.0, CAPABILITY.1
        ))
    } else if get(DeviceAttribute::ComputeMode)? == PROHIBITED {
        Some("its compute mode is `prohibited`; `nvidia-smi -c DEFAULT` changes that".into())
    } else if get(DeviceAttribute::CanMapHostMemory)? == 0 {
        Some("it can't reach host memory".into())
    } else {
        None
    };
    Ok(())
}

/// Bytes of shared memory that a block can have when it asks for it. `cust` has no name for it.
fn shared_per_block(device: Device) -> Result<u32, DeviceError> {
    let mut bytes = 0;
    // SAFETY: writes the integer, which lives during the call; the device is one of the driver's.
    let answer = unsafe {
        cust_raw::cuDeviceGetAttribute(
            &raw mut bytes,
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
            device.as_raw(),
        )
    };
    raw("looking at the device", answer)?;
    Ok(u32::try_from(bytes).unwrap_or(0))
}
