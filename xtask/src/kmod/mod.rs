//! `cargo xtask kmod`: the Rust core as one object, checked, then Kbuild for each kernel.

mod kbuild;
mod object;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::images::Image;
use crate::paths::Paths;
use crate::shell;

/// Flags that make rustc's output fit a stock kernel's mitigations and linker; proven on 6.1, 6.12 and 7.3.
const RUSTFLAGS: &str = concat!(
    "-Zretpoline-external-thunk -Zcf-protection=branch -Cjump-tables=n -Zfunction-return=thunk-extern ",
    "-Zpatchable-function-entry=16,16 -Cforce-unwind-tables=n -Zplt=yes -Zfunction-sections=n ",
    "-Csymbol-mangling-version=v0 --cfg kgpu_kernel ",
    // The aes crate must not look for vector instructions, should it be reached.
    "--cfg aes_backend=\"soft\"",
);

/// Further flags for a kernel with KASAN: every access through a function of the kernel's that checks it, but for
/// the stack and the globals, whose checks need what our object has not; frame pointers, as that kernel unwinds by them.
const KASAN_RUSTFLAGS: &str = concat!(
    " -Zsanitizer=kernel-address -Zsanitizer-recover=kernel-address -Cforce-frame-pointers=yes ",
    "-Cllvm-args=-asan-mapping-offset=0xdffffc0000000000 -Cllvm-args=-asan-instrumentation-with-call-threshold=0 ",
    "-Cllvm-args=-asan-stack=0 -Cllvm-args=-asan-globals=0 -Cllvm-args=-asan-kernel-mem-intrinsic-prefix=1",
);

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
    let rust = if image.has_kasan()? {
        let work = work.join("kasan");
        let flags = format!("{RUSTFLAGS}{KASAN_RUSTFLAGS}");
        shell::timed("kernel module: Rust core, with KASAN", || {
            rust_object(paths, &work, &flags, object::KASAN)
        })?
    } else {
        shell::timed("kernel module: Rust core", || {
            rust_object(paths, &work, RUSTFLAGS, &[])
        })?
    };
    shell::timed(
        &format!("kernel module: Kbuild for {}", image.version),
        || kbuild::run(&paths.root.join("kmod"), &work, &rust, image, &place),
    )
}

/// Compiles `kgpu-kmod` in `work` and returns its one object, checked; it may call functions with the `further`
/// prefixes as well.
fn rust_object(paths: &Paths, work: &Path, flags: &str, further: &[&str]) -> Result<PathBuf> {
    fs::create_dir_all(work)?;
    let target = paths.root.join("kmod/rust/x86_64-kmod.json");
    shell::quiet(
        shell::cargo(&paths.root)
            .env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", flags)
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
            .arg(&target)
            .args(["-Zbuild-std=core,alloc", "-Zjson-target-spec"]),
    )?;
    let library = work.join("x86_64-kmod/kernel/libkgpu_kmod.a");
    let archive =
        fs::read(&library).with_context(|| format!("cannot read {}", library.display()))?;
    let object = object::extract(&archive, "kgpu_kmod-")?;
    let out = work.join("rust_obj.bin");
    write_if_changed(&out, object)?;
    object::check(object, further)
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
