//! How soon wrong data is found out when only one result in N is computed again: a helper spoils
//! everything from one moment on, and what the module takes from it until it throws it out is counted.

use std::time::Duration;

use super::Results;
use super::helpers::Helper;
use super::load::Load;
use super::plan::Who;
use super::watch::{PATIENCE, Trouble, Watch};
use fastrand::Rng;

/// More results than any helper gets to spoil.
const ALL: &str = "wrong-data 1000000000";
/// Some work before the lie.
const HONEST: u64 = 8;

/// Runs so many helpers to their quarantine and prints a row for each. The caller is the sample caller,
/// which finds wrong results then, as it has to.
///
/// # Errors
/// [`Trouble`] when a helper is not found out, or something breaks.
pub fn run(one_in: u64, rounds: u64, seed: u64, results: &mut Results) -> Result<(), Trouble> {
    let mut load = Load::start(&[], seed, true);
    let mut rng = Rng::with_seed(seed);
    let mut watch = Watch::new();
    let all = (0..rounds).try_for_each(|_| {
        let wrong = round(&mut watch, rng.u64(..))?;
        results.line(&format!("row detection one-in={one_in} wrong={wrong}"));
        Ok(())
    });
    load.finish();
    all
}

/// Results taken from a helper between its first wrong one and its quarantine.
fn round(watch: &mut Watch, seed: u64) -> Result<u64, Trouble> {
    let mut helper = Helper::start(Who::Evil, seed, false)?;
    let before = watch.look()?;
    helper.attach()?;
    watch.until("an honest helper to serve", |c| {
        c.helper >= before.helper + HONEST
    })?;
    helper.strike(ALL)?;
    let lying = watch.look()?;
    let found = watch.until("wrong data to be found out", |c| {
        c.quarantines > lying.quarantines
    })?;
    helper.kill();
    watch
        .within(PATIENCE.min(Duration::from_secs(10)), |c| {
            c.closed > before.closed
        })?
        .ok_or_else(|| Trouble::Stuck("the end of the session".to_owned()))?;
    Ok(found.helper.saturating_sub(lying.helper))
}
