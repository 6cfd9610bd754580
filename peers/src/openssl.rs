//! OpenSSL's libcrypto as a peer.

use std::fmt;
use std::sync::OnceLock;

use kgpu_core::abi::Op;
use kgpu_core::algorithm::Algorithm;

use crate::ffi::{EvpHandle, OpenSsl};
use crate::{Peer, PeerError, PeerKey, names};

/// The library's name in reports.
pub(crate) const NAME: &str = "OpenSSL";

static LIBRARY: OnceLock<Result<OpenSsl, PeerError>> = OnceLock::new();

/// The library, loaded once.
pub(crate) fn get() -> Result<&'static dyn Peer, PeerError> {
    match LIBRARY.get_or_init(OpenSsl::load) {
        Ok(library) => Ok(library),
        Err(error) => Err(error.clone()),
    }
}

impl fmt::Debug for OpenSsl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} {}", self.version)
    }
}

impl Peer for OpenSsl {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn lacks(&self) -> Option<&str> {
        self.no_legacy.as_deref()
    }

    fn offers(&self, algorithm: &Algorithm, key_len: usize) -> bool {
        names::openssl(algorithm, key_len)
            .is_some_and(|name| !name.legacy || self.no_legacy.is_none())
    }

    fn open(
        &self,
        algorithm: &Algorithm,
        key: &[u8],
        op: Op,
    ) -> Result<Box<dyn PeerKey>, PeerError> {
        let name = names::openssl(algorithm, key.len())
            .filter(|_| self.offers(algorithm, key.len()))
            .ok_or(PeerError::NotOffered {
                peer: NAME,
                algorithm: algorithm.name,
                key_len: key.len(),
            })?;
        let handle = self.open_handle(name.name, key, op == Op::Decrypt)?;
        Ok(Box::new(Key {
            handle,
            block: usize::from(algorithm.block_size),
            stream: algorithm.partial_last_unit(),
        }))
    }
}

/// A key for one direction.
struct Key {
    handle: EvpHandle,
    block: usize,
    /// Whether data may end inside a block.
    stream: bool,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key in {NAME}")
    }
}

impl PeerKey for Key {
    fn unit(&mut self, iv: &[u8], data: &mut [u8]) -> Result<(), PeerError> {
        // The library would keep the rest of a block back and not say so.
        if !self.stream && !data.len().is_multiple_of(self.block) {
            return Err(PeerError::Length {
                peer: NAME,
                what: "data that is not whole blocks",
                len: data.len(),
            });
        }
        self.handle.set_iv(iv)?;
        self.handle.update(data)
    }
}
