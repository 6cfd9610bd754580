//! The committed C header is the generated one, and a C compiler agrees with it.
#![cfg(not(loom))]

#[path = "support/c_header.rs"]
mod c_header;
mod support;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn include_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../kmod/include")
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let generated = c_header::generate().unwrap();
    let committed = std::fs::read_to_string(include_dir().join("kgpu_abi.h")).unwrap_or_default();
    let differ = committed
        .lines()
        .zip(generated.lines())
        .position(|(a, b)| a != b)
        .unwrap_or_else(|| committed.lines().count().min(generated.lines().count()));
    assert!(
        committed == generated,
        "kmod/include/kgpu_abi.h is not what kgpu-core says, from line {}; write it anew:\n\n    {}\n",
        differ + 1,
        support::HEADER_COMMAND
    );
}

/// Compiles a C file that includes the header and asserts what only C can say: that the ioctl
/// numbers are those of the kernel's own macros.
#[test]
fn a_c_compiler_agrees() {
    let source = "\
        #include \"kgpu_abi.h\"\n\
        #include \"kgpu_abi.h\"\n\
        #include <linux/ioctl.h>\n\
        _Static_assert(KGPU_IOC_ATTACH == _IOWR('K', 1, struct kgpu_attach), \"attach\");\n\
        _Static_assert(KGPU_IOC_START == _IO('K', 2), \"start\");\n\
        _Static_assert(KGPU_IOC_KICK == _IO('K', 3), \"kick\");\n\
        _Static_assert(KGPU_IOC_DETACH == _IO('K', 4), \"detach\");\n\
        int main(void) { return sizeof(KGPU_DEVICE_PATH) == 0; }\n";
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let child = Command::new(&cc)
        .args(["-x", "c", "-std=gnu11", "-Wall", "-Wextra", "-Werror"])
        .args(["-fsyntax-only", "-I"])
        .arg(include_dir())
        .arg("-")
        .stdin(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            println!("skipped: no C compiler ({cc}: {error})");
            return;
        }
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(source.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success(), "{cc} refuses kgpu_abi.h");
}
