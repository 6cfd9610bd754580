//! How long CI has: whether a kernel that is not in the cache can still be built and used.

use std::env;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::kernel::{self, Recipe};
use crate::paths::Paths;
use crate::tally::Tally;

/// Minutes that CI has, unless `KGPU_CI_MINUTES` says otherwise.
const MINUTES: u64 = 90;

/// When the checks began.
pub static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Whether the kernel of `recipe` is in the cache, or `needed` minutes remain to build and use it; if not, the tally
/// gets to know what was left out and why.
pub fn allows(paths: &Paths, recipe: &Recipe, needed: u64, tally: &mut Tally) -> Result<bool> {
    if kernel::cached(paths, recipe)?.is_some() {
        return Ok(true);
    }
    let left = left()?;
    if left >= needed {
        return Ok(true);
    }
    let name = recipe.name;
    tally.skip(format!(
        "{name}: the kernel is not in the cache and {left} minutes of CI's time are left, {needed} are needed to \
         build and use it: `cargo xtask kernel {name}`"
    ));
    Ok(false)
}

/// Minutes that are left.
pub fn left() -> Result<u64> {
    let limit = limit(env::var("KGPU_CI_MINUTES").ok().as_deref())?;
    Ok(limit.saturating_sub(STARTED.elapsed()).as_secs() / 60)
}

/// The time that CI has in all.
fn limit(minutes: Option<&str>) -> Result<Duration> {
    let minutes = minutes.map_or(Ok(MINUTES), |text| {
        text.parse::<u64>()
            .with_context(|| format!("KGPU_CI_MINUTES is {text:?}: give a number of minutes"))
    })?;
    Ok(Duration::from_secs(minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_number_of_minutes() {
        assert_eq!(limit(None).unwrap(), Duration::from_secs(90 * 60));
        assert_eq!(limit(Some("10")).unwrap(), Duration::from_secs(600));
        assert!(limit(Some("soon")).is_err());
    }
}
