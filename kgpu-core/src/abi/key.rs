//! The key table: a key crosses the ring once per slot fill, not per request.

use zerocopy::IntoBytes;

/// Longest key of any algorithm, in bytes (XTS takes twice the cipher's; 32 bytes are spare).
pub const KEY_BYTES_MAX: usize = 112;

abi_struct! {
    /// One key slot. Written by the module; overwritten when its key is evicted, zeroed when its
    /// key is changed or freed.
    ///
    /// The generation is odd while the slot holds a key and even while it does not, and grows
    /// with every change: a helper that read the key between two equal odd generations read one
    /// whole key.
    pub struct KeyEntry [128] {
        /// Changes with every fill and every clearing.
        pub generation: u32,
        /// [`super::AlgorithmId`] the key is for.
        pub algorithm: u16,
        /// Bytes of `key` in use.
        pub key_len: u16,
        /// Zero.
        pub reserved: u64,
        /// The key, padded with zeroes.
        pub key: [u8; KEY_BYTES_MAX],
    }
}

impl core::fmt::Debug for KeyEntry {
    /// Prints no key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("KeyEntry")
            .field("generation", &self.generation)
            .field("algorithm", &self.algorithm)
            .field("key_len", &self.key_len)
            .finish_non_exhaustive()
    }
}

impl zeroize::Zeroize for KeyEntry {
    fn zeroize(&mut self) {
        self.as_mut_bytes().zeroize();
    }
}

impl KeyEntry {
    /// A slot without a key.
    #[must_use]
    pub const fn empty(generation: u32) -> Self {
        Self {
            generation,
            algorithm: 0,
            key_len: 0,
            reserved: 0,
            key: [0; KEY_BYTES_MAX],
        }
    }

    /// A slot with a key. `None` when the key is longer than any algorithm's.
    #[must_use]
    pub fn new(generation: u32, algorithm: super::AlgorithmId, key: &[u8]) -> Option<Self> {
        let mut entry = Self::empty(generation);
        entry.fill(algorithm, key).then_some(entry)
    }

    /// Gives an empty slot its key, where it lies: an entry that is returned may leave a copy of the key on the stack.
    /// `false`, and no key, when it is longer than any algorithm's.
    #[must_use]
    pub fn fill(&mut self, algorithm: super::AlgorithmId, key: &[u8]) -> bool {
        let (Ok(len), Some(to)) = (u16::try_from(key.len()), self.key.get_mut(..key.len())) else {
            return false;
        };
        to.copy_from_slice(key);
        self.algorithm = algorithm.0;
        self.key_len = len;
        true
    }

    /// The key's bytes; `None` when the length is impossible.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.key.get(..usize::from(self.key_len))
    }
}
