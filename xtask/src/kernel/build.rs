//! Compiling a kernel from its source package, in a folder that goes afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::progress;
use super::recipe::Recipe;
use super::source;
use crate::paths::Paths;
use crate::shell;

/// The compiler that the distribution builds 6.12 with; 7.x takes it as well.
const COMPILER: &str = "gcc-12";

/// A compiled kernel.
#[derive(Debug)]
pub struct Built {
    /// The source's version, without what the configuration adds.
    pub version: String,
    /// The full release, as `uname -r` prints it.
    pub release: String,
    /// The tree it was compiled in.
    pub tree: PathBuf,
}

/// Fetches, configures and compiles below `part`.
pub fn build(paths: &Paths, recipe: &Recipe, part: &Path) -> Result<Built> {
    let name = format!("{} kernel", recipe.name);
    let config = recipe.config(paths);
    let tree = shell::timed(&format!("{name}: download and unpack the source"), || {
        source::tree(paths, recipe.source, part)
    })?;
    for file in recipe.patches(paths)? {
        source::patch(&tree, &file)?;
    }
    let all = format!("KCONFIG_ALLCONFIG={}", config.display());
    shell::quiet(make(recipe, &tree).args([&all, "allnoconfig"]))?;
    check_config(&config, &tree.join(".config"))?;
    let jobs = format!(
        "-j{}",
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    progress::watched(
        &format!("{name}: compile"),
        make(recipe, &tree).args([&jobs, recipe.target, "modules"]),
        &part.join("build.log"),
    )?;
    let ask = |target| -> Result<String> {
        let answer = shell::output(make(recipe, &tree).args(["-s", target]))?;
        Ok(answer.trim().to_owned())
    };
    Ok(Built {
        version: ask("kernelversion")?,
        release: ask("kernelrelease")?,
        tree,
    })
}

/// `make` in the kernel's tree, with nothing of the cargo that runs us.
pub fn make(recipe: &Recipe, tree: &Path) -> Command {
    let mut command = Command::new("make");
    command
        .env_remove("MAKEFLAGS")
        .env_remove("LD_LIBRARY_PATH")
        // The same configuration gives the same kernel, whoever builds it and where.
        .env("KBUILD_BUILD_USER", "kgpu")
        .env("KBUILD_BUILD_HOST", recipe.name)
        .arg("-C")
        .arg(tree)
        .args([format!("CC={COMPILER}"), format!("HOSTCC={COMPILER}")])
        .args(recipe.arch.map(|arch| format!("ARCH={arch}")));
    command
}

/// Fails when the kernel's own rules turned off what the configuration asks for.
fn check_config(asked: &Path, got: &Path) -> Result<()> {
    let wanted = fs::read_to_string(asked)?;
    let missing = refused(&wanted, &fs::read_to_string(got)?);
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "the kernel's configuration rules refuse what {} asks for: {}",
        asked.display(),
        missing.join(", ")
    )
}

/// The lines of `asked` that `got` lacks; an option that is off may be absent as well.
fn refused<'a>(asked: &'a str, got: &str) -> Vec<&'a str> {
    asked
        .lines()
        .filter(|line| line.starts_with("CONFIG_"))
        .filter(|line| match line.strip_suffix("=n") {
            Some(name) => got.lines().any(|g| g.starts_with(&format!("{name}="))),
            None => !got.lines().any(|g| g == *line),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_refuses_is_named() {
        let got = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=m\nCONFIG_AB=y\n";
        assert!(refused("# why\nCONFIG_A=y\nCONFIG_B=n\nCONFIG_C=n\n", got).is_empty());
        assert_eq!(
            refused("CONFIG_B=y\nCONFIG_D=n\nCONFIG_D=y\n", got),
            ["CONFIG_B=y", "CONFIG_D=n", "CONFIG_D=y"]
        );
    }
}
