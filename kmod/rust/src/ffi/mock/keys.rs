//! Expanded keys and what they computed, remembered: thousands of helpers come one after the other,
//! each gives every known answer, and that would be nearly all that is done.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX};
use kgpu_core::cpu::{CpuKey, Data, Work, WorkError};

/// Keys of known answers, and as many again.
const MOST_KEYS: usize = 512;
/// Results of a key that are remembered, and bytes of the longest.
const MOST_RESULTS: usize = 64;
const LONGEST: usize = 64 << 10;

type Keys = BTreeMap<(u16, Vec<u8>), Arc<dyn CpuKey>>;

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(BTreeMap::new()) };
}

/// All that a result depends on.
type Asked = (u8, u32, u8, [u8; IV_BYTES_MAX], u32, usize, Vec<u8>);

fn asked(work: &Work, src: &[u8], dst_len: usize) -> Asked {
    // Field by field: one more would make another result.
    let Work {
        op,
        data_unit_size,
        iv_step,
        iv,
        first_block,
    } = *work;
    let (op, iv_step) = (op.code(), iv_step.code());
    (
        op,
        data_unit_size,
        iv_step,
        iv,
        first_block,
        dst_len,
        src.to_vec(),
    )
}

/// A key that remembers what it computed first.
#[derive(Debug)]
struct Remembering {
    key: Box<dyn CpuKey>,
    results: Mutex<BTreeMap<Asked, Vec<u8>>>,
}

impl CpuKey for Remembering {
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError> {
        let Data::Apart { src, dst } = data else {
            return self.key.run(work, data);
        };
        if src.len() > LONGEST {
            return self.key.run(work, Data::Apart { src, dst });
        }
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = asked(work, src, dst.len());
        if let Some(known) = results.get(&asked) {
            dst.copy_from_slice(known);
            return Ok(());
        }
        self.key.run(work, Data::Apart { src, dst })?;
        if results.len() < MOST_RESULTS {
            results.insert(asked, dst.to_vec());
        }
        Ok(())
    }
}

/// The key, expanded by the algorithm's own CPU side; `None` when the algorithm takes no such.
pub(crate) fn expand(algorithm: &Algorithm, key: &[u8]) -> Option<Arc<dyn CpuKey>> {
    KEYS.with_borrow_mut(|keys| {
        let name = (algorithm.id.0, key.to_vec());
        if let Some(known) = keys.get(&name) {
            return Some(known.clone());
        }
        let expanded: Arc<dyn CpuKey> = Arc::new(Remembering {
            key: (algorithm.cpu)(key).ok()?,
            results: Mutex::default(),
        });
        if keys.len() >= MOST_KEYS {
            keys.clear();
        }
        keys.insert(name, expanded.clone());
        Some(expanded)
    })
}
