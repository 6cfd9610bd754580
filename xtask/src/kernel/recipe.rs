//! What each kernel compiled here is made of: data only, read by the build and by what places its result.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::shell;

/// A kernel compiled here.
#[derive(Debug)]
pub struct Recipe {
    /// Names it in the cache, on the command line, and its configuration and patches.
    pub name: &'static str,
    /// The start of its source package's name: all of it, or up to the number of the newest.
    pub source: Source,
    /// Kbuild's `ARCH`, where it is not the machine's.
    pub arch: Option<&'static str>,
    /// What is compiled beside the modules.
    pub target: &'static str,
    /// Where the tree has the bootable result.
    pub bootable: &'static str,
    /// What the placed boot folder calls it before its release.
    pub boot_name: &'static str,
    /// Of the tree, what Kbuild reads for a module outside of it, beside [`FOR_MODULES`].
    pub for_modules: &'static [&'static str],
    /// Changes when the layout of what is placed does, so that an old cache is not misread.
    pub layout: u32,
}

/// Where a kernel's source comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// This package, from the machine's lists or from its mirror's backports for it.
    Package(&'static str),
    /// The newest package that begins so, from Debian 13's backports.
    Newest(&'static str),
}

/// Of any tree, what Kbuild reads for a module outside of it.
pub const FOR_MODULES: &[&str] = &[
    "Makefile",
    ".config",
    "Module.symvers",
    "include",
    "scripts",
];

/// KASAN and its like.
pub const SANITIZER: &Recipe = &Recipe {
    name: "sanitizer",
    source: Source::Package("linux-source-6.12"),
    arch: None,
    target: "bzImage",
    bootable: "arch/x86/boot/bzImage",
    boot_name: "vmlinuz",
    for_modules: &[
        "arch/x86/Makefile",
        "arch/x86/Makefile_32.cpu",
        "arch/x86/include",
        "tools/objtool/objtool",
    ],
    layout: 1,
};

/// User-Mode Linux: the newest series, as a program of this machine.
pub const UML: &Recipe = &Recipe {
    name: "uml",
    source: Source::Newest("linux-source-7."),
    arch: Some("um"),
    target: "linux",
    bootable: "linux",
    boot_name: "linux",
    for_modules: &[
        "arch/um/Makefile",
        "arch/um/Makefile-os-Linux",
        "arch/um/Makefile-skas",
        "arch/um/include",
        "arch/um/scripts",
        "arch/x86/Makefile.um",
        "arch/x86/include",
        "arch/x86/um/asm",
        "arch/x86/um/shared",
    ],
    layout: 1,
};

impl Recipe {
    /// Its configuration.
    pub fn config(&self, paths: &Paths) -> PathBuf {
        paths
            .root
            .join(format!("xtask/kernel/{}.config", self.name))
    }

    /// Our changes to its source, in order.
    pub fn patches(&self, paths: &Paths) -> Result<Vec<PathBuf>> {
        let dir = paths.root.join("kmod/patches");
        let mut found = Vec::new();
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".patch") && name.starts_with(&format!("{}-", self.name)) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }

    /// How the names of its folders in the cache begin.
    pub fn prefix(&self) -> String {
        format!("kernel-{}-", self.name)
    }

    /// How the name of the present recipe's folder ends: from the digest of configuration and patches.
    pub fn suffix(&self, paths: &Paths) -> Result<String> {
        let listing = shell::output(
            Command::new("sh")
                .args(["-c", "cat -- \"$@\" | sha256sum", "sh"])
                .arg(self.config(paths))
                .args(self.patches(paths)?),
        )?;
        let digest = listing.get(..12).context("sha256sum printed no digest")?;
        Ok(format!("-{digest}-v{}", self.layout))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_kernel_gets_its_own_patches_only() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let paths = Paths {
            target: root.join("target"),
            cache: root.join("cache"),
            root,
        };
        assert!(SANITIZER.patches(&paths).unwrap().is_empty());
        let uml = UML.patches(&paths).unwrap();
        assert!(!uml.is_empty());
        assert!(
            uml.iter()
                .all(|p| p.file_name().unwrap().to_string_lossy().starts_with("uml-"))
        );
        assert_ne!(
            UML.suffix(&paths).unwrap(),
            SANITIZER.suffix(&paths).unwrap()
        );
    }
}
