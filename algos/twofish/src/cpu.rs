//! The CPU path: Twofish by tables under the shared modes.

use alloc::boxed::Box;
use kgpu_core::cpu::{CpuKey, KeyError};
use kgpu_modes::{Cbc, Ctr, Ecb, Xts};

use crate::rounds::Twofish;

/// Expands a key for ECB.
pub(crate) fn ecb(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Ecb::<Twofish>::boxed(key)
}

/// Expands a key for CBC.
pub(crate) fn cbc(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Cbc::<Twofish>::boxed(key)
}

/// Expands a key for CTR.
pub(crate) fn ctr(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Ctr::<Twofish>::boxed(key)
}

/// Expands a key for XTS: half for the data, half for the tweak.
pub(crate) fn xts(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Xts::<Twofish>::boxed(key)
}
