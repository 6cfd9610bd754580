//! The Debian packages that the builds and the virtual machines need.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// What is installed with apt where it is missing, with the reason.
const PACKAGES: &[(&str, &str)] = &[
    ("gcc", "linker of the host's Rust programs"),
    (
        "gcc-12",
        "compiler that Debian 12's kernels were built with",
    ),
    ("g++", "the fuzz targets' driver"),
    ("make", "Kbuild"),
    ("libc6-dev", "host programs"),
    ("libelf1", "objtool"),
    ("binutils", "ld and objdump for the module"),
    ("dwarves", "pahole, which Kbuild asks for"),
    (
        "debootstrap",
        "a folder of Debian 13, whose tools build modules for 7.x",
    ),
    (
        "debian-archive-keyring",
        "what is downloaded for that folder is signed with it",
    ),
    ("kmod", "depmod and modprobe for the guest's module tree"),
    ("patch", "our changes to the kernel's source"),
    ("xz-utils", "the newer kernels' modules are compressed"),
    (
        "rustc-web",
        "compiler of the module's Rust core and of the GPU's kernels",
    ),
    ("rust-web-src", "core and alloc built for their targets"),
    ("python3-pip", "fetches the GPU's assembler"),
    ("libgcrypt20", "peer that the ciphers are compared with"),
    ("libssl3", "peer that the ciphers are compared with"),
    ("qemu-system-x86", "virtual machines"),
    ("busybox-static", "the guest's small tools"),
    ("dash", "the guest's shell"),
    ("cryptsetup-bin", "guest: LUKS volumes"),
    ("dmsetup", "guest: dm-crypt tables"),
    ("fio", "guest: verified input and output"),
    ("e2fsprogs", "guest: ext4"),
    ("ecryptfs-utils", "guest: eCryptfs mounts"),
    ("keyutils", "guest: keyrings"),
    ("mount", "guest: mounts"),
    ("kcapi-tools", "guest: AF_ALG"),
    (
        "util-linux",
        "setpriv, here and in the guest; mounts that only a build sees",
    ),
];

/// What compiling a kernel needs beside [`PACKAGES`]; installed only by the command that does.
const FOR_KERNEL: &[(&str, &str)] = &[
    ("bc", "kernel build: clock constants"),
    ("bison", "kernel build: configuration"),
    ("flex", "kernel build: configuration"),
    ("libelf-dev", "kernel build: objtool"),
];

/// Names of `packages` that are not installed.
fn missing(packages: &[(&'static str, &str)]) -> Result<Vec<&'static str>> {
    // dpkg-query exits with 1 when a package is unknown but still lists the others.
    let mut query = Command::new("dpkg-query");
    query
        .args(["-W", "-f", "${Package} ${db:Status-Status}\n"])
        .args(packages.iter().map(|(name, _)| name));
    let Ok(answer) = query.output() else {
        bail!("dpkg-query is missing: kgpu's set-up needs a Debian 12 machine (amd64)");
    };
    let text = String::from_utf8_lossy(&answer.stdout);
    Ok(packages
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !text.lines().any(|l| l == format!("{name} installed")))
        .collect())
}

/// Installs what is missing; nothing to do is the usual case and instant.
pub fn ensure() -> Result<()> {
    install(PACKAGES)
}

/// Installs what compiling a kernel needs, too.
pub fn ensure_for_kernel() -> Result<()> {
    ensure()?;
    install(FOR_KERNEL)
}

fn install(packages: &[(&'static str, &str)]) -> Result<()> {
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !system.lines().any(|l| l == "VERSION_CODENAME=bookworm") {
        println!("note: this is not Debian 12, for which kgpu's set-up is made");
    }
    println!("missing packages:");
    for (name, why) in packages.iter().filter(|(name, _)| missing.contains(name)) {
        println!("  {name:18} {why}");
    }
    if !is_root()? {
        bail!(
            "not running as root; install them with\n  sudo apt-get install --no-install-recommends {}\nand run this again",
            missing.join(" ")
        );
    }
    shell::timed("apt-get update", || {
        shell::quiet(Command::new("apt-get").arg("update"))
    })?;
    shell::timed("apt-get install", || {
        shell::quiet(
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(["install", "-y", "--no-install-recommends"])
                .args(&missing),
        )
    })
}

/// Whether we run with root's user id.
pub fn is_root() -> Result<bool> {
    Ok(shell::output(Command::new("id").arg("-u"))?.trim() == "0")
}
