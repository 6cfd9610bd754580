//! Module parameters: numbers, and per-algorithm tables written as `name=value,name=value`.

use core::fmt::Write;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use crate::errno::Errno;
use crate::{ALGORITHMS, algorithm, ffi};

/// Priority an algorithm is registered with unless set: below every driver of the kernel's, the generic ones (100) too,
/// as between equals the one registered last is taken.
pub const PRIORITY_DEFAULT: i32 = 50;
const UNSET: i32 = i32::MIN;

/// A number that the administrator may change.
#[derive(Debug)]
pub struct Number {
    value: AtomicU32,
    min: u32,
    max: u32,
}

impl Number {
    const fn new(value: u32, min: u32, max: u32) -> Self {
        Self {
            value: AtomicU32::new(value),
            min,
            max,
        }
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.value.load(Ordering::Relaxed)
    }
}

/// Milliseconds after which the module does a request itself.
pub static DEADLINE_MS: Number = Number::new(1000, 10, 600_000);
/// Milliseconds a request waits for room in a full ring before the fallback takes it.
pub static FULL_MS: Number = Number::new(100, 0, 600_000);
/// Microseconds the engine polls for completions before it sleeps.
pub static POLL_US: Number = Number::new(20, 0, 10_000);
/// Ring entries of the next session, a power of two.
pub static RING_ENTRIES: Number = Number::new(1024, 2, 1 << 16);
/// MiB of pool of the next session.
pub static POOL_MIB: Number = Number::new(32, 1, 4095);
/// Key slots of the next session.
pub static KEY_SLOTS: Number = Number::new(256, 1, 1 << 16);
/// Percent of pool and slots that one transform or one owner may hold.
pub static SHARE_PERCENT: Number = Number::new(50, 1, 100);
/// Requests that may wait in a processor's queue before submitters are held back.
pub static QUEUE_LIMIT: Number = Number::new(4096, 1, 1 << 20);
/// One in so many results is computed again by the fallback and compared; 0 for none.
pub static RECHECK: Number = Number::new(0, 0, 1_000_000);
/// KiB of results that came together from which on other processors help to deliver what comes with them; 0 for never.
pub static DELIVER_KIB: Number = Number::new(256, 0, 1 << 20);

/// KiB of neighbouring requests of one transform that may go to the helper as one; 0 for never.
pub static MERGE_KIB: Number = Number::new(64, 0, 1024);

/// Bytes of requests that may go to the helper as one. Those whose results are computed again go by themselves: the
/// results of several lie in one piece of the pool.
#[must_use]
pub fn merge_bytes() -> u32 {
    if RECHECK.get() > 0 {
        0
    } else {
        MERGE_KIB.get() << 10
    }
}

/// The deadline in nanoseconds.
#[must_use]
pub fn deadline_ns() -> u64 {
    u64::from(DEADLINE_MS.get()) * 1_000_000
}

/// Nanoseconds for each known answer: a helper that has just begun gets a second, however short the
/// deadline of requests is.
#[must_use]
pub fn known_answer_ns() -> u64 {
    deadline_ns().max(1_000_000_000)
}

static PRIORITY: [AtomicI32; ALGORITHMS] = [const { AtomicI32::new(PRIORITY_DEFAULT) }; ALGORITHMS];
static CROSSOVER: [AtomicI32; ALGORITHMS] = [const { AtomicI32::new(UNSET) }; ALGORITHMS];

/// An algorithm's priority in the crypto API.
#[must_use]
pub fn priority(index: usize) -> i32 {
    PRIORITY
        .get(index)
        .map_or(PRIORITY_DEFAULT, |p| p.load(Ordering::Relaxed))
}

/// Bytes queued at a flush from which an algorithm's requests go to the helper.
#[must_use]
pub fn crossover(index: usize) -> u64 {
    let set = CROSSOVER
        .get(index)
        .map_or(UNSET, |c| c.load(Ordering::Relaxed));
    u64::try_from(set).unwrap_or_else(|_| algorithm(index).map_or(0, |a| u64::from(a.crossover)))
}

/// Parameters by the number the glue knows them under (`enum kgpu_param` in glue/glue.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Param {
    Number(&'static Number),
    Priority,
    Crossover,
}

fn param(which: u32) -> Option<Param> {
    Some(match which {
        0 => Param::Priority,
        1 => Param::Crossover,
        2 => Param::Number(&DEADLINE_MS),
        3 => Param::Number(&FULL_MS),
        4 => Param::Number(&POLL_US),
        5 => Param::Number(&RING_ENTRIES),
        6 => Param::Number(&POOL_MIB),
        7 => Param::Number(&KEY_SLOTS),
        8 => Param::Number(&SHARE_PERCENT),
        9 => Param::Number(&QUEUE_LIMIT),
        10 => Param::Number(&RECHECK),
        11 => Param::Number(&DELIVER_KIB),
        12 => Param::Number(&MERGE_KIB),
        _ => return None,
    })
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Eq for Number {}

/// The algorithms a table entry's name means: one, by name or driver, or `*` for all.
fn named(name: &str) -> impl Iterator<Item = usize> + '_ {
    (0..ALGORITHMS).filter(move |i| {
        algorithm(*i).is_some_and(|a| name == "*" || a.name == name || a.driver == name)
    })
}

fn table_entry(entry: &str) -> Result<(&str, i32), Errno> {
    let (name, value) = entry.rsplit_once('=').ok_or(Errno::INVAL)?;
    let value = value
        .trim()
        .parse::<i32>()
        .ok()
        .filter(|v| *v >= 0)
        .ok_or(Errno::INVAL)?;
    let name = name.trim();
    if named(name).next().is_none() {
        Err(Errno::INVAL)
    } else {
        Ok((name, value))
    }
}

/// Sets a parameter from text. A table is checked as a whole before any of it takes effect.
///
/// # Errors
/// `EINVAL` for anything that is not understood; the log says what.
pub fn set(which: u32, text: &str) -> Result<(), Errno> {
    let complain = |what: &str| {
        ffi::log(
            ffi::Level::Warning,
            format_args!(
                "parameter value '{what}' refused: want name=value[,name=value…] with a name of /proc/kgpu (or * for all), or a number in range"
            ),
        );
        Errno::INVAL
    };
    let text = text.trim();
    let table = match param(which).ok_or(Errno::INVAL)? {
        Param::Number(number) => {
            let value = text.parse::<u32>().map_err(|_| complain(text))?;
            if !(number.min..=number.max).contains(&value) {
                return Err(complain(text));
            }
            number.value.store(value, Ordering::Relaxed);
            return Ok(());
        }
        Param::Priority => &PRIORITY,
        Param::Crossover => &CROSSOVER,
    };
    let entries = || text.split(',').filter(|entry| !entry.trim().is_empty());
    for entry in entries() {
        table_entry(entry).map_err(|_| complain(entry))?;
    }
    for entry in entries() {
        let (name, value) = table_entry(entry)?;
        for i in named(name) {
            if let Some(place) = table.get(i) {
                place.store(value, Ordering::Relaxed);
            }
            if core::ptr::eq(table, &raw const PRIORITY)
                && let Ok(i) = u32::try_from(i)
            {
                ffi::set_priority(i, value);
            }
        }
    }
    Ok(())
}

/// Writes a parameter's value as text.
///
/// # Errors
/// Those of the writer.
pub fn show(which: u32, out: &mut impl Write) -> core::fmt::Result {
    let value: fn(usize) -> u64 = match param(which) {
        Some(Param::Number(number)) => return writeln!(out, "{}", number.get()),
        Some(Param::Priority) => |i| u64::try_from(priority(i)).unwrap_or(0),
        Some(Param::Crossover) => crossover,
        None => return Ok(()),
    };
    for i in 0..ALGORITHMS {
        if let Some(a) = algorithm(i) {
            write!(
                out,
                "{}{}={}",
                if i == 0 { "" } else { "," },
                a.name,
                value(i)
            )?;
        }
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_checked_as_a_whole_before_any_of_it_takes_effect() {
        let _one = ffi::mock::serial();
        let before = crossover(0);
        let good = algorithm(0).unwrap().name;
        assert_eq!(set(1, &std::format!("{good}=5,none=7")), Err(Errno::INVAL));
        assert_eq!(crossover(0), before);
        assert_eq!(set(1, &std::format!("{good}=-5")), Err(Errno::INVAL));
        assert_eq!(set(1, "5"), Err(Errno::INVAL));
        set(1, &std::format!("{good}=5")).unwrap();
        assert_eq!(crossover(0), 5);
        let mut shown = std::string::String::new();
        show(1, &mut shown).unwrap();
        assert!(shown.starts_with(&std::format!("{good}=5,")), "{shown}");
    }

    #[test]
    fn a_star_means_every_algorithm_and_priorities_are_passed_on() {
        let _one = ffi::mock::serial();
        let calls = || ffi::mock::PRIORITIES.with(core::cell::Cell::get);
        let before = calls();
        set(0, "*=1000\n").unwrap();
        assert_eq!(usize::try_from(calls() - before).unwrap(), ALGORITHMS);
        assert!((0..ALGORITHMS).all(|i| priority(i) == 1000));
    }

    #[test]
    fn numbers_stay_in_range() {
        let _one = ffi::mock::serial();
        assert_eq!(set(6, "0"), Err(Errno::INVAL));
        assert_eq!(set(6, "many"), Err(Errno::INVAL));
        set(6, "64").unwrap();
        assert_eq!(POOL_MIB.get(), 64);
        assert_eq!(set(99, "1"), Err(Errno::INVAL));
    }
}
