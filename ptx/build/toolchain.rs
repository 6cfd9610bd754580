//! Which rustc compiles device code: one whose library sources are installed, because the device target
//! has no prebuilt `core`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names a compiler for the device code.
pub(crate) const VARIABLE: &str = "KGPU_DEVICE_RUSTC";

/// Where Debian's `rustc-web` is.
const DEBIAN: &str = "/usr/bin/rustc";

/// The first of these that has its library sources: the one that the variable names, the one that builds the
/// host's code, Debian's.
pub(crate) fn find() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os(VARIABLE).map(PathBuf::from) {
        return has_sources(&named)
            .map(|()| named)
            .map_err(|why| format!("{VARIABLE}: {why}"));
    }
    let host = env::var_os("RUSTC").map(PathBuf::from);
    let mut reasons = Vec::new();
    for rustc in host.into_iter().chain([PathBuf::from(DEBIAN)]) {
        match has_sources(&rustc) {
            Ok(()) => return Ok(rustc),
            Err(why) => reasons.push(why),
        }
    }
    Err(format!(
        "no compiler with library sources was found\n  {}\n  next, one of: on Debian 12 `apt-get install \
         rustc-web rust-web-src`; with rustup `rustup component add rust-src`; or name a compiler in {VARIABLE}",
        reasons.join("\n  ")
    ))
}

fn has_sources(rustc: &Path) -> Result<(), String> {
    let shown = rustc.display();
    let output = Command::new(rustc)
        // Set by the outer cargo for another compiler.
        .env_remove("LD_LIBRARY_PATH")
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("{shown}: {error}"))?;
    let sysroot = String::from_utf8_lossy(&output.stdout);
    let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/src/lib.rs");
    if output.status.success() && core.exists() {
        Ok(())
    } else {
        Err(format!("{shown}: {} is missing", core.display()))
    }
}
