//! The device module of kgpu: the code that runs on a GPU. **It holds no code yet.**
//!
//! What belongs here, once there is a CUDA backend: the entry points that a launch of tiles calls
//! on the device, built from the cipher crates under `algos/` into one PTX module, and the means to
//! embed that module in the helper. What does not belong here: ciphers (they live in `algos/`), the
//! tile format (`kgpu-core`), and everything that runs on the host (`userhelper`).
//!
//! Until then the helper computes on the CPU alone, and nothing depends on this crate.
#![no_std]
