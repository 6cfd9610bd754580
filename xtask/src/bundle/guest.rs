//! The bundle's guest: User-Mode Linux with an initramfs, for hosts where no module can be loaded. What runs in it, and
//! what it is told, is `crate::vm`'s.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::contents::GUEST_PROGRAMS;
use crate::kernel;
use crate::paths::Paths;
use crate::shell;
use crate::vm;

/// The guest's folder in the bundle.
pub const FOLDER: &str = "guest";

/// Adds the guest to the bundle in `folder`, if its kernel is in the cache; whether it did.
pub fn add(paths: &Paths, folder: &Path) -> Result<bool> {
    let Some(image) = kernel::cached(paths, kernel::UML)? else {
        return Ok(false);
    };
    let guest = folder.join(FOLDER);
    fs::create_dir_all(&guest).with_context(|| format!("cannot make {}", guest.display()))?;
    let linux = guest.join("linux");
    strip(&image.bootable(), &linux)?;
    fs::set_permissions(&linux, fs::Permissions::from_mode(0o755))?;
    let programs = stripped(paths)?;
    let initrd = guest.join("initramfs");
    vm::pack_uml(paths, &image, &programs, &initrd, &guest.join("words"))?;
    // By name and time, the same files make the same archive.
    shell::quiet(Command::new("gzip").args(["-9", "-n", "-f"]).arg(&initrd))?;
    fs::copy(
        paths.root.join("kmod/COPYING"),
        folder.join("licences/linux-and-kgpu-module"),
    )?;
    Ok(true)
}

/// The guest's programs of this workspace, which are large with their symbols.
fn stripped(paths: &Paths) -> Result<Vec<std::path::PathBuf>> {
    vm::programs(paths)?;
    let work = paths.target.join("bundle").join("guest-programs");
    fs::create_dir_all(&work)?;
    let strip_one = |name: &&str| {
        let to = work.join(name);
        strip(&paths.target.join("release").join(name), &to).map(|()| to)
    };
    GUEST_PROGRAMS.iter().map(strip_one).collect()
}

fn strip(from: &Path, to: &Path) -> Result<()> {
    shell::quiet(Command::new("strip").arg("-o").arg(to).arg(from))
}
