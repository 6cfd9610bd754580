//! `cargo xtask kani`: the proofs, where Kani is installed.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::paths::Paths;
use crate::shell;
use crate::tally::Tally;

/// The packages with proofs.
const PACKAGES: [&str; 2] = ["kgpu-core", "kgpu-userhelper"];

/// How to get it: its verifier is no crate and comes with a compiler of its own.
const INSTALL: &str = "cargo install --locked kani-verifier && cargo kani setup";

fn kani(paths: &Paths) -> Command {
    let mut command = shell::cargo(&paths.root);
    command.arg("kani");
    command
}

fn is_installed(paths: &Paths) -> bool {
    shell::succeeds(kani(paths).arg("--version"))
}

/// Runs all proofs.
pub fn command(paths: &Paths) -> Result<ExitCode> {
    if !is_installed(paths) {
        bail!(
            "Kani is not installed, and none of the proofs in {} was run; install it with\n  {INSTALL}\n\
             and run this again (`cargo test` runs the same bodies over random values)",
            PACKAGES.join(" and ")
        );
    }
    for package in PACKAGES {
        let status = kani(paths)
            .env("CARGO_TARGET_DIR", paths.target.join("kani"))
            .args(["-p", package, "--no-default-features"])
            .stdin(Stdio::null())
            .status()
            .context("cannot start cargo kani")?;
        if !status.success() {
            println!("{package}: cargo kani ended with {status}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The step of `cargo xtask test`.
pub fn step(paths: &Paths, tally: &mut Tally) -> Result<()> {
    if !is_installed(paths) {
        println!("not available");
        tally.skip(format!(
            "kani: not installed ({INSTALL}); the proofs' bodies ran over random values in the step tests"
        ));
        return Ok(());
    }
    if command(paths)? != ExitCode::SUCCESS {
        bail!("a proof failed");
    }
    tally.pass(PACKAGES.len());
    Ok(())
}
