//! The forwarded functions. Each has the signature that `cust_raw` declares, which the compiler checks; one
//! that is missing here is a link error where it is used.
#![allow(non_snake_case, missing_docs, clippy::missing_safety_doc)]

use std::ffi::{c_char, c_int, c_uchar, c_uint, c_void};
use std::sync::OnceLock;

use cust_raw::{
    CUcontext, CUdevice, CUdevice_attribute, CUdeviceptr, CUevent, CUfunction,
    CUfunction_attribute, CUjit_option, CUmodule, CUresult, CUstream,
};

use crate::code::known;
use crate::library;

macro_rules! forward {
    ($($name:ident($($arg:ident: $ty:ty),* $(,)?);)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> CUresult {
            // What cust_raw declares, so that a mistake here does not compile.
            const _: unsafe extern "C" fn($($ty),*) -> CUresult = cust_raw::$name;
            // The driver may be newer than the enumeration of its answers: taken as a number.
            type Function = unsafe extern "C" fn($($ty),*) -> c_int;
            static FUNCTION: OnceLock<Option<Function>> = OnceLock::new();
            let function = FUNCTION.get_or_init(|| {
                let library = library().ok()?;
                // SAFETY: the driver's function of this name has this signature: it is the driver's ABI.
                let found = unsafe { library.get::<Function>(concat!(stringify!($name), "\0").as_bytes()) };
                found.ok().map(|function| *function)
            });
            match function {
                // SAFETY: the caller's promise to the driver, passed on.
                Some(function) => known(unsafe { function($($arg),*) }),
                None => CUresult::CUDA_ERROR_NOT_FOUND,
            }
        }
    )*};
}

forward! {
    cuCtxSetCurrent(ctx: CUcontext);
    cuCtxSynchronize();
    cuDeviceGet(device: *mut CUdevice, ordinal: c_int);
    cuDeviceGetAttribute(value: *mut c_int, attribute: CUdevice_attribute, device: CUdevice);
    cuDeviceGetCount(count: *mut c_int);
    cuDeviceGetName(name: *mut c_char, len: c_int, device: CUdevice);
    cuDevicePrimaryCtxRelease_v2(device: CUdevice);
    cuDevicePrimaryCtxReset_v2(device: CUdevice);
    cuDevicePrimaryCtxRetain(context: *mut CUcontext, device: CUdevice);
    cuDevicePrimaryCtxSetFlags_v2(device: CUdevice, flags: c_uint);
    cuDeviceTotalMem_v2(bytes: *mut usize, device: CUdevice);
    cuDriverGetVersion(version: *mut c_int);
    cuEventCreate(event: *mut CUevent, flags: c_uint);
    cuEventDestroy_v2(event: CUevent);
    cuEventElapsedTime(milliseconds: *mut f32, start: CUevent, end: CUevent);
    cuEventQuery(event: CUevent);
    cuEventRecord(event: CUevent, stream: CUstream);
    cuEventSynchronize(event: CUevent);
    cuFuncGetAttribute(value: *mut c_int, attribute: CUfunction_attribute, function: CUfunction);
    cuFuncSetAttribute(function: CUfunction, attribute: CUfunction_attribute, value: c_int);
    cuGetErrorName(error: CUresult, text: *mut *const c_char);
    cuGetErrorString(error: CUresult, text: *mut *const c_char);
    cuInit(flags: c_uint);
    cuLaunchKernel(
        function: CUfunction,
        grid_x: c_uint,
        grid_y: c_uint,
        grid_z: c_uint,
        block_x: c_uint,
        block_y: c_uint,
        block_z: c_uint,
        shared_bytes: c_uint,
        stream: CUstream,
        parameters: *mut *mut c_void,
        extra: *mut *mut c_void,
    );
    cuMemAllocHost_v2(host: *mut *mut c_void, bytes: usize);
    cuMemAlloc_v2(device: *mut CUdeviceptr, bytes: usize);
    cuMemFreeHost(host: *mut c_void);
    cuMemFree_v2(device: CUdeviceptr);
    cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    cuMemHostAlloc(host: *mut *mut c_void, bytes: usize, flags: c_uint);
    cuMemHostGetDevicePointer_v2(device: *mut CUdeviceptr, host: *mut c_void, flags: c_uint);
    cuMemHostRegister_v2(host: *mut c_void, bytes: usize, flags: c_uint);
    cuMemHostUnregister(host: *mut c_void);
    cuMemcpyDtoHAsync_v2(host: *mut c_void, device: CUdeviceptr, bytes: usize, stream: CUstream);
    cuMemcpyDtoH_v2(host: *mut c_void, device: CUdeviceptr, bytes: usize);
    cuMemcpyHtoDAsync_v2(device: CUdeviceptr, host: *const c_void, bytes: usize, stream: CUstream);
    cuMemcpyHtoD_v2(device: CUdeviceptr, host: *const c_void, bytes: usize);
    cuMemsetD8Async(device: CUdeviceptr, byte: c_uchar, bytes: usize, stream: CUstream);
    cuMemsetD8_v2(device: CUdeviceptr, byte: c_uchar, bytes: usize);
    cuModuleGetFunction(function: *mut CUfunction, module: CUmodule, name: *const c_char);
    cuModuleLoadDataEx(
        module: *mut CUmodule,
        image: *const c_void,
        option_count: c_uint,
        options: *mut CUjit_option,
        option_values: *mut *mut c_void,
    );
    cuModuleUnload(module: CUmodule);
    cuOccupancyMaxActiveBlocksPerMultiprocessor(
        blocks: *mut c_int,
        function: CUfunction,
        threads: c_int,
        shared_bytes: usize,
    );
    cuStreamCreateWithPriority(stream: *mut CUstream, flags: c_uint, priority: c_int);
    cuStreamDestroy_v2(stream: CUstream);
    cuStreamSynchronize(stream: CUstream);
    cuStreamWaitEvent(stream: CUstream, event: CUevent, flags: c_uint);
}
