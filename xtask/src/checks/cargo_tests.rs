//! Cargo's own tests: the workspace, the models under loom and shuttle, Miri.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::paths::Paths;
use crate::shell;
use crate::tally::Tally;

/// What `cargo test` printed in its result lines, added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

/// Unit, property and documentation tests of every crate.
pub fn workspace(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let mut command = shell::cargo(&paths.root);
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    count("tests", &mut command, tally)
}

/// The ring under every interleaving that loom can make, and whole lives of requests under random
/// schedules of shuttle.
pub fn models(paths: &Paths, tally: &mut Tally) -> Result<()> {
    for checker in ["loom", "shuttle"] {
        let mut command = shell::cargo(&paths.root);
        command
            // Another cfg for every crate: a folder of its own keeps the ordinary build.
            .env("CARGO_TARGET_DIR", paths.target.join(checker))
            .env("RUSTFLAGS", format!("--cfg {checker}"))
            .args(["test", "-p", "kgpu-core", "--release", "--locked"])
            .args(["--test", checker]);
        count(checker, &mut command, tally)?;
    }
    Ok(())
}

/// kgpu-core's tests under Miri where this toolchain has it.
pub fn miri(paths: &Paths, tally: &mut Tally) -> Result<()> {
    if !shell::succeeds(shell::cargo(&paths.root).args(["miri", "--version"])) {
        println!("not available");
        tally.skip(
            "miri: this toolchain has no cargo-miri (it needs a nightly with the miri component)",
        );
        return Ok(());
    }
    let mut command = shell::cargo(&paths.root);
    command
        .env("CARGO_TARGET_DIR", paths.target.join("miri"))
        // Property tests write regression files, which Miri's isolation refuses.
        .env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env("PROPTEST_CASES", "8")
        .args(["miri", "test", "-p", "kgpu-core", "--locked"]);
    count("miri", &mut command, tally)
}

/// Runs a `cargo test`, counts its tests, and shows the whole output if one failed.
fn count(step: &str, command: &mut Command, tally: &mut Tally) -> Result<()> {
    let run = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let counts = counted(&text);
    tally.pass(counts.passed);
    if counts.ignored > 0 {
        tally.skip(format!(
            "{step}: {} tests marked as ignored in the sources",
            counts.ignored
        ));
    }
    if run.status.success() {
        if counts.passed == 0 {
            bail!("no test ran");
        }
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&run.stderr).into_owned();
    println!("{}\n{}", failures(&text), shell::tail(&errors, 60));
    let named = failed_names(&text);
    if named.is_empty() {
        bail!("cargo ended with {}", run.status);
    }
    for name in named {
        tally.fail(format!("{step}: {name}"));
    }
    Ok(())
}

fn counted(text: &str) -> Counts {
    let mut sum = Counts::default();
    for line in text
        .lines()
        .filter_map(|l| l.trim().strip_prefix("test result: "))
    {
        for part in line.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(number)), Some(kind)) =
                (words.next().map(str::parse::<usize>), words.next())
            else {
                continue;
            };
            match kind {
                "passed" => sum.passed += number,
                "failed" => sum.failed += number,
                "ignored" => sum.ignored += number,
                _ => {}
            }
        }
    }
    sum
}

fn failed_names(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter_map(|l| l.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    lines.map(str::to_owned).collect()
}

/// What the failed tests of every binary printed: from the word that cargo begins it with to the result.
fn failures(text: &str) -> String {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        inside |= line == "failures:";
        if inside {
            lines.push(line);
        }
        inside &= !line.starts_with("test result: ");
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_binaries_add_up() {
        let text = "running 2 tests\ntest a ... ok\ntest b ... FAILED\nfailures:\n---- b ----\nwhy\n\
                    test result: FAILED. 1 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert_eq!(
            counted(text),
            Counts {
                passed: 5,
                failed: 1,
                ignored: 3
            }
        );
        assert_eq!(failed_names(text), ["b"]);
        let shown = failures(text);
        assert!(shown.starts_with("failures:\n---- b ----\nwhy\ntest result: FAILED."));
        assert_eq!(shown.lines().count(), 4);
    }
}
