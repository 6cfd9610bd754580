//! `cargo xtask kernel`: the kernels that are built here from the distribution's source.
//!
//! What each is made of is a [`Recipe`] and `xtask/kernel/NAME.config`; the result lies in the cache folder in the form
//! that [`Image`] opens, so that everything else takes it for one more kernel.

mod build;
mod place;
mod progress;
mod recipe;
pub mod source;

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

pub use recipe::{Recipe, SANITIZER, Source, UML};

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
    /// User-Mode Linux, the newest series as a program of this machine: for `cargo xtask uml`
    Uml {
        /// Only say whether it is in the cache
        #[arg(long)]
        status: bool,
    },
}

/// The command.
pub fn run(paths: &Paths, options: &Options) -> Result<()> {
    let (recipe, status) = match options.which {
        Which::Sanitizer { status } => (SANITIZER, status),
        Which::Uml { status } => (UML, status),
    };
    let name = recipe.name;
    let image = match cached(paths, recipe)? {
        None if status => {
            println!("{name} kernel: not in the cache; `cargo xtask kernel {name}` builds it");
            return Ok(());
        }
        Some(image) => image,
        None => ensure(paths, recipe)?,
    };
    println!(
        "{name} kernel: {}, {} MiB in {}",
        image.version,
        mebibytes(&image.dir)?,
        image.dir.display()
    );
    Ok(())
}

/// The kernel of the present recipe, if it is in the cache.
pub fn cached(paths: &Paths, recipe: &Recipe) -> Result<Option<Image>> {
    let suffix = recipe.suffix(paths)?;
    Ok(folders(paths, recipe)?
        .iter()
        .filter(|dir| name(dir).ends_with(&suffix))
        .find_map(|dir| Image::open(dir)))
}

/// Returns the kernel from the cache, building it first where it is missing.
pub fn ensure(paths: &Paths, recipe: &Recipe) -> Result<Image> {
    if let Some(image) = cached(paths, recipe)? {
        return Ok(image);
    }
    packages::ensure_for_kernel()?;
    paths.ensure_cache()?;
    let kernel = recipe.name;
    // A lock of its own: the build is long, and stock kernels can be fetched meanwhile.
    let _lock = Paths::lock(&paths.cache.join("locks").join(kernel))?;
    if let Some(image) = cached(paths, recipe)? {
        return Ok(image);
    }
    let started = Instant::now();
    let part = paths.cache.join(format!("part-{kernel}"));
    images::remove(&part)?;
    let built = build::build(paths, recipe, &part)?;
    let fresh = part.join("placed");
    shell::timed(&format!("{kernel} kernel: place what is needed"), || {
        place::place(recipe, &built, &fresh)
    })?;
    // The folder appears under its name only when complete, so an interrupted run leaves none.
    let dir = paths.cache.join(format!(
        "{}{}{}",
        recipe.prefix(),
        built.version,
        recipe.suffix(paths)?
    ));
    fs::rename(&fresh, &dir)?;
    images::remove(&part)?;
    for old in folders(paths, recipe)?.iter().filter(|old| **old != dir) {
        println!(
            "{kernel} kernel: removing {}, of another recipe",
            old.display()
        );
        images::remove(old)?;
    }
    println!(
        "{kernel} kernel: built in {:.0} s",
        started.elapsed().as_secs_f64()
    );
    Image::open(&dir).context("the built kernel cannot be read back")
}

/// All of a kernel's folders in the cache, of whatever configuration.
fn folders(paths: &Paths, recipe: &Recipe) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if paths.cache.exists() {
        for entry in fs::read_dir(&paths.cache)? {
            let path = entry?.path();
            if name(&path).starts_with(&recipe.prefix()) {
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
