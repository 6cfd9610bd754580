//! The guest suites on the kernel that checks itself: as long as CI's time lasts.

use anyhow::Result;

use super::{guests, time};
use crate::images::Series;
use crate::kernel;
use crate::paths::Paths;
use crate::tally::Tally;
use crate::vm::Machine;

/// Suites with what they add to the kernel's command line here: as much as CI's time allows. Longer runs, and the suite
/// life, are for `cargo xtask vm`, faults at random moments for `cargo xtask chaos --kernel sanitizer`.
const SUITES: &[(&str, &str)] = &[
    ("selftests", "guest_fuzz=10"),
    ("faultinject", "guest_stride=10 guest_load_stride=200"),
    ("fuzz-device", "guest_seconds=3"),
];

/// Minutes that must remain for the kernel to be built and used.
const FOR_BUILD: u64 = 45;
/// Seconds for one suite, emulated, on a kernel that checks every access.
const TIMEOUT: u64 = 1200;

/// Runs the suites; without the kernel and the time to build it, says so.
pub fn suites(paths: &Paths, tally: &mut Tally) -> Result<()> {
    if !time::allows(paths, kernel::SANITIZER, FOR_BUILD, tally)? {
        return Ok(());
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
