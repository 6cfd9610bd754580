//! `cargo xtask kernel sanitizer`: the kernel that checks itself, built from the distribution's source.
//!
//! What it is made of is `xtask/kernel/sanitizer.config`; the result lies in the cache folder in the form that
//! [`Image`] opens, so that everything else takes it for one more kernel.

mod build;
mod place;
mod progress;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::images::{self, Image};
use crate::packages;
use crate::paths::Paths;
use crate::shell;

/// Changes when the layout of what is placed does, so that an old cache is not misread.
const LAYOUT: u32 = 1;

/// How the folders' names in the cache begin.
const PREFIX: &str = "kernel-sanitizer-";

/// Options of `kernel`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// KASAN, lockdep, kmemleak, fault injection and the long crypto self-tests: for `--kernel sanitizer`
    Sanitizer {
        /// Only say whether it is in the cache
        #[arg(long)]
        status: bool,
    },
}

/// The command.
pub fn run(paths: &Paths, options: &Options) -> Result<()> {
    let Which::Sanitizer { status } = options.which;
    let image = match cached(paths)? {
        None if status => {
            println!(
                "sanitizer kernel: not in the cache; `cargo xtask kernel sanitizer` builds it"
            );
            return Ok(());
        }
        Some(image) => image,
        None => ensure(paths)?,
    };
    println!(
        "sanitizer kernel: {}, {} MiB in {}",
        image.version,
        mebibytes(&image.dir)?,
        image.dir.display()
    );
    Ok(())
}

/// The kernel of the present configuration, if it is in the cache.
pub fn cached(paths: &Paths) -> Result<Option<Image>> {
    let suffix = suffix(paths)?;
    Ok(folders(paths)?
        .iter()
        .filter(|dir| name(dir).ends_with(&suffix))
        .find_map(|dir| Image::open(dir)))
}

/// Returns the kernel from the cache, building it first where it is missing.
pub fn ensure(paths: &Paths) -> Result<Image> {
    if let Some(image) = cached(paths)? {
        return Ok(image);
    }
    packages::ensure_for_kernel()?;
    paths.ensure_cache()?;
    // A lock of its own: the build is long, and stock kernels can be fetched meanwhile.
    let _lock = Paths::lock(&paths.cache.join("locks/sanitizer"))?;
    if let Some(image) = cached(paths)? {
        return Ok(image);
    }
    let started = Instant::now();
    let part = paths.cache.join("part-sanitizer");
    images::remove(&part)?;
    let built = build::build(paths, &config(paths), &part)?;
    let fresh = part.join("placed");
    shell::timed("sanitizer kernel: place what is needed", || {
        place::place(&built, &fresh)
    })?;
    // The folder appears under its name only when complete, so an interrupted run leaves none.
    let dir = paths
        .cache
        .join(format!("{PREFIX}{}{}", built.version, suffix(paths)?));
    fs::rename(&fresh, &dir)?;
    images::remove(&part)?;
    for old in folders(paths)?.iter().filter(|old| **old != dir) {
        println!(
            "sanitizer kernel: removing {}, of another configuration",
            old.display()
        );
        images::remove(old)?;
    }
    println!(
        "sanitizer kernel: built in {:.0} s",
        started.elapsed().as_secs_f64()
    );
    Image::open(&dir).context("the built kernel cannot be read back")
}

fn config(paths: &Paths) -> PathBuf {
    paths.root.join("xtask/kernel/sanitizer.config")
}

/// How the name of the present configuration's folder ends: from the configuration's digest.
fn suffix(paths: &Paths) -> Result<String> {
    let listing = shell::output(Command::new("sha256sum").arg(config(paths)))?;
    let digest = listing.get(..12).context("sha256sum printed no digest")?;
    Ok(format!("-{digest}-v{LAYOUT}"))
}

/// All folders of sanitizer kernels in the cache, of whatever configuration.
fn folders(paths: &Paths) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if paths.cache.exists() {
        for entry in fs::read_dir(&paths.cache)? {
            let path = entry?.path();
            if name(&path).starts_with(PREFIX) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn mebibytes(dir: &Path) -> Result<String> {
    let listing = shell::output(Command::new("du").args(["-sm"]).arg(dir))?;
    let count = listing.split_whitespace().next();
    Ok(count.context("du printed no size")?.to_owned())
}
