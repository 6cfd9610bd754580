//! The device's schedule: the 33 round keys behind a schedule's header.

use kgpu_core::cpu::KeyError;
use kgpu_core::device::HEADER_WORDS;
use zeroize::Zeroize;

use super::cipher::KEY_WORDS;
use crate::gates::Gates;
use crate::schedule::{expand, pad};

// CAST: a small constant.
const WORDS: usize = KEY_WORDS as usize;

/// Words of a schedule with its header.
pub(super) const SINGLE: usize = HEADER_WORDS + WORDS;
/// The same for XTS: two schedules.
pub(super) const DOUBLE: usize = SINGLE + WORDS;

/// One key.
pub(super) fn single(key: &[u8], words: &mut [u32]) -> Result<(), KeyError> {
    let mut padded = pad(key).ok_or(KeyError { len: key.len() })?;
    let mut keys = expand::<Gates>(&padded);
    let flat = keys.rounds.as_flattened().iter().chain([&keys.last]);
    for (to, from) in words.as_chunks_mut::<4>().0.iter_mut().zip(flat) {
        *to = *from;
    }
    padded.zeroize();
    keys.rounds.zeroize();
    keys.last.zeroize();
    Ok(())
}

/// The data key's schedule, then the tweak key's.
pub(super) fn double(key: &[u8], words: &mut [u32]) -> Result<(), KeyError> {
    let error = KeyError { len: key.len() };
    if !key.len().is_multiple_of(2) {
        return Err(error);
    }
    let (data, tweak) = key.split_at(key.len() / 2);
    let (first, second) = words.split_at_mut(WORDS.min(words.len()));
    single(data, first).map_err(|_| error)?;
    single(tweak, second).map_err(|_| error)
}
