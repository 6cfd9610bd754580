//! Transforms: an algorithm with a key, as the crypto API and `kgpu.h` know them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use kgpu_core::abi::KEY_BYTES_MAX;
use kgpu_core::slots::KeyId;
use zeroize::Zeroize;

use crate::errno::Errno;
use crate::ffi::{self, Guarded, lock};
use crate::session;

/// A key and its number.
#[derive(Debug)]
pub struct Key {
    /// Unique per key set; 0 while there is none.
    pub id: KeyId,
    /// Bytes in use.
    pub len: usize,
    /// The key. `Debug` must not show it.
    pub bytes: KeyBytes,
}

/// Key bytes: cleared when dropped, never printed.
#[derive(Clone)]
pub struct KeyBytes(pub [u8; KEY_BYTES_MAX]);

impl core::fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyBytes(..)")
    }
}

impl Drop for KeyBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

/// A key number that was never given before.
#[must_use]
pub fn next_key_id() -> KeyId {
    NEXT_KEY.fetch_add(1, Ordering::Relaxed)
}

/// A transform.
#[derive(Debug)]
pub struct Tfm {
    /// Index of its algorithm.
    pub algorithm: usize,
    /// Who made it: its share of slots and pool is bounded with this owner's others.
    pub owner: u64,
    /// Bytes it has in flight. Written by the engine.
    pub in_flight: AtomicU64,
    /// The slot its key was last seen in.
    pub slot_hint: AtomicU32,
    /// Its key.
    pub key: Guarded<Key>,
}

impl Tfm {
    /// A transform of the algorithm at an index, without a key.
    ///
    /// # Errors
    /// `ENOENT` for an index that names none, `ENOMEM`.
    pub fn new(algorithm: usize) -> Result<Box<[Self; 1]>, Errno> {
        crate::algorithm(algorithm).ok_or(Errno::NOENT)?;
        // A row of one, because a row can be allocated fallibly.
        let mut row = Vec::new();
        row.try_reserve_exact(1).map_err(|_| Errno::NOMEM)?;
        row.push(Self {
            algorithm,
            owner: ffi::owner(),
            in_flight: AtomicU64::new(0),
            slot_hint: AtomicU32::new(0),
            key: Guarded::new(Key {
                id: 0,
                len: 0,
                bytes: KeyBytes([0; KEY_BYTES_MAX]),
            }),
        });
        row.into_boxed_slice().try_into().map_err(|_| Errno::NOMEM)
    }

    /// Sets the key. Takes no slot, so that it never fails for want of one.
    ///
    /// # Errors
    /// `EINVAL` for a length the algorithm does not have; there is no key then.
    pub fn set_key(&self, bytes: &[u8]) -> Result<(), Errno> {
        // First, so that a key that is refused leaves none: the fallback may have taken it.
        self.retire_key();
        let algorithm = crate::algorithm(self.algorithm).ok_or(Errno::NOENT)?;
        if !algorithm.key_sizes.contains(bytes.len()) || bytes.len() > KEY_BYTES_MAX {
            return Err(Errno::INVAL);
        }
        let mut guard = lock();
        let key = self.key.get(&mut guard);
        if let Some(to) = key.bytes.0.get_mut(..bytes.len()) {
            to.copy_from_slice(bytes);
        }
        key.len = bytes.len();
        key.id = next_key_id();
        Ok(())
    }

    /// Clears the key here and in the region.
    pub fn retire_key(&self) {
        let mut guard = lock();
        let key = self.key.get(&mut guard);
        key.bytes.0.zeroize();
        key.len = 0;
        let id = core::mem::take(&mut key.id);
        session::retire_key(&mut guard, id, self.slot_hint.load(Ordering::Relaxed));
    }

    /// The transform's key number; 0 without a key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key.get(&mut lock()).id
    }
}

impl Drop for Tfm {
    fn drop(&mut self) {
        self.retire_key();
    }
}

/// The transform of a request in flight.
///
/// # Invariants
/// The crypto API's contract: a transform outlives its requests. Made by `ffi` for requests only.
#[derive(Clone, Copy, Debug)]
pub struct TfmRef(&'static Tfm);

impl TfmRef {
    /// Only `ffi` makes these, under the invariant above.
    pub(crate) const fn new(tfm: &'static Tfm) -> Self {
        Self(tfm)
    }

    /// The transform.
    #[must_use]
    pub const fn get(&self) -> &'static Tfm {
        self.0
    }
}
