//! Kbuild per kernel, in a copy of the C sources so that the tree stays clean.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::target::Target;
use super::{Modules, write_if_changed};
use crate::debian13::{Bind, Folder};
use crate::images::Image;
use crate::paths::Paths;
use crate::shell;

/// Module folders built after the main one, against its exported symbols.
pub const PARTS: &[&str] = &["sample", "test"];

/// What is copied from `kmod/` besides [`PARTS`].
const SOURCES: &[&str] = &["Kbuild", "glue", "include"];

/// Copies the sources to `work/<release>`, puts the Rust object beside them and builds all modules.
pub fn run(
    kmod: &Path,
    work: &Path,
    rust: &Path,
    image: &Image,
    target: &Target,
    place: &Place,
) -> Result<Modules> {
    let dir = work.join(&image.version);
    let mut sources = Vec::new();
    for name in SOURCES.iter().chain(PARTS) {
        list(&kmod.join(name), Path::new(name), &mut sources)?;
    }
    copy_all(kmod, &dir, &sources)?;
    if !dir.join("Kbuild").exists() {
        bail!("{} is missing", kmod.join("Kbuild").display());
    }
    write_if_changed(&dir.join("rust_obj.bin"), &fs::read(rust)?)?;
    make(place, target, image, &dir, None)?;
    for part in PARTS {
        if dir.join(part).join("Kbuild").exists() {
            make(place, target, image, &dir, Some(part))?;
        }
    }
    Ok(Modules { dir })
}

/// Makes `dir` hold what lies in `from`, and builds the module there.
pub fn module(
    from: &Path,
    dir: &Path,
    image: &Image,
    target: &Target,
    place: &Place,
) -> Result<()> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        sources.push(PathBuf::from(entry?.file_name()));
    }
    copy_all(from, dir, &sources)?;
    make(place, target, image, dir, None)
}

/// Builds what lies in `dir`, or in a part of it against the former's symbols.
fn make(
    place: &Place,
    target: &Target,
    image: &Image,
    dir: &Path,
    part: Option<&str>,
) -> Result<()> {
    let (mut command, kdir, root) = place.make(image, dir)?;
    command
        .arg("-C")
        .arg(kdir)
        .args(target.arch.map(|arch| format!("ARCH={arch}")));
    match part {
        None => command.arg(format!("M={}", root.display())),
        Some(part) => {
            let symbols = root.join("Module.symvers");
            command
                .arg(format!("M={}", root.join(part).display()))
                .arg(format!("KBUILD_EXTRA_SYMBOLS={}", symbols.display()))
        }
    };
    command.arg("KCFLAGS=-Werror").arg(format!(
        "-j{}",
        std::thread::available_parallelism().map_or(1, usize::from)
    ));
    let log = shell::combined(command.arg("modules"))?;
    let warnings: Vec<&str> = log.lines().filter(|line| is_fault(line)).collect();
    if !warnings.is_empty() {
        bail!(
            "Kbuild of {} for {} has warnings:\n{}",
            dir.display(),
            image.version,
            warnings.join("\n")
        );
    }
    Ok(())
}

/// Where a kernel's build tools run.
#[derive(Debug)]
pub enum Place {
    /// On this machine.
    Here,
    /// In the folder of Debian 13, whose libraries and compiler they need.
    Debian13(Folder),
}

impl Place {
    /// The place that `image` needs, made first if need be.
    pub fn of(paths: &Paths, image: &Image) -> Result<Self> {
        Ok(if image.is_debian13() {
            Self::Debian13(Folder::ensure(paths)?)
        } else {
            Self::Here
        })
    }

    /// `make`, with the kernel's build folder and `dir` as it finds them.
    fn make(&self, image: &Image, dir: &Path) -> Result<(Command, PathBuf, PathBuf)> {
        let kdir = image.kdir();
        match self {
            Self::Here => {
                let mut command = Command::new("make");
                command
                    .env_remove("MAKEFLAGS")
                    .env_remove("LD_LIBRARY_PATH");
                Ok((command, kdir, dir.to_path_buf()))
            }
            Self::Debian13(folder) => {
                let inside = Path::new("/mnt/kernel").join(kdir.strip_prefix(&image.dir)?);
                let binds = [
                    Bind {
                        what: &image.dir,
                        place: "/mnt/kernel",
                        writable: false,
                    },
                    Bind {
                        what: dir,
                        place: "/mnt/modules",
                        writable: true,
                    },
                ];
                let command = folder.command(&binds, "make")?;
                Ok((command, inside, PathBuf::from("/mnt/modules")))
            }
        }
    }
}

/// Whether a line of Kbuild's output tells of a fault in our module (the compiler's own are errors already).
fn is_fault(line: &str) -> bool {
    line.contains("WARNING: modpost")
        || line.contains("warning: objtool")
        || line.contains("objtool: ")
}

/// Adds the files at or below `from`, as paths below `name`.
fn list(from: &Path, name: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    if from.is_file() {
        found.push(name.to_path_buf());
    } else if from.is_dir() {
        let entries =
            fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))?;
        for entry in entries {
            let entry = entry?;
            list(&entry.path(), &name.join(entry.file_name()), found)?;
        }
    }
    Ok(())
}

/// Copies `sources`, touching only files that differ; what Kbuild made beside them stays.
///
/// When a source was added or removed all starts anew, so that nothing of a former one is left.
fn copy_all(from: &Path, to: &Path, sources: &[PathBuf]) -> Result<()> {
    let mut names: Vec<String> = sources.iter().map(|s| s.display().to_string()).collect();
    names.sort();
    let names = names.join("\n");
    let manifest = to.join(".sources");
    if to.exists() && fs::read_to_string(&manifest).is_ok_and(|old| old != names) {
        fs::remove_dir_all(to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    for source in sources {
        let place = to.join(source);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = from.join(source);
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        write_if_changed(&place, &bytes)?;
    }
    fs::create_dir_all(to)?;
    write_if_changed(&manifest, names.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_chatter_is_not_a_fault() {
        assert!(!is_fault(
            "Skipping BTF generation for kgpu.ko due to unavailability of vmlinux"
        ));
        assert!(!is_fault(
            "warning: the compiler differs from the one used to build the kernel"
        ));
        assert!(is_fault("WARNING: modpost: missing MODULE_DESCRIPTION()"));
        assert!(is_fault(
            "kgpu.o: warning: objtool: f+0x1: unreachable instruction"
        ));
    }

    #[test]
    fn a_removed_source_leaves_nothing_behind() {
        let base = std::env::temp_dir().join(format!("kgpu-xtask-kbuild-{}", std::process::id()));
        let (from, to) = (base.join("from"), base.join("to"));
        fs::create_dir_all(from.join("test")).unwrap();
        for name in ["test/a.c", "test/b.c"] {
            fs::write(from.join(name), name).unwrap();
        }
        let copy = || {
            let mut sources = Vec::new();
            list(&from.join("test"), Path::new("test"), &mut sources).unwrap();
            copy_all(&from, &to, &sources).unwrap();
        };
        copy();
        fs::write(to.join("test/b.ko"), "built").unwrap();
        copy();
        assert!(
            to.join("test/b.ko").exists(),
            "an unchanged set keeps what was built"
        );
        fs::remove_file(from.join("test/b.c")).unwrap();
        copy();
        assert!(to.join("test/a.c").exists() && !to.join("test/b.ko").exists());
        fs::remove_dir_all(base).unwrap();
    }
}
