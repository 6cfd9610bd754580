//! Cargo's additional programs, built once into the cache folder at a stated version.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::shell;

/// A program `cargo-NAME` in the cache folder, built there where it is missing.
pub fn ensure(paths: &Paths, name: &str, version: &str) -> Result<PathBuf> {
    let root = paths.cache.join(format!("tools/{name}-{version}"));
    let program = root.join("bin").join(name);
    if program.exists() {
        return Ok(program);
    }
    paths.ensure_cache()?;
    let _lock = Paths::lock(&paths.cache.join("locks"))?;
    if program.exists() {
        return Ok(program);
    }
    let build = paths.cache.join("tools/build");
    shell::timed(&format!("{name} {version} (once, a few minutes)"), || {
        // Cargo itself puts the finished program in place in one go.
        shell::quiet(
            shell::cargo(&paths.cache)
                .args([
                    "install",
                    "--quiet",
                    "--locked",
                    name,
                    "--version",
                    version,
                    "--root",
                ])
                .arg(&root)
                .arg("--target-dir")
                .arg(&build),
        )
    })?;
    fs::remove_dir_all(&build).with_context(|| format!("cannot remove {}", build.display()))?;
    Ok(program)
}
