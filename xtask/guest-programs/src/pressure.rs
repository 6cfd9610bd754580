//! A process that needs more memory than there is, and checks what it finds there: every page holds what only this
//! page holds in this round.

use std::io::{self, Write};
use std::path::Path;

/// Words of a page.
const WORDS: usize = 512;

/// What a page holds: incompressible, so that nothing spares the disk.
fn content(page: u64, round: u64) -> impl Iterator<Item = u64> {
    let mut state = (page << 20 | round).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    std::iter::repeat_with(next).take(WORDS)
}

/// Writes, and reads what was written the round before, until there is a file `enough`. A line for each 64th of a
/// round.
///
/// # Errors
/// The first page that holds something else.
pub fn run(mib: usize, enough: &Path) -> io::Result<()> {
    let mut memory = vec![0u64; mib << 17];
    // Pages of a 64th.
    let part = u64::try_from(mib * 4).unwrap_or(u64::MAX).max(1);
    let mut out = io::stdout();
    for round in 0.. {
        for (page, words) in (0..).zip(memory.chunks_exact_mut(WORDS)) {
            if round > 0 && !content(page, round - 1).eq(words.iter().copied()) {
                return Err(io::Error::other(format!(
                    "page {page} does not hold what was written in round {}",
                    round - 1
                )));
            }
            for (to, from) in words.iter_mut().zip(content(page, round)) {
                *to = from;
            }
            if page % part == 0 {
                writeln!(out, "{round} {page}")?;
                if enough.exists() && round > 0 {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_pages_or_rounds_are_alike() {
        let mut seen = std::collections::BTreeSet::new();
        for page in 0..64 {
            for round in 0..4 {
                assert!(content(page, round).all(|word| word != 0));
                assert!(seen.insert(content(page, round).collect::<Vec<_>>()));
            }
        }
    }
}
