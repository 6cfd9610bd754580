//! Building the guest's initramfs: tools with their libraries, kernel modules, our modules, scripts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::contents::{
    KMOD_NAMES, LIBRARIES, MODULES, OPTIONAL_MODULES, PROGRAMS, WORKSPACE_PROGRAMS, stock_drivers,
};
use super::cpio::Tree;
use crate::images::Image;
use crate::kmod::Modules;
use crate::paths::Paths;
use crate::shell;

/// Builds the initramfs for `image` with `modules`, and `files` at their places, and writes it to `out`; `work` is
/// scratch space.
pub fn build(
    paths: &Paths,
    image: &Image,
    modules: &Modules,
    programs: &[PathBuf],
    files: &[(PathBuf, &str)],
    work: &Path,
    out: &Path,
) -> Result<()> {
    let mut tree = Tree::default();
    skeleton(&mut tree);
    let mut libraries: BTreeSet<PathBuf> = LIBRARIES.iter().map(PathBuf::from).collect();
    for program in PROGRAMS
        .iter()
        .map(Path::new)
        .chain(programs.iter().map(PathBuf::as_path))
    {
        let name = program
            .file_name()
            .context("a guest program has no name")?
            .to_string_lossy();
        // Those of the machine keep their path, ours go to /usr/bin.
        let place = if program.starts_with("/usr/bin") || program.starts_with("/usr/sbin") {
            program.to_string_lossy().into_owned()
        } else {
            format!("/usr/bin/{name}")
        };
        tree.copy(program, &place)?;
        libraries.extend(shared_libraries(program)?);
    }
    for library in LIBRARIES {
        libraries.extend(shared_libraries(Path::new(library))?);
    }
    for library in &libraries {
        tree.copy(library, &merged(&library.to_string_lossy()))?;
    }
    tools(&mut tree)?;
    let stock = stock_drivers(&paths.root.join("algos"))?;
    let module_root = module_tree(image, modules, &stock, &work.join("modules"))?;
    let place = format!("/usr/lib/modules/{}", image.version);
    tree.copy_all(&module_root, &place)?;
    for (file, place) in files {
        tree.copy(file, place)?;
    }
    scripts(&mut tree, &paths.root.join("xtask/guest"))?;
    fs::write(out, tree.archive()?).with_context(|| format!("cannot write {}", out.display()))
}

/// Folders, links and small files that the tools expect.
fn skeleton(tree: &mut Tree) {
    for dir in [
        "/proc",
        "/sys",
        "/dev",
        "/run",
        "/mnt",
        "/root",
        "/etc",
        "/usr/bin",
        "/usr/sbin",
        "/usr/lib",
        "/usr/lib64",
        "/var/lib",
    ] {
        tree.dir(dir, 0o755);
    }
    tree.dir("/tmp", 0o1777);
    for dir in ["bin", "sbin", "lib", "lib64"] {
        tree.link(&format!("/{dir}"), &format!("usr/{dir}"));
    }
    tree.link("/var/run", "../run");
    tree.char_device("/dev/console", 5, 1);
    tree.char_device("/dev/null", 1, 3);
    tree.link("/etc/mtab", "/proc/mounts");
    let files = [
        (
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n",
        ),
        ("/etc/group", "root:x:0:\nuser:x:1000:\n"),
        ("/etc/nsswitch.conf", "passwd: files\ngroup: files\n"),
        // The kernel asks for ciphers by alias already at boot: our module comes when a suite loads it by name.
        ("/etc/modprobe.d/kgpu.conf", "blacklist kgpu\n"),
    ];
    for (path, text) in files {
        tree.file(path, text.as_bytes().to_vec(), 0o644);
    }
}

/// Busybox for every applet that no real program provides.
fn tools(tree: &mut Tree) -> Result<()> {
    for name in KMOD_NAMES {
        tree.link(&format!("/usr/sbin/{name}"), "../bin/kmod");
    }
    // Not busybox's shell: that one runs its own applets before the programs in PATH.
    tree.link("/usr/bin/sh", "dash");
    tree.copy(Path::new("/usr/bin/busybox"), "/usr/bin/busybox")?;
    for applet in shell::output(Command::new("/usr/bin/busybox").arg("--list"))?.lines() {
        let taken = ["bin", "sbin"]
            .iter()
            .any(|dir| tree.has(&format!("/usr/{dir}/{applet}")));
        if !taken {
            tree.link(&format!("/usr/bin/{applet}"), "busybox");
        }
    }
    Ok(())
}

/// The libraries that the dynamic linker would load for `program`.
fn shared_libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let listing = Command::new("ldd")
        .env_remove("LD_LIBRARY_PATH")
        .arg(program)
        .output()
        .context("cannot start `ldd`")?;
    let text = String::from_utf8_lossy(&listing.stdout).into_owned();
    if let Some(line) = text.lines().find(|l| l.contains("not found")) {
        bail!(
            "{} needs a library that is not installed: {}",
            program.display(),
            line.trim()
        );
    }
    Ok(library_paths(&text))
}

fn library_paths(listing: &str) -> Vec<PathBuf> {
    listing
        .split_whitespace()
        .filter(|word| word.starts_with('/') && word.contains(".so"))
        .map(PathBuf::from)
        .collect()
}

/// The path below /usr, as the guest has no separate /lib.
fn merged(path: &str) -> String {
    if path.starts_with("/usr/") {
        path.to_owned()
    } else {
        format!("/usr{path}")
    }
}

/// Lays out the modules decompressed with their index, so that modprobe and the kernel's own loading work.
fn module_tree(
    image: &Image,
    ours: &Modules,
    stock: &BTreeSet<String>,
    work: &Path,
) -> Result<PathBuf> {
    if work.exists() {
        fs::remove_dir_all(work)?;
    }
    let root = work.join("lib/modules").join(&image.version);
    fs::create_dir_all(&root)?;
    let source = image.dir.join("lib/modules").join(&image.version);
    for name in [
        "modules.builtin",
        "modules.builtin.modinfo",
        "modules.order",
    ] {
        fs::copy(source.join(name), root.join(name))
            .with_context(|| format!("kernel {} has no {name}", image.version))?;
    }
    for file in with_dependencies(image, stock)? {
        let relative = file
            .strip_prefix(&source)
            .with_context(|| format!("{} lies outside the kernel", file.display()))?;
        let to = root.join(relative.with_extension("")).with_extension("ko");
        let to = if relative.extension().is_some_and(|e| e == "ko") {
            root.join(relative)
        } else {
            to
        };
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        match relative.extension().and_then(|e| e.to_str()) {
            Some("xz") => fs::write(&to, decompressed(&file)?)?,
            Some("ko") => fs::copy(&file, &to).map(drop)?,
            _ => bail!("unknown module compression: {}", file.display()),
        }
    }
    let updates = root.join("updates");
    fs::create_dir_all(&updates)?;
    for file in ours.files()? {
        let name = file.file_name().context("a module has no name")?;
        fs::copy(&file, updates.join(name))
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    shell::quiet(
        Command::new("depmod")
            .arg("-b")
            .arg(work)
            .arg(&image.version),
    )?;
    Ok(root)
}

/// The files of all [`MODULES`], of those [`OPTIONAL_MODULES`] that the kernel has, of the ciphers' `stock` drivers, and
/// what they need, each once.
fn with_dependencies(image: &Image, stock: &BTreeSet<String>) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let stock = stock.iter().map(String::as_str);
    let depends = |module| {
        let mut command = Command::new("modprobe");
        command
            .arg("-d")
            .arg(&image.dir)
            .args(["-S", &image.version, "--show-depends", module]);
        command
    };
    let optional = OPTIONAL_MODULES.iter().copied();
    let optional = optional.filter(|module| shell::succeeds(&mut depends(module)));
    for module in MODULES.iter().copied().chain(stock).chain(optional) {
        let listing = shell::output(&mut depends(module)).with_context(|| {
            format!(
                "kernel {} has no module {module}: see xtask/src/vm/contents.rs",
                image.version
            )
        })?;
        // Lines are `insmod PATH` or `builtin NAME`.
        files.extend(
            listing
                .lines()
                .filter_map(|l| l.strip_prefix("insmod "))
                .map(|p| PathBuf::from(p.trim())),
        );
    }
    Ok(files)
}

fn decompressed(file: &Path) -> Result<Vec<u8>> {
    let run = Command::new("xz")
        .arg("-dc")
        .arg(file)
        .output()
        .context("cannot start `xz`: run `cargo xtask setup`")?;
    if !run.status.success() {
        bail!(
            "xz cannot read {}: delete the cache folder's kernel and run `cargo xtask setup`",
            file.display()
        );
    }
    Ok(run.stdout)
}

/// `init` at the root; the shared scripts and the suites, which are all `*.sh`, in one folder.
fn scripts(tree: &mut Tree, guest: &Path) -> Result<()> {
    tree.copy(&guest.join("init"), "/init")?;
    for dir in [guest.to_path_buf(), guest.join("suites")] {
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "sh") {
                let name = path
                    .file_name()
                    .context("a script has no name")?
                    .to_string_lossy();
                tree.copy(&path, &format!("/suite/{name}"))?;
            }
        }
    }
    Ok(())
}

/// Builds the workspace's guest programs in release mode and returns their paths.
pub fn workspace_programs(paths: &Paths) -> Result<Vec<PathBuf>> {
    // Each by itself: built together, the helper would get the features that test programs ask for.
    shell::timed("guest programs", || {
        WORKSPACE_PROGRAMS.iter().try_for_each(|(package, binary)| {
            let mut command = shell::cargo(&paths.root);
            command
                .env("CARGO_TARGET_DIR", &paths.target)
                .args(["build", "--release", "--quiet"])
                .args(["-p", package, "--bin", binary]);
            shell::quiet(&mut command)
        })
    })?;
    let release = paths.target.join("release");
    Ok(WORKSPACE_PROGRAMS
        .iter()
        .map(|(_, binary)| release.join(binary))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_the_linker_listing() {
        let listing = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x0)\n";
        let expected = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ]
        .map(PathBuf::from);
        assert_eq!(library_paths(listing), expected);
        assert_eq!(
            merged("/lib64/ld-linux-x86-64.so.2"),
            "/usr/lib64/ld-linux-x86-64.so.2"
        );
        assert_eq!(merged("/usr/lib/x.so"), "/usr/lib/x.so");
    }
}
