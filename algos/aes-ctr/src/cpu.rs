//! The CPU path: RustCrypto's AES under the shared mode.

use aes::{Aes128, Aes192, Aes256};
use alloc::boxed::Box;
use kgpu_core::cpu::{CpuKey, KeyError};
use kgpu_modes::Ctr;

/// Expands a key of the cipher that its length selects.
pub(crate) fn expand(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    match key.len() {
        16 => Ctr::<Aes128>::boxed(key),
        24 => Ctr::<Aes192>::boxed(key),
        // Refuses every other length.
        _ => Ctr::<Aes256>::boxed(key),
    }
}
