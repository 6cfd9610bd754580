//! `cargo xtask setup`: packages, then kernel images; instant when all is there.

use anyhow::Result;
use clap::Args;

use crate::debian13::Folder;
use crate::images::{self, Image, Series};
use crate::packages;
use crate::paths::Paths;

/// Options of `setup`.
#[derive(Debug, Default, Args)]
pub struct Options {
    /// Download the kernel images again, in their newest version
    #[arg(long)]
    refresh: bool,
    /// Use a package state of our own in the cache folder even where this machine's lists have the kernels
    #[arg(long)]
    own_apt_state: bool,
}

/// Does the whole set-up and says what is there.
pub fn run(paths: &Paths, options: &Options) -> Result<()> {
    packages::ensure()?;
    println!("packages: all there");
    for series in Series::STOCK {
        let image = images::ensure(paths, *series, options.refresh, options.own_apt_state)?;
        println!(
            "kernel {:4}: {} in {}",
            series.name(),
            image.version,
            image.dir.display()
        );
    }
    if packages::is_root()? {
        Folder::ensure(paths)?;
        println!("tools of Debian 13: all there");
    }
    Ok(())
}

/// Makes sure that packages and these kernels are there, and returns the kernels in order.
pub fn for_kernels(paths: &Paths, series: &[Series]) -> Result<Vec<Image>> {
    packages::ensure()?;
    series
        .iter()
        .map(|s| images::ensure(paths, *s, false, false))
        .collect()
}
