//! From jobs to a launch's tiles.

use kgpu_core::algorithm::{Mode, Output};
use kgpu_core::device::{Grain, Tile, plan};
use kgpu_core::iv;
use kgpu_core::num::index;

use crate::job::Job;

/// The data unit as kernels are told: electronic codebook knows none.
fn unit(job: &Job) -> u32 {
    let len = job.span.len;
    match job.key.algorithm.mode {
        Mode::Ecb => len,
        _ => job.work.data_unit_size.min(len).max(1),
    }
}

/// Tiles that a job makes at most.
pub(crate) fn tiles_of(job: &Job) -> u64 {
    let (len, unit) = (job.span.len, unit(job));
    if plan::countable(len, unit) {
        1
    } else {
        u64::from(len.div_ceil(unit))
    }
}

/// The words of an IV's bytes.
fn words(iv: &[u8; 16]) -> [u32; 4] {
    let (words, _) = iv.as_chunks::<4>();
    std::array::from_fn(|i| words.get(i).map_or(0, |word| u32::from_le_bytes(*word)))
}

/// Writes a job's tiles to the front of `out`, `like` telling addresses and key. The result is how many; `None`
/// when kernels can't be told of the job.
pub(crate) fn cut(job: &Job, like: Tile, grain: Grain, out: Option<&mut [Tile]>) -> Option<usize> {
    let out = out?;
    let (len, unit, work) = (job.span.len, unit(job), &job.work);
    if grain == Grain::Units || plan::countable(len, unit) {
        *out.first_mut()? = Tile {
            len,
            unit,
            iv: words(&work.iv),
            first_block: work.first_block,
            iv_step: u32::from(work.iv_step.code()),
            ..like
        };
        return Some(1);
    }
    // Data units that end inside a cell: each is a tile.
    let algorithm = job.key.algorithm;
    if algorithm.output != Output::SameAsInput {
        return None;
    }
    let count = len.div_ceil(unit);
    for (number, tile) in (0..count).zip(out.get_mut(..index(u64::from(count)))?) {
        let at = number * unit;
        let len = unit.min(len - at);
        let iv = iv::step(
            &work.iv,
            algorithm.iv_size(),
            work.iv_step,
            u64::from(number),
        );
        *tile = Tile {
            src: like.src + u64::from(at),
            dst: like.dst + u64::from(at),
            len,
            unit: len,
            iv: words(&iv),
            ..like
        };
    }
    Some(index(u64::from(count)))
}
