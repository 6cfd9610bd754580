//! The device's schedule: what `Twofish` expects behind a schedule's header, from the CPU's schedule.

use kgpu_core::cpu::KeyError;

use super::cipher::{KEY_WORDS, ROUND_KEY_WORDS};
use crate::schedule::Schedule;

// CAST: small constants.
const KEYS: usize = ROUND_KEY_WORDS as usize;
const WORDS: usize = KEY_WORDS as usize;

/// Words of a schedule with its header.
pub(super) const SINGLE: usize = kgpu_core::device::HEADER_WORDS + WORDS;
/// The same for XTS: two schedules.
pub(super) const DOUBLE: usize = SINGLE + WORDS;

/// One key.
pub(super) fn single(key: &[u8], words: &mut [u32]) -> Result<(), KeyError> {
    let schedule = Schedule::new(key).ok_or(KeyError { len: key.len() })?;
    let (keys, tables) = words.split_at_mut(KEYS.min(words.len()));
    let pairs = (schedule.before.as_chunks().0.iter().copied())
        .chain(schedule.after.as_chunks().0.iter().copied())
        .chain(schedule.rounds);
    for (to, from) in keys.as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
        *to = from;
    }
    for (to, from) in tables.chunks_mut(256).zip(&schedule.g) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
    }
    Ok(())
}

/// The data key's schedule, then the tweak key's.
pub(super) fn double(key: &[u8], words: &mut [u32]) -> Result<(), KeyError> {
    let error = KeyError { len: key.len() };
    let (data, tweak) = key.split_at(key.len() / 2);
    let (first, second) = words.split_at_mut(WORDS.min(words.len()));
    single(data, first).map_err(|_| error)?;
    single(tweak, second).map_err(|_| error)
}
