//! The kernels that guests run: Debian's stock ones, unpacked into the cache folder and never installed, and our own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::apt::View;
use crate::kernel;
use crate::paths::Paths;
use crate::shell;

/// Changes when the layout of an unpacked kernel does, so that an old cache is not misread.
const LAYOUT: u32 = 1;

/// A kernel that guests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Series {
    /// Debian 12's own kernel.
    #[value(name = "6.1")]
    V6_1,
    /// The newer kernel that Debian 12 offers beside it.
    #[value(name = "6.12")]
    V6_12,
    /// The newest kernel that Debian 13 offers.
    #[value(name = "7", alias = "7.x")]
    V7,
    /// The newer kernel with KASAN and its like, built here: see `cargo xtask kernel`.
    Sanitizer,
    /// User-Mode Linux, built here: a program that needs no QEMU.
    Uml,
}

/// One kernel or all stock ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KernelChoice {
    /// Debian 12's own kernel.
    #[value(name = "6.1")]
    V6_1,
    /// The newer kernel that Debian 12 offers beside it.
    #[value(name = "6.12")]
    V6_12,
    /// The newest kernel that Debian 13 offers.
    #[value(name = "7", alias = "7.x")]
    V7,
    /// The one with KASAN and its like, built here.
    Sanitizer,
    /// User-Mode Linux, built here.
    Uml,
    /// The stock ones.
    All,
}

impl Series {
    /// Every kernel of the distribution that kgpu supports, oldest first.
    pub const STOCK: &[Self] = &[Self::V6_1, Self::V6_12, Self::V7];

    /// The series as Debian writes it, or our kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::V7 => "7",
            Self::Sanitizer => "sanitizer",
            Self::Uml => "uml",
        }
    }
}

/// An unpacked kernel.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its full release, as `uname -r` prints it.
    pub version: String,
    /// The folder that holds `boot`, `lib` and `usr`.
    pub dir: PathBuf,
}

impl Image {
    /// The bootable kernel; of User-Mode Linux, the program.
    pub fn bootable(&self) -> PathBuf {
        let name = if self.is_uml() { "linux" } else { "vmlinuz" };
        self.dir.join(format!("boot/{name}-{}", self.version))
    }

    /// Whether it is a program of this machine rather than a kernel for one.
    pub fn is_uml(&self) -> bool {
        let program = format!("boot/linux-{}", self.version);
        self.dir.join(program).exists()
    }

    /// The build folder for modules (Kbuild's `-C`).
    pub fn kdir(&self) -> PathBuf {
        self.dir
            .join(format!("usr/src/linux-headers-{}", self.version))
    }

    /// Whether its build tools need Debian 13's libraries, and its modules that compiler.
    pub fn is_debian13(&self) -> bool {
        self.version.contains("+deb13")
    }

    /// Whether it watches memory with KASAN, so that our modules are to be instrumented for it.
    pub fn has_kasan(&self) -> Result<bool> {
        let config = self.kdir().join(".config");
        let text = fs::read_to_string(&config)
            .with_context(|| format!("cannot read {}", config.display()))?;
        Ok(text.lines().any(|line| line == "CONFIG_KASAN=y"))
    }

    /// Opens a complete folder; none if there is no such.
    pub fn open(dir: &Path) -> Option<Self> {
        let version = fs::read_to_string(dir.join("version"))
            .ok()?
            .trim()
            .to_owned();
        Some(Self {
            version,
            dir: dir.to_path_buf(),
        })
    }
}

/// Returns the kernel from the cache, downloading it first where it is missing or a refresh is asked for.
///
/// Our own is built instead, and again only when its configuration changed.
pub fn ensure(paths: &Paths, series: Series, refresh: bool, own_state: bool) -> Result<Image> {
    match series {
        Series::Sanitizer => return kernel::ensure(paths, kernel::SANITIZER),
        Series::Uml => return kernel::ensure(paths, kernel::UML),
        _ => {}
    }
    let dir = paths
        .cache
        .join(format!("kernel-{}-v{LAYOUT}", series.name()));
    if let Some(image) = Image::open(&dir).filter(|_| !refresh) {
        return Ok(image);
    }
    paths.ensure_cache()?;
    let _lock = Paths::lock(&paths.cache.join("locks"))?;
    if let Some(image) = Image::open(&dir).filter(|_| !refresh) {
        return Ok(image);
    }
    let (view, release) = find(paths, series, own_state)?;
    let fresh = paths.cache.join(format!("part-{}", series.name()));
    remove(&fresh)?;
    shell::timed(
        &format!("kernel {} ({release}): download and unpack", series.name()),
        || unpack(&view, &release, &fresh),
    )?;
    // The folder appears under its name only when complete, so an interrupted run leaves none.
    let old = paths.cache.join(format!("old-{}", series.name()));
    remove(&old)?;
    if dir.exists() {
        fs::rename(&dir, &old)?;
    }
    fs::rename(&fresh, &dir)?;
    remove(&old)?;
    Image::open(&dir).context("the unpacked kernel cannot be read back")
}

/// Removes a folder, if it is there.
pub fn remove(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}

/// The newest release of `series`, from this machine's lists or else from our own.
fn find(paths: &Paths, series: Series, own_state: bool) -> Result<(View, String)> {
    if !own_state {
        let machine = View::machine();
        if let Some(release) = newest(&machine, series)? {
            return Ok((machine, release));
        }
        println!(
            "kernel {} is not in this machine's package lists: looking in its Debian mirror's other suites",
            series.name()
        );
    }
    let (own, suites) = match series {
        Series::V7 => (View::newest(paths)?, "trixie-backports"),
        _ => (View::own(paths)?, "bookworm-security or bookworm-backports"),
    };
    match newest(&own, series)? {
        Some(release) => Ok((own, release)),
        None => bail!(
            "no stock {} kernel with headers in the suites {suites} of this machine's Debian mirror: check /etc/apt",
            series.name()
        ),
    }
}

fn newest(view: &View, series: Series) -> Result<Option<String>> {
    let prefix = "linux-headers-";
    let names = view.names(&format!("{prefix}{}.", series.name()))?;
    let mut releases: Vec<&str> = names
        .iter()
        .filter_map(|n| n.strip_prefix(prefix))
        .filter(|r| is_plain_release(r))
        .collect();
    releases.sort_by_key(|r| std::cmp::Reverse(numbers(r)));
    for release in releases {
        if view.has(&format!("linux-image-{release}"))?
            && view.has(&format!("{prefix}{release}"))?
        {
            return Ok(Some(release.to_owned()));
        }
    }
    Ok(None)
}

/// Whether a release is the ordinary amd64 flavour (not cloud or real-time).
fn is_plain_release(release: &str) -> bool {
    release
        .strip_suffix("-amd64")
        .is_some_and(|r| !r.contains("cloud") && !r.contains("rt"))
}

/// The numbers in a release, for comparing.
fn numbers(release: &str) -> Vec<u64> {
    release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect()
}

fn unpack(view: &View, release: &str, dir: &Path) -> Result<()> {
    let (image, headers) = (
        format!("linux-image-{release}"),
        format!("linux-headers-{release}"),
    );
    let mut packages = vec![image.clone(), headers.clone()];
    packages.extend(view.depends(&headers, "linux-headers-")?);
    packages.extend(view.depends(&headers, "linux-kbuild-")?);
    // Of a 7.x kernel the image package is but these.
    for part in ["linux-binary-", "linux-modules-", "linux-base-"] {
        packages.extend(view.depends(&image, part)?);
    }
    let debs = dir.join("debs");
    fs::create_dir_all(&debs)?;
    view.download(&debs, &packages)?;
    for deb in fs::read_dir(&debs)? {
        shell::quiet(Command::new("dpkg").arg("-x").arg(deb?.path()).arg(dir))?;
    }
    fs::remove_dir_all(&debs)?;
    lay_out(dir, release)?;
    make_relocatable(&dir.join("usr/src").join(&headers).join("Makefile"))?;
    shell::quiet(Command::new("depmod").arg("-b").arg(dir).arg(release))?;
    let vmlinuz = dir.join(format!("boot/vmlinuz-{release}"));
    if !vmlinuz.exists() {
        bail!("package {image} holds no boot/vmlinuz-{release}, nor do those it depends on");
    }
    fs::write(dir.join("version"), format!("{release}\n"))?;
    Ok(())
}

/// Gives a 7.x kernel, which has all below `usr/lib/modules`, the places of the older ones.
fn lay_out(dir: &Path, release: &str) -> Result<()> {
    let lib = dir.join("lib");
    if !lib.exists() {
        symlink("usr/lib", &lib)?;
    }
    let vmlinuz = lib.join(format!("modules/{release}/vmlinuz"));
    if vmlinuz.exists() {
        fs::create_dir_all(dir.join("boot"))?;
        fs::rename(&vmlinuz, dir.join(format!("boot/vmlinuz-{release}")))?;
    }
    Ok(())
}

/// Debian's header folder names itself and its common part by absolute paths: make them relative to the file itself.
fn make_relocatable(makefile: &Path) -> Result<()> {
    let text = fs::read_to_string(makefile)
        .with_context(|| format!("cannot read {}", makefile.display()))?;
    let beside = "$(dir $(realpath $(lastword $(MAKEFILE_LIST))))../";
    let fixed = text
        .replace("include /usr/src/", &format!("include {beside}"))
        // Read at once: the list grows with each file included.
        .replace(
            "KBUILD_OUTPUT=/usr/src/",
            &format!("KBUILD_OUTPUT:={beside}"),
        );
    if fixed == text || fixed.contains("/usr/src/") {
        bail!(
            "{} does not look as expected: teach xtask/src/images.rs its new form",
            makefile.display()
        );
    }
    // A new file: the packages' files may be read-only.
    fs::remove_file(makefile)?;
    fs::write(makefile, fixed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_by_number() {
        let mut all = [
            "6.12.9+deb12-amd64",
            "6.12.117+deb12-amd64",
            "6.12.100+deb12-amd64",
        ];
        all.sort_by_key(|r| numbers(r));
        assert_eq!(all[2], "6.12.117+deb12-amd64");
        assert!(numbers("6.1.0-56-amd64") > numbers("6.1.0-9-amd64"));
    }

    #[test]
    fn other_flavours_are_not_taken() {
        assert!(is_plain_release("6.1.0-56-amd64"));
        assert!(!is_plain_release("6.1.0-56-rt-amd64"));
        assert!(!is_plain_release("6.12.117+deb12-cloud-amd64"));
        assert!(!is_plain_release("6.12.117+deb12-common"));
        assert!(is_plain_release("7.3.4+deb13-amd64"));
        assert!(!is_plain_release("7.3.4+deb13-rt-amd64"));
    }
}
