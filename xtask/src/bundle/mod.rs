//! `cargo xtask bundle`: a folder that verifies and benchmarks kgpu on a host that has a GPU's driver and
//! no Rust, and an archive of it.

mod contents;
mod elf;
mod guest;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::paths::Paths;
use crate::shell;
use contents::{GLIBC, GUEST_LIMIT, HOST_LIBRARIES, ITEMS, LIMIT, Source};

/// Builds the bundle and its archive, checks both, and says where they are.
pub fn run(paths: &Paths) -> Result<()> {
    let work = paths.target.join("bundle");
    let _lock = Paths::lock(&work)?;
    build(paths)?;
    let name = format!("kgpu-bundle-{}", env!("CARGO_PKG_VERSION"));
    let folder = work.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    for item in ITEMS {
        let to = folder.join(item.to);
        fetch(paths, item.from, &to, &folder)
            .with_context(|| format!("{} of the bundle", item.to))?;
        let mode = if item.runs { 0o755 } else { 0o644 };
        fs::set_permissions(&to, fs::Permissions::from_mode(mode))?;
    }
    crates(paths, &folder.join("licences/crates"))?;
    if !guest::add(paths, &folder)? {
        println!(
            "without a guest: `cargo xtask kernel uml` builds its kernel, which is not in the cache"
        );
    }
    check_needs(&folder)?;
    let bytes = check_size(&folder)?;
    let archive = work.join(format!("{name}.tar.gz"));
    pack(&work, &name, &archive)?;
    let packed = fs::metadata(&archive)?.len();
    println!(
        "bundle: {} ({} KiB)",
        folder.display(),
        bytes.div_ceil(1024)
    );
    println!(
        "archive: {} ({} KiB)",
        archive.display(),
        packed.div_ceil(1024)
    );
    Ok(())
}

/// Builds the programs, each by itself: built together, the helper would get the features that test programs ask for.
fn build(paths: &Paths) -> Result<()> {
    let programs = ITEMS.iter().filter_map(|item| match item.from {
        Source::Program(package, binary) => Some((package, binary)),
        _ => None,
    });
    shell::timed("programs of the bundle", || {
        for (package, binary) in programs {
            let mut command = shell::cargo(&paths.root);
            command.env("CARGO_TARGET_DIR", &paths.target);
            command.args(["build", "--release", "--locked", "--quiet"]);
            shell::quiet(command.args(["-p", package, "--bin", binary]))?;
        }
        Ok(())
    })
}

/// Builds tests, in release mode; returns their program.
fn tests(paths: &Paths, package: &str, name: &str) -> Result<PathBuf> {
    let mut command = shell::cargo(&paths.root);
    command.env("CARGO_TARGET_DIR", &paths.target).args([
        "test",
        "--release",
        "--locked",
        "--no-run",
        "--message-format",
        "json",
        "-p",
        package,
        "--test",
        name,
    ]);
    let said = shell::timed("tests of the bundle", || shell::output(&mut command))?;
    said.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .with_context(|| format!("cargo names no program of the tests `{name}` of {package}"))
}

/// A program without what only debuggers need.
fn strip(built: &Path, to: &Path) -> Result<()> {
    shell::quiet(Command::new("strip").arg("-o").arg(to).arg(built))
}

/// Puts one file into its place.
fn fetch(paths: &Paths, from: Source, to: &Path, folder: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    match from {
        Source::Program(_, binary) => strip(&paths.target.join("release").join(binary), to),
        Source::Tests(package, name) => strip(&tests(paths, package, name)?, to),
        Source::Repository(path) => copy(&paths.root.join(path), to),
        Source::Debian(path, package) => {
            copy(Path::new(path), to).with_context(|| {
                format!("install the package: apt-get install --no-install-recommends {package}")
            })?;
            let copyright = PathBuf::from(format!("/usr/share/doc/{package}/copyright"));
            let licence = folder.join("licences").join(package);
            fs::create_dir_all(folder.join("licences"))?;
            copy(&copyright, &licence)
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// Writes what the programs were built of: each crate with its licence.
fn crates(paths: &Paths, to: &Path) -> Result<()> {
    let mut text =
        String::from("Crates that the programs here were built of, with their licences.\n\n");
    for item in ITEMS {
        let (package, edges) = match item.from {
            Source::Program(package, _) => (package, "normal"),
            Source::Tests(package, _) => (package, "normal,dev"),
            Source::Repository(_) | Source::Debian(..) => continue,
        };
        let listing = shell::output(shell::cargo(&paths.root).args([
            "tree", "--locked", "-p", package, "-e", edges, "--prefix", "none", "--format",
            "{p}  {l}",
        ]))?;
        let mut lines: Vec<String> = listing.lines().filter_map(crate_line).collect();
        lines.sort();
        lines.dedup();
        text += &format!("{}:\n{}\n", item.to, lines.join("\n"));
    }
    fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))
}

/// A crate of cargo's listing without where it lies; nothing for a line that repeats an earlier one.
fn crate_line(line: &str) -> Option<String> {
    let (what, licence) = line.split_once("  ")?;
    let what = what.split(" (").next().unwrap_or(what);
    let licence = licence.trim_end_matches("(*)").trim();
    Some(format!("  {what}  {licence}"))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Refuses a bundle that needs what a host may not have.
fn check_needs(folder: &Path) -> Result<()> {
    let files = files(folder)?;
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let own: Vec<String> = files.iter().map(|file| name(file)).collect();
    let mut newest = (0, 0);
    for file in &files {
        if !fs::read(file)?.starts_with(b"\x7fELF") {
            continue;
        }
        let needs = elf::needs(file)?;
        for library in &needs.libraries {
            if !own.contains(library) && !HOST_LIBRARIES.contains(&library.as_str()) {
                bail!(
                    "{} needs {library}, which a host may not have: add it to xtask/src/bundle/contents.rs",
                    file.display()
                );
            }
        }
        newest = needs.glibc.max(newest);
        if needs.glibc > GLIBC {
            bail!(
                "{} needs the GNU C library {}.{}: build the bundle on Debian 12, which has {}.{}",
                file.display(),
                needs.glibc.0,
                needs.glibc.1,
                GLIBC.0,
                GLIBC.1
            );
        }
    }
    println!(
        "runs on hosts with the GNU C library {}.{} or newer",
        newest.0, newest.1
    );
    Ok(())
}

/// Refuses a bundle that is too large. The result is its bytes.
fn check_size(folder: &Path) -> Result<u64> {
    let (mut bytes, mut guest) = (0, 0);
    for file in files(folder)? {
        let size = fs::metadata(&file)?.len();
        if file.starts_with(folder.join(guest::FOLDER)) {
            guest += size;
        } else {
            bytes += size;
        }
    }
    for (what, bytes, limit) in [
        ("bundle", bytes, LIMIT),
        ("bundle's guest", guest, GUEST_LIMIT),
    ] {
        if bytes >= limit {
            bail!(
                "the {what} has {} KiB; it must stay below {} KiB",
                bytes / 1024,
                limit / 1024
            );
        }
    }
    Ok(bytes + guest)
}

/// Packs the folder; the same files make the same archive.
fn pack(work: &Path, name: &str, archive: &Path) -> Result<()> {
    shell::quiet(
        Command::new("tar")
            .current_dir(work)
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
            .args(["--mtime=@0", "-czf"])
            .arg(archive)
            .arg(name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_listed_without_their_places() {
        let line = crate_line("kgpu-core v0.1.0 (/some/where/kgpu-core)  MIT OR Apache-2.0 (*)");
        assert_eq!(line.unwrap(), "  kgpu-core v0.1.0  MIT OR Apache-2.0");
        let line = crate_line("serde_derive v1.0.0 (proc-macro)  MIT");
        assert_eq!(line.unwrap(), "  serde_derive v1.0.0  MIT");
        assert_eq!(crate_line(""), None);
    }

    #[test]
    fn places_in_the_bundle_are_distinct_and_inside() {
        for (i, item) in ITEMS.iter().enumerate() {
            assert!(
                !item.to.starts_with('/') && !item.to.contains(".."),
                "{}",
                item.to
            );
            assert!(
                ITEMS.iter().skip(i + 1).all(|other| other.to != item.to),
                "{}",
                item.to
            );
        }
    }
}
