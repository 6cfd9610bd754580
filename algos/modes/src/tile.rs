//! A tile's bytes as blocks.

use cipher::InOutBuf;
use cipher::array::{Array, ArraySize};
use kgpu_core::cpu::{Data, WorkError};

/// A run of whole blocks, read and written in place or apart.
pub(crate) type Blocks<'a, BS> = InOutBuf<'a, 'a, Array<u8, BS>>;

/// The bytes, and what follows the last whole block.
pub(crate) fn split<'a, BS: ArraySize>(
    data: Data<'a>,
) -> Result<(Blocks<'a, BS>, InOutBuf<'a, 'a, u8>), WorkError> {
    let bytes = match data {
        Data::InPlace(data) => InOutBuf::from(data),
        Data::Apart { src, dst } => {
            let error = WorkError::Destination {
                len: dst.len(),
                expected: src.len(),
            };
            InOutBuf::new(src, dst).map_err(|_| error)?
        }
    };
    Ok(bytes.into_chunks())
}

/// The bytes, which must be whole blocks.
pub(crate) fn whole<BS: ArraySize>(data: Data<'_>) -> Result<Blocks<'_, BS>, WorkError> {
    let error = WorkError::Source {
        len: data.src_len(),
        block: BS::USIZE,
    };
    let (blocks, tail) = split(data)?;
    if tail.is_empty() {
        Ok(blocks)
    } else {
        Err(error)
    }
}
