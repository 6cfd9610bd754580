//! The guest suites on User-Mode Linux: the newest kernel at this machine's own speed.

use anyhow::Result;

use super::{guests, time};
use crate::bench_kernel;
use crate::ecryptfs;
use crate::images::Series;
use crate::kernel;
use crate::paths::Paths;
use crate::setup;
use crate::tally::Tally;
use crate::vm::Machine;

/// What runs here: the module by itself, the crypto API's side, the caller's interface, and the main job with LUKS2 and
/// eCryptfs both ways; then helpers that take over, that misbehave, and that run on the guest's host; and the
/// host's disks, which the benchmark has.
const SUITES: &[&str] = &[
    "smoke",
    "crypto",
    "api",
    "device",
    "both-ways",
    "takeover",
    "strikes",
    "guest",
    "disks",
];

/// What runs with one processor: a device that keeps one keeps the guest.
const ALONE: &[&str] = &["flood"];

/// Of the suite that holds eCryptfs with our change against the stock one: the cipher that both have no driver of SIMD
/// for. The others run there by `cargo xtask uml --suite ecryptfs`.
const ECRYPTFS: &str = "ciphers=twofish:32";

/// Minutes that must remain for the kernel to be built and used.
const FOR_BUILD: u64 = 40;
/// Minutes that must remain for eCryptfs's source to be fetched and used.
const FOR_SOURCE: u64 = 10;
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
    let alone: Vec<String> = ALONE.iter().map(|s| (*s).to_owned()).collect();
    let one = Machine {
        cpus: 1,
        ..machine.clone()
    };
    guests::boots(paths, Series::Uml, &alone, &one, tally)?;
    let image = setup::for_kernels(paths, &[Series::Uml])?.remove(0);
    if !ecryptfs::cached(paths, &image) && time::left()? < FOR_SOURCE {
        tally.skip(format!(
            "uml: the suites ecryptfs and bench: the source of eCryptfs is not in the cache and less than {FOR_SOURCE} \
             minutes of CI's time are left: `cargo xtask ecryptfs --kernel uml`"
        ));
        return Ok(());
    }
    let changed = Machine {
        append: ECRYPTFS.to_owned(),
        // With more than one, stores to mapped files get lost there: docs/guests.md.
        cpus: 1,
        ..machine.clone()
    };
    guests::boots(
        paths,
        Series::Uml,
        &["ecryptfs".to_owned()],
        &changed,
        tally,
    )?;
    bench_kernel::check(paths, &machine, tally)
}
