//! The guest suites on the kernel that checks itself: as long as CI's time lasts.

use std::env;
use std::time::Duration;

use anyhow::{Context, Result};

use super::guests;
use crate::images::Series;
use crate::kernel;
use crate::paths::Paths;
use crate::tally::Tally;
use crate::vm::Machine;

/// Suites with what they add to the kernel's command line here. Longer runs are for `cargo xtask vm`.
///
/// The suites life and faultinject were not run on this kernel yet, and fuzz-device did not pass as a whole: each comes
/// here when it has, with a number of iterations that fits CI's time.
const SUITES: &[(&str, &str)] = &[("selftests", "guest_fuzz=10")];

/// Minutes that CI has, unless `KGPU_CI_MINUTES` says otherwise.
const MINUTES: u64 = 90;
/// Minutes that must remain for the kernel to be built and used.
const FOR_BUILD: u64 = 45;
/// Seconds for one suite, emulated, on a kernel that checks every access.
const TIMEOUT: u64 = 1200;

/// Runs the suites; without the kernel and the time to build it, says so.
pub fn suites(paths: &Paths, tally: &mut Tally) -> Result<()> {
    if kernel::cached(paths)?.is_none() {
        let left = limit(env::var("KGPU_CI_MINUTES").ok().as_deref())?
            .saturating_sub(super::STARTED.elapsed())
            .as_secs()
            / 60;
        if left < FOR_BUILD {
            tally.skip(format!(
                "sanitizer: the kernel is not in the cache and {left} minutes of CI's time are left, {FOR_BUILD} are \
                 needed to build and use it: `cargo xtask kernel sanitizer`"
            ));
            return Ok(());
        }
    }
    for (suite, append) in SUITES {
        let machine = Machine {
            append: (*append).to_owned(),
            timeout: TIMEOUT,
            ..Machine::default()
        };
        let suite = [(*suite).to_owned()];
        guests::boots(paths, Series::Sanitizer, &suite, &machine, tally)?;
    }
    Ok(())
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
