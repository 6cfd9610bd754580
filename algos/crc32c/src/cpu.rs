//! The CPU path: the `crc32c` crate, which uses the processor's instruction where there is one.

use alloc::boxed::Box;
use kgpu_core::abi::Op;
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};
use kgpu_core::num;

/// Bytes of a checksum.
const OUTPUT: usize = 4;

/// There is no key: takes the empty one.
pub(crate) fn expand(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    if key.is_empty() {
        Ok(Box::new(Crc32c))
    } else {
        Err(KeyError { len: key.len() })
    }
}

/// The service.
#[derive(Debug)]
struct Crc32c;

impl CpuKey for Crc32c {
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError> {
        if work.op != Op::Compute {
            return Err(WorkError::Op(work.op));
        }
        let unit = num::index(u64::from(work.data_unit_size)).max(1);
        let expected = data.src_len().div_ceil(unit) * OUTPUT;
        if work.first_block != 0 {
            return Err(WorkError::Source {
                len: data.src_len(),
                block: 1,
            });
        }
        let (src, dst) = match data {
            Data::Apart { src, dst } if dst.len() == expected => (src, dst),
            // In place there is no room of its own for the output.
            Data::Apart { dst: data, .. } | Data::InPlace(data) => {
                return Err(WorkError::Destination {
                    len: data.len(),
                    expected,
                });
            }
        };
        for (unit, out) in src.chunks(unit).zip(dst.chunks_exact_mut(OUTPUT)) {
            for (to, from) in out.iter_mut().zip(crc32c::crc32c(unit).to_le_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}
