//! Proofs of the allocator. Bounds: up to 6 units and 5 operations, all of them; up to 130 units,
//! over three words, and 4 operations with any counts.

use super::{Run, Runs, words_for};
use crate::proof::Source;
use crate::prove;

/// Takes and gives back; what is held lies inside, apart, and is what is missing.
fn operate(source: &mut impl Source, units: u32, most: u64, steps: usize) -> bool {
    let mut runs = Runs::new([0u64; 3], units);
    assert_eq!(runs.units(), units);
    let mut held = [Run::NONE; 5];
    for step in 0..steps {
        let which = source.index(step as u64 + 1);
        if source.bool() {
            // Any run that was taken; one that was given back already is no run any more.
            runs.give(core::mem::replace(&mut held[which], Run::NONE));
        } else {
            let count = crate::num::low32(source.below(most));
            let before = runs.free_units();
            match runs.take(count) {
                Some(run) => {
                    assert!(count > 0 && run.count == count);
                    assert!(run.first.checked_add(count).is_some_and(|end| end <= units));
                    let free = |other: &Run| {
                        other.count == 0
                            || other.first + other.count <= run.first
                            || run.first + run.count <= other.first
                    };
                    assert!(held.iter().all(free), "a unit is given twice");
                    held[step] = run;
                }
                None => {
                    assert_eq!(runs.free_units(), before);
                    assert!(count == 0 || longest_gap(&held, units) < count);
                }
            }
        }
        let taken: u32 = held.iter().map(|run| run.count).sum();
        assert_eq!(runs.free_units(), units - taken);
    }
    true
}

/// The longest row of units that nothing of `held` has.
fn longest_gap(held: &[Run], units: u32) -> u32 {
    let (mut longest, mut row) = (0, 0);
    for unit in 0..units {
        let taken = |run: &Run| run.first <= unit && unit < run.first + run.count;
        row = if held.iter().any(taken) { 0 } else { row + 1 };
        longest = longest.max(row);
    }
    longest
}

fn few_units(source: &mut impl Source) -> bool {
    let units = crate::num::low32(source.below(7));
    operate(source, units, 5, 4)
}

fn units_over_words(source: &mut impl Source) -> bool {
    let units = crate::num::low32(source.below(131));
    assert!(words_for(units) <= 3);
    operate(source, units, 132, 4)
}

/// What was never taken is ignored where it is not inside.
fn strangers_are_ignored(source: &mut impl Source) -> bool {
    let units = crate::num::low32(source.below(131));
    let mut runs = Runs::new([0u64; 3], units);
    let run = Run {
        first: source.u32(),
        count: source.u32(),
    };
    let end = u64::from(run.first) + u64::from(run.count);
    if !source.assume(end > u64::from(units)) {
        return false;
    }
    runs.give(run);
    assert_eq!(runs.free_units(), units);
    true
}

prove!(runs_of_few_units: few_units, unwind 8, each);
prove!(runs_over_words: units_over_words, unwind 132, 20_000 cases);
prove!(runs_of_strangers: strangers_are_ignored, unwind 8, 20_000 cases);
