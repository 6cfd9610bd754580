//! A system of Debian 13 in the cache folder: the tools that modules for 7.x kernels are built with.
//!
//! It is entered by chroot alone, in name spaces of its own, so that no mount outlives a build or is seen by others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::images;
use crate::packages;
use crate::paths::Paths;
use crate::shell;

/// What is installed beside the base system, with the reason. After a change the folder is made anew.
const PACKAGES: &[(&str, &str)] = &[
    ("make", "Kbuild"),
    (
        "gcc-14",
        "compiler that Debian 13's kernels were built with",
    ),
    ("libelf1t64", "objtool"),
    ("libssl3t64", "Kbuild's own programs"),
    ("pahole", "Kbuild asks for it"),
];

/// Holds the names of the packages that the folder was made with.
const LIST: &str = "etc/kgpu-packages";

/// Mounts what is asked for below the folder `$1`, then runs the rest there.
const ENTER: &str = r#"
root=$1
shift
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do
	mount -o "$3" "$1" "$root$2"
	shift 3
done
shift
exec chroot "$root" "$@"
"#;

/// The folder, complete.
#[derive(Debug, Clone)]
pub struct Folder {
    dir: PathBuf,
}

/// A folder of this machine, as a program in the other system sees it.
#[derive(Debug)]
pub struct Bind<'a> {
    /// Its place on this machine.
    pub what: &'a Path,
    /// Its place there.
    pub place: &'a str,
    /// Whether the program may change it.
    pub writable: bool,
}

impl Folder {
    /// Returns the folder from the cache, made first where it is missing or lacks a package.
    pub fn ensure(paths: &Paths) -> Result<Self> {
        if !packages::is_root()? {
            bail!(
                "not running as root: modules for 7.x are built with Debian 13's tools, in a folder that only root can make and enter"
            );
        }
        let names: Vec<&str> = PACKAGES.iter().map(|(name, _)| *name).collect();
        let list = format!("{}\n", names.join("\n"));
        let dir = paths.cache.join("debian-13");
        let is_there = || fs::read_to_string(dir.join(LIST)).is_ok_and(|made| made == list);
        if !is_there() {
            paths.ensure_cache()?;
            let _lock = Paths::lock(&paths.cache.join("locks"))?;
            if !is_there() {
                let fresh = paths.cache.join("part-debian-13");
                images::remove(&fresh)?;
                shell::timed("tools of Debian 13: download and unpack", || {
                    install(&fresh, &names)
                })?;
                fs::write(fresh.join(LIST), &list)?;
                // Under its name only when complete, so that an interrupted run leaves none.
                images::remove(&dir)?;
                fs::rename(&fresh, &dir)?;
            }
        }
        Ok(Self { dir })
    }

    /// A command that runs `program` in the folder with nothing else of this machine in sight than `binds`.
    pub fn command(&self, binds: &[Bind<'_>], program: &str) -> Result<Command> {
        let mut command = alone();
        command.args(["sh", "-euc", ENTER, "sh"]).arg(&self.dir);
        for bind in binds {
            let place = self.dir.join(bind.place.trim_start_matches('/'));
            fs::create_dir_all(&place)
                .with_context(|| format!("cannot make {}", place.display()))?;
            command
                .arg(bind.what)
                .arg(bind.place)
                .arg(if bind.writable { "bind" } else { "bind,ro" });
        }
        command.args(["--", program]);
        Ok(command)
    }
}

/// A command line for a program in name spaces of its own, to be added: with it go its mounts and its processes.
fn alone() -> Command {
    let mut command = Command::new("unshare");
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .args(["--mount", "--propagation", "private"])
        .args(["--pid", "--fork", "--kill-child"]);
    command
}

/// Installs the base system and `names` in `dir`, from this machine's own mirror; what is not signed by Debian is refused.
fn install(dir: &Path, names: &[&str]) -> Result<()> {
    shell::quiet(
        alone()
            .args(["debootstrap", "--force-check-gpg", "--variant=minbase"])
            .arg(format!("--keyring={}", apt::KEYRING))
            .arg(format!("--include={}", names.join(",")))
            .arg(apt::CODENAME)
            .arg(dir)
            .arg(apt::mirror()?),
    )
    .context("Debian 13's tools could not be installed: check the network")?;
    // Downloads and lists: two thirds of what the rest takes.
    for left in ["var/cache/apt/archives", "var/lib/apt/lists"] {
        images::remove(&dir.join(left))?;
    }
    Ok(())
}
