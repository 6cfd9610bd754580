//! Other implementations of the ciphers, to check and to measure kgpu against: libgcrypt and OpenSSL.
//!
//! They are loaded when they are first asked for, never linked: a program that uses this crate starts
//! on a machine without them and is told what is missing. A folder `lib` beside the executable is
//! looked at before the system's libraries, so that a bundle can bring its own.
//!
//! * [`Peer`]: a library; [`PeerKey`]: a key in it, which computes data units in place.
//! * `names`: what each library calls the registry's ciphers. Ciphers that it does not know are not
//!   offered by anyone.
//! * `ffi`: the only unsafe code: the libraries' functions behind checked types.
#![deny(unsafe_code)]

mod error;
mod ffi;
mod gcrypt;
mod names;
mod openssl;
mod search;

use std::fmt::Debug;

use kgpu_core::abi::Op;
use kgpu_core::algorithm::{Algorithm, Mode};
use kgpu_core::request::Shape;
use kgpu_core::{iv, num};

pub use error::PeerError;

/// A library that computes some of the registry's algorithms.
pub trait Peer: Send + Sync + Debug {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Its version, as it tells it.
    fn version(&self) -> &str;

    /// What this installation of it lacks, in words, if something can't be offered for that reason.
    fn lacks(&self) -> Option<&str>;

    /// Whether it computes an algorithm under keys of `key_len` bytes.
    fn offers(&self, algorithm: &Algorithm, key_len: usize) -> bool;

    /// Whether it computes an algorithm under keys of some length.
    fn offers_some(&self, algorithm: &Algorithm) -> bool {
        algorithm
            .key_sizes
            .iter()
            .any(|len| self.offers(algorithm, len))
    }

    /// Expands a key for one direction.
    ///
    /// # Errors
    /// [`PeerError::NotOffered`]; [`PeerError::Refused`] when the library does not take this key
    /// (OpenSSL takes no XTS key of two equal halves); [`PeerError::Failed`].
    fn open(
        &self,
        algorithm: &Algorithm,
        key: &[u8],
        op: Op,
    ) -> Result<Box<dyn PeerKey>, PeerError>;
}

/// A key in a library, for one algorithm and direction. The library clears it when it is dropped.
pub trait PeerKey: Send + Debug {
    /// Computes one data unit in place. `iv` has exactly the algorithm's IV size; `data` is whole
    /// blocks but in counter mode. ECB has no units: any number of blocks may be given at once.
    ///
    /// # Errors
    /// [`PeerError::Length`] and [`PeerError::Failed`]; the data is lost then.
    fn unit(&mut self, iv: &[u8], data: &mut [u8]) -> Result<(), PeerError>;
}

/// Computes a whole request in place: ECB in one call, other modes unit by unit, as fast as the
/// library's interface lets it be done.
///
/// # Errors
/// As [`PeerKey::unit`].
pub fn request(
    key: &mut dyn PeerKey,
    algorithm: &Algorithm,
    shape: &Shape,
    data: &mut [u8],
) -> Result<(), PeerError> {
    if algorithm.mode == Mode::Ecb {
        return key.unit(&[], data);
    }
    let size = algorithm.iv_size();
    let unit = num::index(u64::from(shape.data_unit_size.max(1)));
    for (number, data) in (0..).zip(data.chunks_mut(unit)) {
        let iv = iv::step(&shape.iv, size, shape.iv_step, number);
        key.unit(iv.get(..size).unwrap_or_default(), data)?;
    }
    Ok(())
}

/// libgcrypt, loaded once.
///
/// # Errors
/// [`PeerError::Missing`] and [`PeerError::Symbol`], which say what to install.
pub fn gcrypt() -> Result<&'static dyn Peer, PeerError> {
    gcrypt::get()
}

/// OpenSSL's libcrypto, loaded once.
///
/// # Errors
/// [`PeerError::Missing`] and [`PeerError::Symbol`], which say what to install.
pub fn openssl() -> Result<&'static dyn Peer, PeerError> {
    openssl::get()
}
