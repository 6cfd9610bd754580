//! Keeping of a compiled kernel what guests and module builds need: the image, its modules, headers and Kbuild.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::build::{Built, make};
use crate::shell;

/// Of the tree, what Kbuild reads for a module outside of it.
const FOR_MODULES: &[&str] = &[
    "Makefile",
    ".config",
    "Module.symvers",
    "include",
    "scripts",
    "arch/x86/Makefile",
    "arch/x86/Makefile_32.cpu",
    "arch/x86/include",
    "tools/objtool/objtool",
];

/// Lays out the kernel in `dir`.
pub fn place(built: &Built, dir: &Path) -> Result<()> {
    let release = &built.release;
    fs::create_dir_all(dir.join("boot"))?;
    fs::copy(
        built.tree.join("arch/x86/boot/bzImage"),
        dir.join(format!("boot/vmlinuz-{release}")),
    )
    .context("the build made no bzImage")?;
    shell::quiet(
        make(&built.tree)
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
