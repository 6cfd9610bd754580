//! What the libraries call the registry's algorithms: the mode is the descriptor's, the cipher is read
//! off the kernel's name. A name that is not here is not offered; nothing else breaks.

use std::ffi::{CStr, c_int};

use kgpu_core::algorithm::{Algorithm, Mode};

/// libgcrypt's numbers of a cipher and a mode (`gcrypt.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) cipher: c_int,
    pub(crate) mode: c_int,
}

/// The cipher inside `mode(cipher)`.
fn cipher(algorithm: &Algorithm) -> Option<&'static str> {
    algorithm.name.split_once('(')?.1.strip_suffix(')')
}

/// Bytes of a cipher's key: XTS has two of them.
fn cipher_key(algorithm: &Algorithm, key_len: usize) -> Option<usize> {
    match algorithm.mode {
        Mode::Xts if key_len.is_multiple_of(2) => Some(key_len / 2),
        Mode::Xts => None,
        _ => Some(key_len),
    }
}

/// libgcrypt's numbers of an algorithm with keys of `key_len` bytes.
pub(crate) fn gcrypt(algorithm: &Algorithm, key_len: usize) -> Option<Numbers> {
    let mode = match algorithm.mode {
        Mode::Ecb => 1,
        Mode::Cbc => 3,
        Mode::Ctr => 6,
        Mode::Xts => 13,
        Mode::Digest => return None,
    };
    let cipher = match (cipher(algorithm)?, cipher_key(algorithm, key_len)?) {
        ("blowfish", _) => 4,
        ("aes", 16) => 7,
        ("aes", 24) => 8,
        ("aes", 32) => 9,
        // There is no 192-bit Twofish in it.
        ("twofish", 32) => 10,
        ("twofish", 16) => 303,
        ("serpent", 16) => 304,
        ("serpent", 24) => 305,
        ("serpent", 32) => 306,
        _ => return None,
    };
    algorithm
        .key_sizes
        .contains(key_len)
        .then_some(Numbers { cipher, mode })
}

/// OpenSSL's name of an algorithm, and whether it is in the provider of old ciphers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) name: &'static CStr,
    pub(crate) legacy: bool,
}

/// OpenSSL's name of an algorithm with keys of `key_len` bytes.
pub(crate) fn openssl(algorithm: &Algorithm, key_len: usize) -> Option<Name> {
    let key = cipher_key(algorithm, key_len)?;
    let name = match (algorithm.mode, cipher(algorithm)?, key) {
        (Mode::Ecb, "aes", 16) => c"AES-128-ECB",
        (Mode::Ecb, "aes", 24) => c"AES-192-ECB",
        (Mode::Ecb, "aes", 32) => c"AES-256-ECB",
        (Mode::Cbc, "aes", 16) => c"AES-128-CBC",
        (Mode::Cbc, "aes", 24) => c"AES-192-CBC",
        (Mode::Cbc, "aes", 32) => c"AES-256-CBC",
        (Mode::Ctr, "aes", 16) => c"AES-128-CTR",
        (Mode::Ctr, "aes", 24) => c"AES-192-CTR",
        (Mode::Ctr, "aes", 32) => c"AES-256-CTR",
        // There is no 192-bit AES-XTS in it, and no counter mode of Blowfish.
        (Mode::Xts, "aes", 16) => c"AES-128-XTS",
        (Mode::Xts, "aes", 32) => c"AES-256-XTS",
        (Mode::Ecb, "blowfish", _) => c"BF-ECB",
        (Mode::Cbc, "blowfish", _) => c"BF-CBC",
        _ => return None,
    };
    let legacy = cipher(algorithm) == Some("blowfish");
    algorithm
        .key_sizes
        .contains(key_len)
        .then_some(Name { name, legacy })
}
