//! The CPU path: RustCrypto's AES under the shared mode.

use aes::{Aes128, Aes192, Aes256};
use alloc::boxed::Box;
use kgpu_core::cpu::{CpuKey, KeyError};
use kgpu_modes::Xts;

/// Expands a key of the cipher that its length selects. The length is that of both keys.
pub(crate) fn expand(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    match key.len() {
        32 => Xts::<Aes128>::boxed(key),
        48 => Xts::<Aes192>::boxed(key),
        // Refuses every other length.
        _ => Xts::<Aes256>::boxed(key),
    }
}
