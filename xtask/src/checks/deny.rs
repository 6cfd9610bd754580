//! `cargo deny`: licences, sources and bans always, advisories where their database can be reached.

use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo_tools;
use crate::paths::Paths;
use crate::shell;
use crate::tally::Tally;

/// The version that the cache holds; a new one is a deliberate change.
const VERSION: &str = "0.20.2";

/// Seconds to wait for the advisory database before it counts as out of reach.
const DATABASE_LIMIT: &str = "60";

/// Runs all its checks.
pub fn check(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let deny = cargo_tools::ensure(paths, "cargo-deny", VERSION)?;
    for what in ["bans", "licenses", "sources"] {
        shell::quiet(
            Command::new(&deny)
                .current_dir(&paths.root)
                .args(["--locked", "check", what]),
        )
        .with_context(|| format!("cargo deny check {what}: see deny.toml"))?;
        tally.pass(1);
    }
    let fetched = shell::succeeds(
        Command::new("timeout")
            .arg(DATABASE_LIMIT)
            .arg(&deny)
            .current_dir(&paths.root)
            .args(["fetch", "db"]),
    );
    if !fetched {
        println!("advisories: database out of reach");
        tally.skip("deny advisories: the advisory database cannot be reached from this machine");
        return Ok(());
    }
    shell::quiet(Command::new(&deny).current_dir(&paths.root).args([
        "--locked",
        "check",
        "--disable-fetch",
        "advisories",
    ]))
    .context("cargo deny check advisories")?;
    tally.pass(1);
    Ok(())
}
