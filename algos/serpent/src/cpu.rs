//! The CPU path: bitsliced Serpent under the shared modes.

use alloc::boxed::Box;
use kgpu_core::cpu::{CpuKey, KeyError};
use kgpu_modes::{Cbc, Ctr, Ecb, Xts};

use crate::cipher::Serpent;

/// Expands a key for ECB.
pub(crate) fn ecb(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Ecb::<Serpent>::boxed(key)
}

/// Expands a key for CBC.
pub(crate) fn cbc(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Cbc::<Serpent>::boxed(key)
}

/// Expands a key for CTR.
pub(crate) fn ctr(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Ctr::<Serpent>::boxed(key)
}

/// Expands a key for XTS: half for the data, half for the tweak.
pub(crate) fn xts(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    Xts::<Serpent>::boxed(key)
}
