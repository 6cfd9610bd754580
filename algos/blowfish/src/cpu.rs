//! The CPU path: RustCrypto's Blowfish under the shared modes.

use alloc::boxed::Box;
use blowfish::Blowfish;
use kgpu_core::cpu::{CpuKey, KeyError};
use kgpu_modes::{Cbc, Ctr, Ecb};

/// Expands a key for ECB.
pub(crate) fn ecb(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Ecb::<Blowfish>::boxed(key)
}

/// Expands a key for CBC.
pub(crate) fn cbc(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Cbc::<Blowfish>::boxed(key)
}

/// Expands a key for CTR.
pub(crate) fn ctr(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Ctr::<Blowfish>::boxed(key)
}
