//! What the requests of a subject and size hold, and what must come out: random bytes, and the CPU
//! path's answers to them, computed on all cores.

use kgpu_core::cpu::{Data, Work};
use kgpu_core::num::index;
use kgpu_core::request::Shape;

use super::super::subject::Subject;
use super::error::Broken;
use crate::cli::all_processors;

/// Bytes of source whose answers are computed; beyond them requests repeat.
const DISTINCT_BYTES: u64 = 64 << 20;

/// One kind of request.
#[derive(Debug)]
pub struct Kind {
    /// Its shape; each kind has an IV of its own.
    pub shape: Shape,
    /// Its source.
    pub source: Vec<u8>,
    /// Its result.
    pub expected: Vec<u8>,
}

/// The requests of a subject and size.
#[derive(Debug)]
pub struct Material {
    kinds: Vec<Kind>,
}

/// Random bytes (xorshift64*), other ones for each seed.
pub fn fill(bytes: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in bytes.chunks_mut(8) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let word = state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes();
        for (to, from) in chunk.iter_mut().zip(word) {
            *to = from;
        }
    }
}

/// The CPU path's answer to a request.
///
/// # Errors
/// When the algorithm refuses the key or the work.
pub fn answer(
    subject: &Subject,
    key: &[u8],
    shape: &Shape,
    source: &[u8],
) -> Result<Vec<u8>, Broken> {
    let algorithm = subject.algorithm;
    let len = shape.output_len(algorithm).map_err(Broken::Shape)?;
    let mut out = vec![0; index(u64::from(len))];
    let work = Work {
        op: shape.op,
        data_unit_size: shape.data_unit_size,
        iv_step: shape.iv_step,
        iv: shape.iv,
        first_block: 0,
    };
    let key = (algorithm.cpu)(key).map_err(Broken::Key)?;
    let data = Data::Apart {
        src: source,
        dst: &mut out,
    };
    key.run(&work, data).map_err(Broken::Work)?;
    Ok(out)
}

impl Material {
    /// Sources and answers for requests of `size` bytes, of which up to `depth` are in flight.
    ///
    /// # Errors
    /// When the algorithm has no such requests.
    pub fn new(subject: &Subject, size: u32, depth: u32) -> Result<Self, Broken> {
        let distinct = (DISTINCT_BYTES / u64::from(size)).clamp(1, u64::from(depth));
        let shape = |number| subject.shape(size, number);
        shape(0).check(subject.algorithm).map_err(Broken::Shape)?;
        let key = subject.key(0);
        let kind = |number: u64| {
            let mut source = vec![0; index(u64::from(size))];
            fill(&mut source, number);
            let shape = shape(number);
            let expected = answer(subject, &key, &shape, &source)?;
            Ok(Kind {
                shape,
                source,
                expected,
            })
        };
        let threads = u64::try_from(all_processors()).unwrap_or(1).min(distinct);
        let share = distinct.div_ceil(threads);
        let kinds = std::thread::scope(|scope| {
            let shares = (0..threads).map(|thread| {
                let (from, to) = (thread * share, ((thread + 1) * share).min(distinct));
                let kind = &kind;
                scope.spawn(move || (from..to).map(kind).collect::<Result<Vec<_>, Broken>>())
            });
            let running: Vec<_> = shares.collect();
            let mut kinds = Vec::new();
            for share in running {
                match share.join() {
                    Ok(some) => kinds.extend(some?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok::<_, Broken>(kinds)
        })?;
        Ok(Self { kinds })
    }

    /// The kind of a request.
    ///
    /// There is at least one; requests beyond the last begin anew.
    #[must_use]
    pub fn of(&self, request: usize) -> &Kind {
        // PANIC: none; there is at least one kind.
        &self.kinds[request % self.kinds.len()]
    }
}
