//! Keeping of a compiled kernel what guests and module builds need: the image, its modules, headers and Kbuild.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::build::{Built, make};
use super::recipe::{FOR_MODULES, Recipe};
use crate::shell;

/// Lays out the kernel in `dir`.
pub fn place(recipe: &Recipe, built: &Built, dir: &Path) -> Result<()> {
    let release = &built.release;
    fs::create_dir_all(dir.join("boot"))?;
    let bootable = dir.join(format!("boot/{}-{release}", recipe.boot_name));
    fs::copy(built.tree.join(recipe.bootable), &bootable)
        .with_context(|| format!("the build made no {}", recipe.bootable))?;
    if recipe.arch == Some("um") {
        // A program, whose own symbols nobody reads.
        shell::quiet(Command::new("strip").arg(&bootable))?;
    }
    shell::quiet(
        make(recipe, &built.tree)
            .arg(format!("INSTALL_MOD_PATH={}", dir.display()))
            .arg("modules_install"),
    )?;
    let modules = dir.join("lib/modules").join(release);
    // It leads to the tree, which goes.
    fs::remove_file(modules.join("build"))?;
    let headers = format!("usr/src/linux-headers-{release}");
    symlink(format!("../../../{headers}"), modules.join("build"))?;
    let headers = dir.join(headers);
    fs::create_dir_all(&headers)?;
    shell::quiet(
        Command::new("cp")
            .current_dir(&built.tree)
            .args(["-a", "--parents"])
            .args(FOR_MODULES)
            .args(recipe.for_modules)
            .arg(&headers),
    )?;
    // What make compares its own objects with; an external module's build makes none of these again.
    shell::quiet(
        Command::new("find")
            .arg(&headers)
            .args(["-name", "*.o", "-delete"]),
    )?;
    fs::write(dir.join("version"), format!("{release}\n"))?;
    Ok(())
}
