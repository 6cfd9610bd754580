//! The guest suites on User-Mode Linux: the newest kernel at this machine's own speed.

use anyhow::Result;

use super::{guests, time};
use crate::bench_kernel;
use crate::images::Series;
use crate::kernel;
use crate::paths::Paths;
use crate::tally::Tally;
use crate::vm::Machine;

/// What runs here: the module by itself, the crypto API's side, the caller's interface, and the main job with LUKS2 and
/// eCryptfs both ways; then helpers that take over and that misbehave; eCryptfs with our change beside the stock one.
const SUITES: &[&str] = &[
    "smoke",
    "crypto",
    "api",
    "device",
    "both-ways",
    "takeover",
    "strikes",
    "ecryptfs",
];

/// Minutes that must remain for the kernel to be built and used.
const FOR_BUILD: u64 = 40;
/// Seconds for one suite.
const TIMEOUT: u64 = 600;

/// Runs the suites, and a part of the benchmark; without the kernel and the time to build it, says so.
pub fn suites(paths: &Paths, tally: &mut Tally) -> Result<()> {
    if !time::allows(paths, kernel::UML, FOR_BUILD, tally)? {
        return Ok(());
    }
    let machine = Machine {
        timeout: TIMEOUT,
        ..Machine::default()
    };
    let suites: Vec<String> = SUITES.iter().map(|s| (*s).to_owned()).collect();
    guests::boots(paths, Series::Uml, &suites, &machine, tally)?;
    bench_kernel::check(paths, &machine, tally)
}
