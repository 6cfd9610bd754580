//! Prepared keys by key slot and generation. A key crosses into the helper when its slot's first
//! tile arrives, is expanded once, and is cleared when the slot moves on.
//!
//! Filling a slot takes memory, nothing else on the request path does: one block for the prepared key, one for the
//! expanded key, one for its schedule where there is a device. They are given back when the last job that uses the
//! key is done.

use std::sync::Arc;

use kgpu_core::abi::{KeyEntry, Layout};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::cell::Words;
use kgpu_core::cpu::{CpuKey, KeyError};
use kgpu_core::keytable;
use kgpu_core::num::{index, low32};
use zeroize::Zeroizing;

use crate::backend::gpu::{Schedule, Schedules};
use crate::catalogue::Catalogue;
use crate::fault::Fault;
use crate::wipe;

/// An expanded key and its algorithm. Cleared when the last job that uses it is done.
#[derive(Debug)]
pub struct Prepared {
    /// The algorithm.
    pub algorithm: &'static Algorithm,
    /// Its index in the catalogue.
    pub index: usize,
    /// The key, for the CPU.
    pub key: Box<dyn CpuKey>,
    /// The key, for a device, where there is one that has kernels for the algorithm.
    pub schedule: Option<Schedule>,
}

#[derive(Debug)]
struct Filled {
    generation: u32,
    key: Arc<Prepared>,
}

/// The cache: one place per slot of the key table.
#[derive(Debug)]
pub struct KeyCache {
    slots: Box<[Option<Filled>]>,
    /// By index in the catalogue: algorithms without a key need no slot.
    keyless: Box<[Option<Arc<Prepared>>]>,
    schedules: Option<Arc<Schedules>>,
    layout: Layout,
    filled: usize,
}

impl KeyCache {
    /// An empty cache for a region's key table. `schedules` expands for a device.
    #[must_use]
    pub fn new(layout: &Layout, catalogue: &Catalogue, schedules: Option<Arc<Schedules>>) -> Self {
        let keyless = catalogue
            .all()
            .iter()
            .enumerate()
            .map(|(index, algorithm)| {
                if algorithm.has_key() {
                    return None;
                }
                prepare(algorithm, index, schedules.as_ref(), &[])
                    .ok()
                    .map(Arc::new)
            });
        Self {
            keyless: keyless.collect(),
            slots: (0..layout.sizes.keys).map(|_| None).collect(),
            schedules,
            layout: *layout,
            filled: 0,
        }
    }

    /// Prepared keys held.
    #[must_use]
    pub const fn filled(&self) -> usize {
        self.filled
    }

    /// The prepared key of a slot at a generation, taken from the key table if need be.
    ///
    /// # Errors
    /// [`Fault::StaleKey`] when the slot is at another generation, or a fault of the entry.
    pub fn get(
        &mut self,
        control: Words<'_>,
        algorithm: &'static Algorithm,
        at: usize,
        slot: u32,
        generation: u32,
    ) -> Result<Arc<Prepared>, Fault> {
        if !algorithm.has_key() {
            let key = self.keyless.get(at).and_then(Option::as_ref);
            return key.map(Arc::clone).ok_or(Fault::Key(KeyError { len: 0 }));
        }
        let place = self
            .slots
            .get_mut(index(u64::from(slot)))
            .ok_or(Fault::KeySlot { slot })?;
        if let Some(filled) = place
            && filled.generation == generation
        {
            if filled.key.algorithm.id != algorithm.id {
                return Err(Fault::KeyOfOther {
                    algorithm: filled.key.algorithm.id.0,
                });
            }
            return Ok(Arc::clone(&filled.key));
        }
        // Whatever the slot held before is no key of a request in flight any more.
        if place.take().is_some() {
            self.filled -= 1;
        }
        let expand = |key: &[u8]| prepare(algorithm, at, self.schedules.as_ref(), key);
        let key = read(control, &self.layout, algorithm, slot, generation, expand)?;
        let key = Arc::new(key);
        *place = Some(Filled {
            generation,
            key: Arc::clone(&key),
        });
        self.filled += 1;
        Ok(key)
    }

    /// Drops the keys whose slots have moved on. The result is how many that were.
    pub fn sweep(&mut self, control: Words<'_>) -> usize {
        let before = self.filled;
        if before == 0 {
            return 0;
        }
        for (slot, place) in (0..).zip(&mut self.slots) {
            if let Some(filled) = place
                && filled.generation != generation_of(control, &self.layout, slot)
            {
                *place = None;
                self.filled -= 1;
            }
        }
        before - self.filled
    }
}

/// The generation a slot is at; 0 for a slot that does not exist.
fn generation_of(control: Words<'_>, layout: &Layout, slot: u32) -> u32 {
    // It is the entry's first field: the low half of its first word.
    keytable::entry_at(layout, slot).map_or(0, |at| low32(control.load(at)))
}

/// Takes one whole key out of the table and has it expanded; no copy of it stays.
fn read(
    control: Words<'_>,
    layout: &Layout,
    algorithm: &'static Algorithm,
    slot: u32,
    generation: u32,
    prepare: impl FnOnce(&[u8]) -> Result<Prepared, KeyError>,
) -> Result<Prepared, Fault> {
    let mut entry = Zeroizing::new(KeyEntry::empty(0));
    if !keytable::read_into(control, layout, slot, generation, &mut entry) {
        return Err(Fault::StaleKey {
            slot,
            wanted: generation,
            found: generation_of(control, layout, slot),
        });
    }
    let key = check(&entry, algorithm).and_then(|key| prepare(key).map_err(Fault::Key));
    // Expansion builds the key in frames of its own before it is boxed, and works on halves of it.
    wipe::leftovers();
    key
}

/// Expands a key for the CPU, and for a device where that has kernels for it.
///
/// # Errors
/// [`KeyError`] when the algorithm has no key of that length.
pub fn prepare(
    algorithm: &'static Algorithm,
    index: usize,
    schedules: Option<&Arc<Schedules>>,
    key: &[u8],
) -> Result<Prepared, KeyError> {
    let schedule = match (schedules, algorithm.device) {
        (Some(schedules), Some(code)) => Some(schedules.expand(algorithm.id, code, key)?),
        _ => None,
    };
    Ok(Prepared {
        algorithm,
        index,
        key: (algorithm.cpu)(key)?,
        schedule,
    })
}

/// The bytes of a key, if the entry is one of the algorithm's.
fn check<'a>(entry: &'a KeyEntry, algorithm: &Algorithm) -> Result<&'a [u8], Fault> {
    if entry.algorithm != algorithm.id.0 {
        return Err(Fault::KeyOfOther {
            algorithm: entry.algorithm,
        });
    }
    if entry.reserved != 0 {
        return Err(Fault::NotZero("the key entry's reserved field"));
    }
    let len = usize::from(entry.key_len);
    entry
        .key
        .get(..len)
        .filter(|_| algorithm.key_sizes.contains(len))
        .ok_or(Fault::Key(KeyError { len }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::Region;
    use kgpu_core::abi::{KEY_BYTES_MAX, RingSizes};

    fn region() -> Region {
        let sizes = RingSizes {
            entries: 2,
            tiles: 1,
            keys: 3,
            pool_bytes: 4096,
        };
        Region::in_process(Layout::new(sizes).unwrap(), 1, 1).unwrap()
    }

    fn store(region: &Region, slot: u32, generation: u32, algorithm: &Algorithm, byte: u8) {
        let mut entry = KeyEntry {
            generation,
            algorithm: algorithm.id.0,
            key_len: 16,
            reserved: 0,
            key: [0; KEY_BYTES_MAX],
        };
        entry.key[..16].fill(byte);
        keytable::write(region.control(), region.layout(), slot, &entry);
    }

    #[test]
    fn one_expansion_per_slot_fill() {
        let region = region();
        let catalogue = Catalogue::registry();
        let mut cache = KeyCache::new(region.layout(), &catalogue, None);
        let aes = kgpu_algos::by_name("ecb(aes)").unwrap();
        store(&region, 2, 5, aes, 1);
        let mut get = |generation| cache.get(region.control(), aes, 0, 2, generation);
        let first = get(5).unwrap();
        assert!(Arc::ptr_eq(&first, &get(5).unwrap()));
        store(&region, 2, 7, aes, 2);
        let second = get(7).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        // The cache has let go of the first: only this test still has it.
        assert_eq!(Arc::strong_count(&first), 1);
        assert!(matches!(get(5), Err(Fault::StaleKey { found: 7, .. })));
        assert_eq!(cache.filled(), 0);
    }

    #[test]
    fn a_sweep_drops_what_the_table_has_dropped() {
        let region = region();
        let mut cache = KeyCache::new(region.layout(), &Catalogue::registry(), None);
        let aes = kgpu_algos::by_name("ecb(aes)").unwrap();
        for slot in 0..3 {
            store(&region, slot, 1, aes, 1);
            cache.get(region.control(), aes, 0, slot, 1).unwrap();
        }
        assert_eq!((cache.filled(), cache.sweep(region.control())), (3, 0));
        keytable::clear(region.control(), region.layout(), 1, 2);
        store(&region, 2, 3, aes, 9);
        assert_eq!((cache.sweep(region.control()), cache.filled()), (2, 1));
    }

    #[test]
    fn algorithms_without_a_key_need_no_slot() {
        let region = region();
        let catalogue = Catalogue::registry();
        let mut cache = KeyCache::new(region.layout(), &catalogue, None);
        let crc = kgpu_algos::by_name("crc32c").unwrap();
        let (at, _) = catalogue.find(crc.id).unwrap();
        assert!(cache.get(region.control(), crc, at, 0, 0).is_ok());
        assert_eq!(cache.filled(), 0);
    }

    #[test]
    fn prepared_keys_print_no_key() {
        let region = region();
        let mut cache = KeyCache::new(region.layout(), &Catalogue::registry(), None);
        let aes = kgpu_algos::by_name("ecb(aes)").unwrap();
        store(&region, 0, 1, aes, 0xab);
        let key = cache.get(region.control(), aes, 0, 0, 1).unwrap();
        let text = format!("{:?}", key.key).to_ascii_lowercase();
        assert!(
            !text.contains("ab, ab") && !text.contains("171, 171"),
            "{text}"
        );
    }
}
