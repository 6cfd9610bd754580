//! What a request's answer is, by the algorithm's own CPU path.

use kgpu_core::abi::Op;
use kgpu_core::algorithm::{Algorithm, IV_BYTES_MAX, Mode};
use kgpu_core::cpu::{Data, Work};
use kgpu_core::iv;
use kgpu_core::num::index;
use kgpu_core::request::Shape;

use super::keys::expand;
use crate::errno::Errno;

/// Runs `work` under a key. `EINVAL` for what the algorithm does not do.
fn run(
    algorithm: &Algorithm,
    key: &[u8],
    work: &Work,
    src: &[u8],
    dst_len: usize,
) -> Result<Vec<u8>, Errno> {
    let key = expand(algorithm, key).ok_or(Errno::INVAL)?;
    let mut dst = vec![0; dst_len];
    key.run(work, Data::Apart { src, dst: &mut dst })
        .map_err(|_| Errno::INVAL)?;
    Ok(dst)
}

/// A request's result and the IV that its caller goes on with.
pub(crate) fn compute(
    algorithm: &Algorithm,
    key: &[u8],
    shape: &Shape,
    src: &[u8],
) -> Result<(Vec<u8>, [u8; IV_BYTES_MAX]), Errno> {
    if shape.len == 0 {
        return Ok((Vec::new(), shape.iv));
    }
    shape.check(algorithm).map_err(|_| Errno::INVAL)?;
    let work = Work {
        op: shape.op,
        data_unit_size: shape.data_unit_size,
        iv_step: shape.iv_step,
        iv: shape.iv,
        first_block: 0,
    };
    let len = shape.output_len(algorithm).map_err(|_| Errno::INVAL)?;
    let dst = run(algorithm, key, &work, src, index(u64::from(len)))?;
    let size = algorithm.iv_size();
    let mut last = [0; IV_BYTES_MAX];
    if algorithm.mode == Mode::Cbc {
        let ciphertext = if shape.op == Op::Decrypt { src } else { &dst };
        last[..size].copy_from_slice(&ciphertext[ciphertext.len() - size..]);
    }
    let iv = iv::after(algorithm.mode, &shape.iv, size, u64::from(shape.len), &last);
    Ok((dst, iv))
}
