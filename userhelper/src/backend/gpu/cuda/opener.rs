//! Opening a CUDA device: its context, and the device module, which the driver compiles for the device. Both stay
//! loaded from session to session, until the device fails.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use cust::context::{Context, CurrentContext};
use cust::device::Device as CudaDevice;
use cust::function::BlockSize;
use cust::module::Module;
use cust_raw::{CUfunction, CUfunction_attribute};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::device::{Card, Entry};
use kgpu_core::num::index;

use super::call::{raw, told};
use super::device::Cuda;
use super::found::Found;
use super::{CODE, NAME};
use crate::backend::gpu::device::{Device, DeviceError, Opener};

/// Dynamic shared memory that a kernel has without asking for more.
const SHARED_FREE: u32 = 48 << 10;

/// A kernel, looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    pub(super) function: CUfunction,
    /// Blocks that run at the same time on all multiprocessors.
    pub(super) blocks: u32,
}

/// A device's context with the device module in it.
///
/// # Invariants
/// The kernels are the module's, which stays loaded as long as this lives.
#[derive(Debug)]
pub(super) struct Loaded {
    kernels: HashMap<&'static str, Kernel>,
    // In this order: a module is unloaded in its context.
    _module: Module,
    context: Context,
    pub(super) card: Card,
}

// SAFETY: functions are the driver's handles, usable from every thread in whose context they are.
unsafe impl Send for Loaded {}
// SAFETY: as above; nothing changes after loading.
unsafe impl Sync for Loaded {}

impl Loaded {
    fn new(found: &Found, algorithms: &[&'static Algorithm]) -> Result<Self, DeviceError> {
        let since = Instant::now();
        let device = CudaDevice::get_device(found.index).map_err(told("finding the device"))?;
        let context = Context::new(device).map_err(told("making a context"))?;
        let opened = since.elapsed();
        let module = Module::from_ptx(kgpu_ptx::MODULE, &[]).map_err(told(
            "compiling the device module in the driver (a driver of CUDA 11.8 or younger can)",
        ))?;
        let mut loaded = Self {
            kernels: HashMap::new(),
            _module: module,
            context,
            card: found.card,
        };
        for entry in algorithms
            .iter()
            .filter_map(|algorithm| algorithm.device)
            .flat_map(|code| code.entries)
        {
            // What the card has no room for is never chosen.
            if entry.shared_bytes <= found.card.shared_per_block {
                let kernel = kernel(&loaded._module, entry, &found.card)?;
                loaded.kernels.insert(entry.name, kernel);
            }
        }
        tracing::info!(
            context_ms = opened.as_millis(),
            module_ms = (since.elapsed() - opened).as_millis(),
            kernels = loaded.kernels.len(),
            "device module loaded"
        );
        Ok(loaded)
    }

    /// Makes the context the calling thread's.
    pub(super) fn enter(&self) -> Result<(), DeviceError> {
        CurrentContext::set_current(&self.context).map_err(told("entering the context"))
    }

    /// A kernel of the module.
    pub(super) fn kernel(&self, entry: &Entry) -> Option<Kernel> {
        self.kernels.get(entry.name).copied()
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // The module is unloaded from the current context, behind this.
        if let Err(error) = self.enter() {
            tracing::debug!("{error}");
        }
    }
}

/// Looks a kernel up, and lets it have its shared memory.
fn kernel(module: &Module, entry: &Entry, card: &Card) -> Result<Kernel, DeviceError> {
    let function = module
        .get_function(entry.name)
        .map_err(told("looking a kernel up"))
        .map_err(|error| DeviceError::new(entry.name, error.to_string()))?;
    if entry.shared_bytes > SHARED_FREE {
        let bytes = i32::try_from(entry.shared_bytes).unwrap_or(i32::MAX);
        // SAFETY: a function of a loaded module.
        let answer = unsafe {
            cust_raw::cuFuncSetAttribute(
                function.to_raw(),
                CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                bytes,
            )
        };
        raw("asking for shared memory", answer)
            .map_err(|error| DeviceError::new(entry.name, error.to_string()))?;
    }
    let shared = index(u64::from(entry.shared_bytes));
    let held = function
        .max_active_blocks_per_multiprocessor(BlockSize::x(entry.threads), shared)
        .map_err(|error| DeviceError::new(entry.name, format!("{error:?}")))?;
    if held == 0 {
        return Err(DeviceError::new(
            entry.name,
            "no multiprocessor holds a block",
        ));
    }
    Ok(Kernel {
        function: function.to_raw(),
        blocks: entry.blocks(card).min(card.sms * held),
    })
}

/// Opens a CUDA device.
#[derive(Debug)]
pub struct CudaOpener {
    found: Found,
    loaded: Mutex<Option<Arc<Loaded>>>,
}

impl CudaOpener {
    /// An opener of a device; nothing is opened yet.
    #[must_use]
    pub const fn new(found: Found) -> Self {
        Self {
            found,
            loaded: Mutex::new(None),
        }
    }

    /// Loads the device module, which may take seconds the first time: the driver compiles it.
    fn load(&self, algorithms: &[&'static Algorithm]) -> Result<Arc<Loaded>, DeviceError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*loaded {
            return Ok(Arc::clone(loaded));
        }
        let fresh = Arc::new(Loaded::new(&self.found, algorithms)?);
        *loaded = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}

impl Opener for CudaOpener {
    fn name(&self) -> &'static str {
        NAME
    }

    fn code(&self) -> u16 {
        CODE
    }

    fn describe(&self) -> String {
        let Found {
            index, name, pci, ..
        } = &self.found;
        format!("CUDA device {index} ({name} at {pci})")
    }

    fn warm(&self, algorithms: &[&'static Algorithm]) -> Result<(), DeviceError> {
        self.load(algorithms).map(|_| ())
    }

    fn open(&self, algorithms: &[&'static Algorithm]) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(Cuda::new(self.load(algorithms)?)))
    }

    fn failed(&self) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = loaded.take() else {
            return;
        };
        if Arc::strong_count(&last) > 1 {
            // Somebody still works with it; they will fail by themselves.
            *loaded = Some(last);
            return;
        }
        drop(last);
        // An error of a kernel stays with its context until that is destroyed.
        let reset = CudaDevice::get_device(self.found.index)
            // SAFETY: this opener is the process's only user of the device, and what it had opened is gone.
            .and_then(|device| unsafe { Context::reset(&device) });
        if let Err(error) = reset {
            tracing::warn!("resetting {}: {error:?}", self.describe());
        }
    }
}
