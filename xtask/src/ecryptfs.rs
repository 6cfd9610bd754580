//! `cargo xtask ecryptfs`: the distribution's eCryptfs with our change to it, as a module for each kernel.
//!
//! The change is `kmod/patches/ecryptfs`; its source stays as the distribution has it in the cache folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::images::{self, Image};
use crate::kernel::{Source, source};
use crate::kmod;
use crate::paths::Paths;
use crate::shell;

/// Where the kernel has it.
const FOLDER: &str = "fs/ecryptfs";

/// What calls the files beside it.
const HOOKS: &str = "hooks.patch";

/// Builds the changed module for `image`; returns its file.
pub fn build(paths: &Paths, image: &Image) -> Result<PathBuf> {
    let ours = paths.root.join("kmod/patches/ecryptfs");
    let work = paths.target.join("ecryptfs");
    let _lock = Paths::lock(&work)?;
    let stock = stock(paths, image)?;
    shell::timed(&format!("eCryptfs: Kbuild for {}", image.version), || {
        let tree = work.join("changed");
        images::remove(&tree)?;
        let changed = tree.join(FOLDER);
        fs::create_dir_all(&changed)?;
        copy(&stock, &changed, |_| true)?;
        source::patch(&tree, &ours.join(HOOKS))?;
        copy(&ours, &changed, |name| name != HOOKS)?;
        let dir = work.join(&image.version);
        kmod::build_other(paths, image, &changed, &dir)?;
        images::remove(&tree)?;
        Ok(dir.join("ecryptfs.ko"))
    })
}

/// Whether the unchanged files for `image` are in the cache.
pub fn cached(paths: &Paths, image: &Image) -> bool {
    folder(paths, image).exists()
}

/// Where they are, or will be.
fn folder(paths: &Paths, image: &Image) -> PathBuf {
    paths.cache.join("ecryptfs").join(number(&image.version))
}

/// The folder of unchanged files for `image`, fetched into the cache where it is missing.
fn stock(paths: &Paths, image: &Image) -> Result<PathBuf> {
    let dir = folder(paths, image);
    if dir.exists() {
        return Ok(dir);
    }
    paths.ensure_cache()?;
    fs::create_dir_all(paths.cache.join("ecryptfs"))?;
    let part = paths.cache.join("part-ecryptfs");
    // Not the packages' own lock: another command may hold that for as long as a kernel's build takes.
    let _lock = Paths::lock(&paths.cache.join("locks/ecryptfs"))?;
    if dir.exists() {
        return Ok(dir);
    }
    images::remove(&part)?;
    fs::create_dir_all(&part)?;
    shell::timed(
        &format!(
            "eCryptfs of {}: download and unpack the source",
            image.version
        ),
        || {
            let tree = source::folder(paths, package(&image.version)?, &part, FOLDER)?;
            // The folder appears under its name only when complete, so an interrupted run leaves none.
            fs::rename(tree.join(FOLDER), &dir)?;
            images::remove(&part)
        },
    )?;
    Ok(dir)
}

/// The source package of a kernel.
fn package(version: &str) -> Result<Source> {
    Ok(match version.split('.').collect::<Vec<_>>()[..] {
        ["6", "1", ..] => Source::Package("linux-source-6.1"),
        ["6", "12", ..] => Source::Package("linux-source-6.12"),
        ["7", ..] => Source::Newest("linux-source-7."),
        _ => bail!("no source package is known for {version}: name it in xtask/src/ecryptfs.rs"),
    })
}

/// What a version begins with, the same for every kernel built from one source.
fn number(version: &str) -> &str {
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
    version[..end.unwrap_or(version.len())].trim_end_matches('-')
}

fn copy(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if wanted(&name.to_string_lossy()) {
            fs::copy(entry.path(), to.join(&name))
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_of_one_source_share_it() {
        assert_eq!(number("7.3.4+deb13-amd64"), "7.3.4");
        assert_eq!(number("7.3.4-kgpu-uml"), "7.3.4");
        assert_eq!(number("6.1.0-56-amd64"), "6.1.0-56");
        assert!(package("6.12.117+deb12-amd64").is_ok());
        assert!(package("6.10.1").is_err());
    }
}
