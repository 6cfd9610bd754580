//! Expanded keys, remembered: thousands of helpers come one after the other, each gives every known
//! answer, and expanding their keys would be nearly all that is done.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use kgpu_core::algorithm::Algorithm;
use kgpu_core::cpu::CpuKey;

/// Keys of known answers, and as many again.
const MOST: usize = 512;

type Keys = BTreeMap<(u16, Vec<u8>), Arc<dyn CpuKey>>;

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(BTreeMap::new()) };
}

/// The key, expanded by the algorithm's own CPU side; `None` when the algorithm takes no such.
pub(crate) fn expand(algorithm: &Algorithm, key: &[u8]) -> Option<Arc<dyn CpuKey>> {
    KEYS.with_borrow_mut(|keys| {
        let name = (algorithm.id.0, key.to_vec());
        if let Some(known) = keys.get(&name) {
            return Some(known.clone());
        }
        let expanded: Arc<dyn CpuKey> = Arc::from((algorithm.cpu)(key).ok()?);
        if keys.len() >= MOST {
            keys.clear();
        }
        keys.insert(name, expanded.clone());
        Some(expanded)
    })
}
