//! `cargo xtask kmod`: the Rust core as one object, checked, then Kbuild for each kernel.

mod kbuild;
mod object;
mod target;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::images::Image;
use crate::paths::Paths;
use crate::shell;
use target::Target;

/// Debian's compiler: one version for everybody, with its library source installed beside it.
const RUSTC: &str = "/usr/bin/rustc";

/// The modules built for one kernel.
#[derive(Debug, Clone)]
pub struct Modules {
    /// The folder with `kgpu.ko` and, below it, the sample and the test modules.
    pub dir: PathBuf,
}

impl Modules {
    /// All module files, `kgpu.ko` first.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let mut found = vec![self.dir.join("kgpu.ko")];
        for part in kbuild::PARTS {
            let dir = self.dir.join(part);
            if !dir.exists() {
                continue;
            }
            for entry in fs::read_dir(&dir)? {
                let path = entry?.path();
                if path.extension().is_some_and(|e| e == "ko") {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }
}

/// Builds the Rust object and all modules for `image`.
pub fn build(paths: &Paths, image: &Image) -> Result<Modules> {
    let place = kbuild::Place::of(paths, image)?;
    let work = paths.target.join("kmod");
    let _lock = Paths::lock(&work)?;
    let target = Target::of(image)?;
    let rust = shell::timed(&format!("kernel module: Rust core{}", target.what), || {
        let work = target.name.map_or(work.clone(), |name| work.join(name));
        rust_object(paths, &work, target)
    })?;
    shell::timed(
        &format!("kernel module: Kbuild for {}", image.version),
        || {
            kbuild::run(
                &paths.root.join("kmod"),
                &work,
                &rust,
                image,
                target,
                &place,
            )
        },
    )
}

/// Builds a module of the kernel's own for `image`, from the files in `from`, in `dir`.
pub fn build_other(paths: &Paths, image: &Image, from: &Path, dir: &Path) -> Result<()> {
    let place = kbuild::Place::of(paths, image)?;
    kbuild::module(from, dir, image, Target::of(image)?, &place)
}

/// Compiles `kgpu-kmod` for `target` in `work` and returns its one object, checked.
fn rust_object(paths: &Paths, work: &Path, target: &Target) -> Result<PathBuf> {
    fs::create_dir_all(work)?;
    let machine = paths.root.join("kmod/rust/x86_64-kmod.json");
    shell::quiet(
        shell::cargo(&paths.root)
            .env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", target.flags.join(" "))
            .env("CARGO_TARGET_DIR", work)
            // Set by the cargo that runs us for another toolchain's libraries.
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .args([
                "rustc",
                "-p",
                "kgpu-kmod",
                "--lib",
                "--crate-type",
                "staticlib",
                "--profile",
                "kernel",
                "--target",
            ])
            .arg(&machine)
            .args(["-Zbuild-std=core,alloc", "-Zjson-target-spec"]),
    )?;
    let library = work.join("x86_64-kmod/kernel/libkgpu_kmod.a");
    let archive =
        fs::read(&library).with_context(|| format!("cannot read {}", library.display()))?;
    let object = object::extract(&archive, "kgpu_kmod-")?;
    let out = work.join("rust_obj.bin");
    write_if_changed(&out, object)?;
    object::check(object, target)
        .with_context(|| format!("{} must not go into a kernel", out.display()))?;
    let listing = shell::output(
        Command::new("objdump")
            .args(["-d", "--no-show-raw-insn"])
            .arg(&out),
    )?;
    object::check_registers(&listing)?;
    Ok(out)
}

/// Writes `bytes` unless the file holds them already, so that Kbuild rebuilds only what changed.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
