//! Checks of the sources as they stand: format, lints, the generated C header.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::paths::Paths;
use crate::shell;
use crate::tally::Tally;

/// `cargo fmt --check`.
pub fn format(paths: &Paths, tally: &mut Tally) -> Result<()> {
    shell::quiet(shell::cargo(&paths.root).args(["fmt", "--all", "--check"]))
        .context("run `cargo fmt --all`")?;
    tally.pass(1);
    Ok(())
}

/// `cargo clippy` over everything, warnings denied.
pub fn clippy(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let mut command = shell::cargo(&paths.root);
    command.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]);
    shell::quiet(&mut command)?;
    tally.pass(1);
    Ok(())
}

/// The glue's C header must be what kgpu-core generates: the ABI is typed once.
pub fn header(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let generated = shell::output(shell::cargo(&paths.root).args([
        "run",
        "--quiet",
        "--locked",
        "-p",
        "kgpu-core",
        "--example",
        "c_header",
    ]))?;
    let path = paths.root.join("kmod/include/kgpu_abi.h");
    let committed =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if generated != committed {
        bail!(
            "kmod/include/kgpu_abi.h is not what kgpu-core generates: run \
             `cargo run -p kgpu-core --example c_header > kmod/include/kgpu_abi.h`"
        );
    }
    tally.pass(1);
    Ok(())
}
