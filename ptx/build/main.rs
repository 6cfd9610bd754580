//! Compiles `device/` to one PTX text.
//!
//! ptx-builder runs cargo for the device target and asks for a linker called `rust-ptx-linker`. This program
//! is that linker too: it is linked into OUT_DIR under that name and looks at its own name. By the time a
//! linker is called, fat link-time optimisation has already written the whole module as assembly.

mod linker;
mod toolchain;

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ptx_builder::error::BuildErrorKind;
use ptx_builder::prelude::{BuildStatus, Builder};

/// Oldest devices the module is for: compute capability 7.5. The driver compiles it for newer ones.
const ARCH: &str = "sm_75";
/// What the device code is made of, from this folder.
const SOURCES: &[&str] = &[
    "build",
    "device",
    "../algos",
    "../kgpu-core",
    "../Cargo.lock",
];
/// Variables of the outer cargo that the inner one may see; all others of cargo and rustc describe the host
/// build and would mislead it.
const KEPT: &[&str] = &[
    "CARGO",
    "CARGO_HOME",
    "CARGO_MAKEFLAGS",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
];
const KEPT_PREFIXES: &[&str] = &["CARGO_NET", "CARGO_HTTP", "CARGO_REGISTR", "CARGO_SOURCE"];

fn main() -> ExitCode {
    let name = env::args_os().next().unwrap_or_default();
    if Path::new(&name).file_name() == Some(OsStr::new(linker::NAME)) {
        return linker::main();
    }
    match build() {
        Ok(module) => {
            println!("cargo::rustc-env=KGPU_PTX={}", module.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the device module was not built: {error}");
            eprintln!(
                "  next: see ptx/README.md; or build the helper without CUDA by --no-default-features"
            );
            ExitCode::FAILURE
        }
    }
}

/// Builds the module and returns its file.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={}", toolchain::VARIABLE);
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let rustc = toolchain::find()?;
    let linker = out.join("bin").join(linker::NAME);
    place_linker(&linker)?;
    set_up(&out, &linker, &rustc)?;
    let builder = Builder::new("device")
        .map_err(|error| error.to_string())?
        .disable_colors();
    match builder.build() {
        Ok(BuildStatus::Success(output)) => Ok(output.get_assembly_path()),
        Ok(BuildStatus::NotNeeded) => {
            // An editor's check: anything that can be included will do.
            let empty = out.join("empty.ptx");
            fs::write(&empty, "")?;
            Ok(empty)
        }
        Err(error) => Err(match error.kind() {
            BuildErrorKind::BuildFailed(lines) => lines.join("\n").into(),
            _ => error.to_string().into(),
        }),
    }
}

/// Puts this program where ptx-builder will find its linker.
fn place_linker(linker: &Path) -> Result<(), Box<dyn Error>> {
    let folder = linker.parent().ok_or("OUT_DIR has no folder")?;
    fs::create_dir_all(folder)?;
    if linker.is_symlink() || linker.exists() {
        fs::remove_file(linker)?;
    }
    std::os::unix::fs::symlink(env::current_exe()?, linker)?;
    Ok(())
}

/// Makes the environment of the inner cargo.
#[allow(unsafe_code)]
fn set_up(out: &Path, linker: &Path, rustc: &Path) -> Result<(), Box<dyn Error>> {
    let mut set: Vec<(&str, std::ffi::OsString)> = vec![
        // ptx-builder puts its target folder into the temporary folder.
        ("TMPDIR", out.into()),
        // ... and wants `-C extra-filename`, which cargo leaves out for a library of this kind.
        ("__CARGO_DEFAULT_LIB_METADATA", "1".into()),
        ("CARGO_TARGET_NVPTX64_NVIDIA_CUDA_LINKER", linker.into()),
        (
            "CARGO_ENCODED_RUSTFLAGS",
            format!("-Ctarget-cpu={ARCH}\x1f--emit=asm\x1f--cfg\x1fkgpu_kernel").into(),
        ),
        ("CARGO_PROFILE_RELEASE_LTO", "fat".into()),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1".into()),
        ("CARGO_PROFILE_RELEASE_PANIC", "abort".into()),
        ("CARGO_PROFILE_RELEASE_DEBUG", "0".into()),
        ("RUSTC", rustc.into()),
        // The device target needs its own core library and unstable features of the language.
        ("RUSTC_BOOTSTRAP", "1".into()),
        ("CARGO_UNSTABLE_BUILD_STD", "core".into()),
    ];
    let folder = linker.parent().unwrap_or(out).to_path_buf();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(folder).chain(env::split_paths(&path)))?;
    set.push(("PATH", path));
    let misleading = env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        let ours = name.starts_with("CARGO") || name.starts_with("RUST");
        let kept =
            KEPT.contains(&&*name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        // Set by cargo for the outer toolchain's libraries.
        (ours && !kept) || name == "LD_LIBRARY_PATH"
    });
    // SAFETY: this program has one thread.
    unsafe {
        for name in misleading {
            env::remove_var(name);
        }
        for (name, value) in set {
            env::set_var(name, value);
        }
    }
    Ok(())
}
