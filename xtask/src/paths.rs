//! Where things lie: the repository, its build folder and the one download cache.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folders that every command works with.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Root of the repository.
    pub root: PathBuf,
    /// Cargo's build folder; everything made here goes below it.
    pub target: PathBuf,
    /// Downloads that survive `cargo clean`: kernel images, cargo tools. Safe to delete.
    pub cache: PathBuf,
}

const CACHE_README: &str = "\
Downloads of kgpu's `cargo xtask`: kernel images (kernel-*: unpacked; kernel-sanitizer-* and
kernel-uml-*: built here), a system of Debian 13 whose tools build modules for 7.x kernels (debian-13; only ever entered by
chroot, nothing of it runs by itself), the source files of each kernel's eCryptfs (ecryptfs), cargo tools (tools),
a QEMU of Debian 13's (qemu-13: unpacked) and private apt states (apt, apt-13), used only where this machine's own package lists
lack something.
Safe to delete: what is missing is made again. KGPU_CACHE moves this folder.
";

impl Paths {
    /// Finds the folders from cargo's environment and the user's.
    pub fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask has no parent folder: run it as `cargo xtask`")?
            .to_path_buf();
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        let cache = cache_folder(|name| {
            env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        })?;
        Ok(Self {
            root,
            target,
            cache,
        })
    }

    /// Makes the cache folder where it is missing and explains itself there, as it now is.
    pub fn ensure_cache(&self) -> Result<()> {
        let readme = self.cache.join("README");
        if fs::read_to_string(&readme).is_ok_and(|text| text == CACHE_README) {
            return Ok(());
        }
        fs::create_dir_all(&self.cache).with_context(|| {
            format!(
                "cannot make the cache folder {}: set KGPU_CACHE to a writable one",
                self.cache.display()
            )
        })?;
        fs::write(&readme, CACHE_README)?;
        Ok(())
    }

    /// Takes an exclusive lock in `folder` (made if missing), held until the file is dropped.
    ///
    /// Two runs at once would otherwise write the same build folder.
    pub fn lock(folder: &Path) -> Result<File> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file = File::create(folder.join(".lock"))?;
        if file.try_lock().is_err() {
            eprintln!("waiting for another run that uses {}", folder.display());
            file.lock()?;
        }
        Ok(file)
    }
}

fn cache_folder(var: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf> {
    if let Some(dir) = var("KGPU_CACHE") {
        if dir.is_relative() {
            bail!("KGPU_CACHE is {}: give an absolute path", dir.display());
        }
        return Ok(dir);
    }
    if let Some(dir) = var("XDG_CACHE_HOME").filter(|dir| dir.is_absolute()) {
        return Ok(dir.join("kgpu"));
    }
    let home = var("HOME").context("HOME is not set: set KGPU_CACHE to a folder for downloads")?;
    Ok(home.join(".cache/kgpu"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_with(vars: &[(&str, &str)]) -> Result<PathBuf> {
        cache_folder(|name| {
            vars.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| PathBuf::from(v))
        })
    }

    #[test]
    fn cache_prefers_its_own_variable() {
        let vars = [
            ("KGPU_CACHE", "/a"),
            ("XDG_CACHE_HOME", "/b"),
            ("HOME", "/c"),
        ];
        assert_eq!(cache_with(&vars).unwrap(), PathBuf::from("/a"));
        assert_eq!(cache_with(&vars[1..]).unwrap(), PathBuf::from("/b/kgpu"));
        assert_eq!(
            cache_with(&vars[2..]).unwrap(),
            PathBuf::from("/c/.cache/kgpu")
        );
    }

    #[test]
    fn cache_refuses_relative_and_missing() {
        assert!(cache_with(&[("KGPU_CACHE", "here")]).is_err());
        assert!(cache_with(&[]).is_err());
    }
}
