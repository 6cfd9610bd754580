//! `cargo deny`: licences, sources and bans always, advisories where their database can be reached.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::shell;
use crate::tally::Tally;

/// The version that the cache holds; a new one is a deliberate change.
const VERSION: &str = "0.20.2";

/// Seconds to wait for the advisory database before it counts as out of reach.
const DATABASE_LIMIT: &str = "60";

/// Runs all its checks.
pub fn check(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let deny = ensure(paths)?;
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

/// The program in the cache folder, built there where it is missing.
fn ensure(paths: &Paths) -> Result<PathBuf> {
    let root = paths.cache.join(format!("tools/cargo-deny-{VERSION}"));
    let program = root.join("bin/cargo-deny");
    if program.exists() {
        return Ok(program);
    }
    paths.ensure_cache()?;
    let _lock = Paths::lock(&paths.cache.join("locks"))?;
    if program.exists() {
        return Ok(program);
    }
    let build = paths.cache.join("tools/build");
    shell::timed(
        &format!("cargo-deny {VERSION} (once, a few minutes)"),
        || {
            // Cargo itself puts the finished program in place in one go.
            shell::quiet(
                shell::cargo(&paths.cache)
                    .args([
                        "install",
                        "--quiet",
                        "--locked",
                        "cargo-deny",
                        "--version",
                        VERSION,
                        "--root",
                    ])
                    .arg(&root)
                    .arg("--target-dir")
                    .arg(&build),
            )
        },
    )?;
    fs::remove_dir_all(&build).with_context(|| format!("cannot remove {}", build.display()))?;
    Ok(program)
}
