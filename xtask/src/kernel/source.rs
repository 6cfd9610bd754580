//! The distribution's source packages of the kernel: fetching one, unpacking all or a part of it, changing it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::recipe::Source;
use crate::apt::View;
use crate::paths::Paths;
use crate::shell;

/// Downloads and unpacks the source below `part`; returns its tree.
pub fn tree(paths: &Paths, source: Source, part: &Path) -> Result<PathBuf> {
    let tree = unpack(paths, source, part, None)?;
    if !tree.join("Kconfig").exists() {
        bail!(
            "{} is no kernel tree: teach xtask/src/kernel/source.rs the package's new form",
            tree.display()
        );
    }
    Ok(tree)
}

/// The same of one folder of the tree, which is all that the returned one then holds.
pub fn folder(paths: &Paths, source: Source, part: &Path, folder: &str) -> Result<PathBuf> {
    unpack(paths, source, part, Some(folder))
}

fn unpack(paths: &Paths, source: Source, part: &Path, folder: Option<&str>) -> Result<PathBuf> {
    let debs = part.join("debs");
    fs::create_dir_all(&debs)?;
    let (view, package) = package(paths, source)?;
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
            .arg(part)
            .args(folder.map(|folder| format!("{package}/{folder}"))),
    )
    .with_context(|| {
        format!(
            "package {package} holds no such archive: teach xtask/src/kernel/source.rs its new form"
        )
    })?;
    fs::remove_file(&archive)?;
    Ok(part.join(package))
}

/// The package of a source, and the lists that have it.
fn package(paths: &Paths, source: Source) -> Result<(View, String)> {
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
pub fn patch(tree: &Path, file: &Path) -> Result<()> {
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
}
