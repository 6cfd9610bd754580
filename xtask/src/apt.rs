//! Asking apt for packages without installing them, through this machine's lists or through a state of our own.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages::is_root;
use crate::paths::Paths;
use crate::shell;

/// Debian's keys.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Debian 13.
pub const CODENAME: &str = "trixie";

/// Where dpkg notes what is installed on this machine.
const INSTALLED: &str = "/var/lib/dpkg/status";

const NO_SOURCE: &str =
    "this machine has no Debian 12 package source to take a kernel from: add one to /etc/apt";

/// A set of package lists: the machine's, or ours in the cache folder.
#[derive(Debug, Clone, Default)]
pub struct View {
    options: Vec<String>,
}

impl View {
    /// The machine's own package lists.
    pub fn machine() -> Self {
        Self::default()
    }

    /// Lists in the cache folder from the machine's Debian sources plus the backports suite of each.
    ///
    /// Nothing below /etc or /var is touched, so this works without root.
    pub fn own(paths: &Paths) -> Result<Self> {
        let sources = with_backports(&targets()?, &signed());
        if sources.is_empty() {
            bail!("{NO_SOURCE}");
        }
        Self::private(&paths.cache.join("apt"), &sources, INSTALLED)
    }

    /// Lists in the cache folder of Debian 13's newer kernels, from the mirror that the machine uses.
    pub fn newest(paths: &Paths) -> Result<Self> {
        let source = format!("deb {}{} {CODENAME}-backports main\n", signed(), mirror()?);
        Self::private(&paths.cache.join("apt-13"), &source, INSTALLED)
    }

    /// Lists in the cache folder of all of Debian 13 with its newer packages, as a machine sees it that has nothing.
    pub fn complete(paths: &Paths) -> Result<Self> {
        let (signed, mirror) = (signed(), mirror()?);
        let source = format!(
            "deb {signed}{mirror} {CODENAME} main\ndeb {signed}{mirror} {CODENAME}-backports main\n"
        );
        Self::private(&paths.cache.join("apt-13-complete"), &source, "/dev/null")
    }

    /// Lists of `sources` with a state of their own in `dir`, and with what the file `installed` says is there.
    fn private(dir: &Path, sources: &str, installed: &str) -> Result<Self> {
        for sub in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(sub))?;
        }
        let list = dir.join("sources.list");
        fs::write(&list, sources)?;
        let view = Self {
            options: vec![
                format!("Dir::Etc::sourcelist={}", list.display()),
                "Dir::Etc::sourceparts=/dev/null".into(),
                format!("Dir::State={}", dir.join("state").display()),
                format!("Dir::State::status={installed}"),
                format!("Dir::Cache={}", dir.join("cache").display()),
            ],
        };
        shell::timed("package lists (own state)", || {
            shell::quiet(view.apt("apt-get")?.arg("update"))
        })?;
        Ok(view)
    }

    /// Known package names that start with `prefix`.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let text = shell::output(self.apt("apt-cache")?.args(["pkgnames", prefix]))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Whether a version of `package` can be downloaded. Names alone may be mere references: a kernel's headers come
    /// some hours before its signed image, whose name they mention, and of a name `apt-cache show` fails in nothing.
    pub fn has(&self, package: &str) -> Result<bool> {
        let shown = self.apt("apt-cache")?.args(["show", package]).output()?;
        Ok(shown.status.success() && !shown.stdout.is_empty())
    }

    /// Direct dependencies of `package` that start with `prefix`.
    pub fn depends(&self, package: &str, prefix: &str) -> Result<Vec<String>> {
        let text = shell::output(self.apt("apt-cache")?.args(["depends", package]))?;
        Ok(text
            .lines()
            .filter_map(|l| l.trim().strip_prefix("Depends: "))
            .filter(|d| d.starts_with(prefix))
            .map(str::to_owned)
            .collect())
    }

    /// Downloads `packages` as files into `dir`.
    pub fn download(&self, dir: &Path, packages: &[String]) -> Result<()> {
        shell::quiet(
            self.apt("apt-get")?
                .current_dir(dir)
                .arg("download")
                .args(packages),
        )
        .context("a package could not be downloaded: check the network and run `apt-get update`")
    }

    /// Downloads the newest `package` as files into `dir`, with all that it depends on and that is not there.
    pub fn download_all(&self, dir: &Path, package: &str) -> Result<()> {
        shell::quiet(
            self.apt("apt-get")?
                .args(["install", "--download-only", "--no-install-recommends"])
                .args(["--yes", "--quiet", "--target-release"])
                .arg(format!("{CODENAME}-backports"))
                // The folder and the state are ours alone.
                .args(["-o", "Debug::NoLocking=1", "-o"])
                .arg(format!("Dir::Cache::archives={}", dir.display()))
                .arg(package),
        )
        .context("a package could not be downloaded: check the network")
    }

    fn apt(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C");
        for option in &self.options {
            command.args(["-o", option]);
        }
        if is_root()? {
            // The sandbox user may not enter the cache folder.
            command.args(["-o", "APT::Sandbox::User=root"]);
        }
        Ok(command)
    }
}

/// The mirror from which this machine takes its Debian packages.
pub fn mirror() -> Result<String> {
    mirror_of(&targets()?).context(NO_SOURCE)
}

/// This machine's package sources, each a line of address, suite and component.
fn targets() -> Result<String> {
    shell::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
    ]))
}

fn mirror_of(targets: &str) -> Option<String> {
    targets.lines().find_map(
        |line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [uri, "bookworm" | CODENAME, "main"] => Some(uri.to_owned()),
            _ => None,
        },
    )
}

/// The option of a one-line source that names Debian's keys, where they are.
fn signed() -> String {
    if Path::new(KEYRING).exists() {
        format!("[signed-by={KEYRING}] ")
    } else {
        String::new()
    }
}

/// One-line sources for every Debian 12 suite in `targets`, with its backports beside it.
fn with_backports(targets: &str, signed: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for target in targets.lines() {
        let [uri, suite, component] = target.split_whitespace().collect::<Vec<_>>()[..] else {
            continue;
        };
        if component != "main" || !suite.starts_with("bookworm") {
            continue;
        }
        lines.push(format!("deb {signed}{uri} {suite} main"));
        if suite == "bookworm" {
            lines.push(format!("deb {signed}{uri} bookworm-backports main"));
        }
    }
    lines.sort();
    lines.dedup();
    lines.iter().map(|l| format!("{l}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_release_itself() {
        let targets = "http://other.invalid/ nodistro main\n\
                       http://sec.invalid/debian/ bookworm-security main\n\
                       http://mirror.invalid/debian/ bookworm contrib\n\
                       http://mirror.invalid/debian/ bookworm main\n";
        let found = mirror_of(targets);
        assert_eq!(found.as_deref(), Some("http://mirror.invalid/debian/"));
        assert_eq!(mirror_of("http://other.invalid/ nodistro main\n"), None);
    }

    #[test]
    fn backports_use_the_same_mirror() {
        let targets = "http://mirror.invalid/debian/ bookworm main\n\
                       http://mirror.invalid/debian/ bookworm main\n\
                       http://mirror.invalid/sec/ bookworm-security main\n\
                       http://other.invalid/ nodistro main\n";
        assert_eq!(
            with_backports(targets, ""),
            "deb http://mirror.invalid/debian/ bookworm main\n\
             deb http://mirror.invalid/debian/ bookworm-backports main\n\
             deb http://mirror.invalid/sec/ bookworm-security main\n"
        );
    }
}
