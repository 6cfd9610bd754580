//! libgcrypt as a peer.

use std::fmt;
use std::sync::OnceLock;

use kgpu_core::abi::Op;
use kgpu_core::algorithm::{Algorithm, Mode};

use crate::ffi::{Gcrypt, GcryptHandle};
use crate::{Peer, PeerError, PeerKey, names};

/// The library's name in reports.
pub(crate) const NAME: &str = "libgcrypt";

static LIBRARY: OnceLock<Result<Gcrypt, PeerError>> = OnceLock::new();

/// The library, loaded once.
pub(crate) fn get() -> Result<&'static dyn Peer, PeerError> {
    match LIBRARY.get_or_init(Gcrypt::load) {
        Ok(library) => Ok(library),
        Err(error) => Err(error.clone()),
    }
}

impl fmt::Debug for Gcrypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} {}", self.version)
    }
}

impl Peer for Gcrypt {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn lacks(&self) -> Option<&str> {
        None
    }

    fn offers(&self, algorithm: &Algorithm, key_len: usize) -> bool {
        names::gcrypt(algorithm, key_len).is_some()
    }

    fn open(
        &self,
        algorithm: &Algorithm,
        key: &[u8],
        op: Op,
    ) -> Result<Box<dyn PeerKey>, PeerError> {
        let numbers = names::gcrypt(algorithm, key.len()).ok_or(PeerError::NotOffered {
            peer: NAME,
            algorithm: algorithm.name,
            key_len: key.len(),
        })?;
        Ok(Box::new(Key {
            handle: self.open_handle(numbers.cipher, numbers.mode, key)?,
            mode: algorithm.mode,
            iv_size: algorithm.iv_size(),
            decrypts: op == Op::Decrypt,
        }))
    }
}

/// A key. The library makes both directions of it.
struct Key {
    handle: GcryptHandle,
    mode: Mode,
    iv_size: usize,
    decrypts: bool,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key in {NAME}, {:?}", self.mode)
    }
}

impl PeerKey for Key {
    fn unit(&mut self, iv: &[u8], data: &mut [u8]) -> Result<(), PeerError> {
        if iv.len() != self.iv_size {
            return Err(PeerError::Length {
                peer: NAME,
                what: "an IV",
                len: iv.len(),
            });
        }
        match self.mode {
            Mode::Ctr => self.handle.set_counter(iv)?,
            Mode::Cbc | Mode::Xts => self.handle.set_iv(iv)?,
            Mode::Ecb | Mode::Digest => {}
        }
        if self.decrypts {
            self.handle.decrypt(data)
        } else {
            self.handle.encrypt(data)
        }
    }
}
