//! What is compiled for the device: the registry's crates, whose kernels are exported by name.
//!
//! `kgpu-ptx`'s build script compiles it for `nvptx64-nvidia-cuda`; for any other target it is empty.
#![cfg_attr(target_arch = "nvptx64", no_std)]
#![cfg_attr(target_arch = "nvptx64", feature(stdarch_nvptx))]

#[cfg(target_arch = "nvptx64")]
mod device {
    // Links the crates in; the kernels are found by their symbols.
    pub use kgpu_algos as _;

    /// Ends the launch with an error. Kernels have no panic path, and the linker step refuses a
    /// module that calls this.
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        // SAFETY: ends the kernel; the driver reports it.
        unsafe { core::arch::nvptx::trap() }
    }
}
