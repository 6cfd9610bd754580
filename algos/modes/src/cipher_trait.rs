//! What a mode asks of a cipher.

use alloc::boxed::Box;
use cipher::{AlgorithmName, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use kgpu_core::cpu::{CpuKey, KeyError};

/// A keyed block cipher that clears itself when dropped (the `zeroize` feature of RustCrypto's
/// cipher crates).
pub trait ModeCipher:
    KeyInit
    + BlockCipherEncrypt
    + BlockCipherDecrypt
    + AlgorithmName
    + cipher::zeroize::ZeroizeOnDrop
    + Send
    + Sync
    + 'static
{
}

impl<C> ModeCipher for C where
    C: KeyInit
        + BlockCipherEncrypt
        + BlockCipherDecrypt
        + AlgorithmName
        + cipher::zeroize::ZeroizeOnDrop
        + Send
        + Sync
        + 'static
{
}

/// Expands `key` and wraps it in a mode.
pub(crate) fn boxed<C: ModeCipher, M: CpuKey + 'static>(
    key: &[u8],
    mode: impl FnOnce(C) -> M,
) -> Result<Box<dyn CpuKey>, KeyError> {
    let cipher = C::new_from_slice(key).map_err(|_| KeyError { len: key.len() })?;
    Ok(Box::new(mode(cipher)))
}

/// Prints a mode by its name and its cipher's, and nothing of the key.
pub(crate) fn debug<C: AlgorithmName>(
    mode: &str,
    f: &mut core::fmt::Formatter<'_>,
) -> core::fmt::Result {
    write!(f, "{mode}<")?;
    C::write_alg_name(f)?;
    f.write_str("> { .. }")
}
