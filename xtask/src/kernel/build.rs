//! Fetching the source package and compiling the sanitizer kernel from it, in a folder that goes afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::progress;
use crate::apt::View;
use crate::paths::Paths;
use crate::shell;

/// The distribution's package of the newer kernel's source.
const SOURCE: &str = "linux-source-6.12";

/// The compiler that the distribution builds this series with.
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
pub fn build(paths: &Paths, config: &Path, part: &Path) -> Result<Built> {
    let tree = shell::timed("sanitizer kernel: download and unpack the source", || {
        fetch(paths, part)
    })?;
    let all = format!("KCONFIG_ALLCONFIG={}", config.display());
    shell::quiet(make(&tree).args([&all, "allnoconfig"]))?;
    check_config(config, &tree.join(".config"))?;
    let jobs = format!(
        "-j{}",
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    progress::watched(
        "sanitizer kernel: compile",
        make(&tree).args([&jobs, "bzImage", "modules"]),
        &part.join("build.log"),
    )?;
    Ok(Built {
        version: shell::output(make(&tree).args(["-s", "kernelversion"]))?
            .trim()
            .to_owned(),
        release: shell::output(make(&tree).args(["-s", "kernelrelease"]))?
            .trim()
            .to_owned(),
        tree,
    })
}

/// `make` in the kernel's tree, with nothing of the cargo that runs us.
pub fn make(tree: &Path) -> Command {
    let mut command = Command::new("make");
    command
        .env_remove("MAKEFLAGS")
        .env_remove("LD_LIBRARY_PATH")
        // The same configuration gives the same kernel, whoever builds it and where.
        .env("KBUILD_BUILD_USER", "kgpu")
        .env("KBUILD_BUILD_HOST", "sanitizer")
        .arg("-C")
        .arg(tree)
        .args([format!("CC={COMPILER}"), format!("HOSTCC={COMPILER}")]);
    command
}

/// Downloads and unpacks the source; returns its tree.
fn fetch(paths: &Paths, part: &Path) -> Result<PathBuf> {
    let debs = part.join("debs");
    fs::create_dir_all(&debs)?;
    let machine = View::machine();
    let view = if machine.has(SOURCE)? {
        machine
    } else {
        View::own(paths)?
    };
    view.download(&debs, &[SOURCE.to_owned()])?;
    for deb in fs::read_dir(&debs)? {
        shell::quiet(Command::new("dpkg").arg("-x").arg(deb?.path()).arg(part))?;
    }
    fs::remove_dir_all(&debs)?;
    let archive = part.join(format!("usr/src/{SOURCE}.tar.xz"));
    shell::quiet(
        Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(part),
    )
    .with_context(|| {
        format!(
            "package {SOURCE} holds no such archive: teach xtask/src/kernel/build.rs its new form"
        )
    })?;
    fs::remove_file(&archive)?;
    let tree = part.join(SOURCE);
    if !tree.join("Kconfig").exists() {
        bail!(
            "{} is no kernel tree: teach xtask/src/kernel/build.rs the package's new form",
            tree.display()
        );
    }
    Ok(tree)
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
