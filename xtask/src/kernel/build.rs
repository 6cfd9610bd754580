//! Fetching the source package and compiling a kernel from it, in a folder that goes afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::progress;
use super::recipe::{Recipe, Source};
use crate::apt::View;
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
        fetch(paths, recipe, part)
    })?;
    for file in recipe.patches(paths)? {
        patch(&tree, &file)?;
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

/// Downloads and unpacks the source; returns its tree.
fn fetch(paths: &Paths, recipe: &Recipe, part: &Path) -> Result<PathBuf> {
    let debs = part.join("debs");
    fs::create_dir_all(&debs)?;
    let (view, package) = source(paths, recipe.source)?;
    view.download(&debs, std::slice::from_ref(&package))?;
    for deb in fs::read_dir(&debs)? {
        shell::quiet(Command::new("dpkg").arg("-x").arg(deb?.path()).arg(part))?;
    }
    fs::remove_dir_all(&debs)?;
    let archive = part.join(format!("usr/src/{package}.tar.xz"));
    shell::quiet(
        Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(part),
    )
    .with_context(|| {
        format!(
            "package {package} holds no such archive: teach xtask/src/kernel/build.rs its new form"
        )
    })?;
    fs::remove_file(&archive)?;
    let tree = part.join(package);
    if !tree.join("Kconfig").exists() {
        bail!(
            "{} is no kernel tree: teach xtask/src/kernel/build.rs the package's new form",
            tree.display()
        );
    }
    Ok(tree)
}

/// The package of a source, and the lists that have it.
fn source(paths: &Paths, source: Source) -> Result<(View, String)> {
    match source {
        Source::Package(name) => {
            let machine = View::machine();
            let view = if machine.has(name)? {
                machine
            } else {
                View::own(paths)?
            };
            Ok((view, name.to_owned()))
        }
        Source::Newest(prefix) => {
            let view = View::newest(paths)?;
            let names = view.names(prefix)?;
            let name = newest(&names, prefix).with_context(|| {
                format!("Debian 13's backports on this machine's mirror have no {prefix}*")
            })?;
            Ok((view, name))
        }
    }
}

/// Of `names`, the one with the highest number after `prefix`.
fn newest(names: &[String], prefix: &str) -> Option<String> {
    let number = |name: &String| name.strip_prefix(prefix)?.parse::<u64>().ok();
    names
        .iter()
        .filter(|name| number(name).is_some())
        .max_by_key(|name| number(name))
        .cloned()
}

/// Changes the source by `file`, which must fit it.
fn patch(tree: &Path, file: &Path) -> Result<()> {
    shell::quiet(
        Command::new("patch")
            .arg("-d")
            .arg(tree)
            .args(["-p1", "--forward", "--fuzz=0", "-i"])
            .arg(file),
    )
    .with_context(|| {
        format!(
            "{} does not fit the source: write it anew for this version",
            file.display()
        )
    })
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
    fn the_newest_source_is_the_highest_number() {
        let names = ["7.3", "7.10", "7.9-doc", "7.2"].map(|n| format!("linux-source-{n}"));
        let found = newest(&names, "linux-source-7.");
        assert_eq!(found.as_deref(), Some("linux-source-7.10"));
        assert_eq!(newest(&names, "linux-source-8."), None);
    }

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
