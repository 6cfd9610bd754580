//! Errors as the user sees them: what went wrong, why, what to do next, and the exit code.

use std::fmt;
use std::path::Path;

use rustix::io::Errno;

use crate::device::{DeviceError, Step};
use crate::holders::holders;
use crate::region::RegionError;

/// Exit codes, beside 0 for success and 2 for a wrong command line.
pub mod exit {
    /// Anything without a code of its own.
    pub const FAILURE: u8 = 1;
    /// The module is not loaded, or its device is missing.
    pub const NO_MODULE: u8 = 3;
    /// The rights are missing.
    pub const NO_RIGHTS: u8 = 4;
    /// Another helper is attached.
    pub const BUSY: u8 = 5;
    /// Module and helper are of different revisions.
    pub const REVISION: u8 = 6;
    /// The module refused this helper's answers.
    pub const QUARANTINED: u8 = 7;
    /// A benchmark's limit was exceeded.
    pub const TOO_SLOW: u8 = 8;
    /// A guest's machine took back memory in use.
    pub const MEMORY_LOST: u8 = 9;
}

/// An error for the user.
#[derive(Debug)]
pub struct UserError {
    /// What went wrong.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// The exit code.
    pub code: u8,
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if !self.next.is_empty() {
            write!(f, "\n  next: {}", self.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for UserError {}

impl UserError {
    /// An error without a code of its own.
    pub fn failure(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            next: next.into(),
            code: exit::FAILURE,
        }
    }
}

/// How to load the module.
pub const LOAD: &str = "load the kernel module: `modprobe kgpu` as root, or `insmod kgpu.ko` from \
                        its build folder; then look at `dmesg` if /dev/kgpu is still missing";

const UPGRADE: &str = "install kgpu's module and helper from one release, unload the old module \
                       (`rmmod kgpu`), load the new one and start `kgpu serve` again";

impl From<DeviceError> for UserError {
    fn from(error: DeviceError) -> Self {
        let what = error.to_string();
        let (code, next) = match (error.what, error.errno) {
            (Step::Open, Errno::NOENT | Errno::NXIO | Errno::NODEV) => {
                (exit::NO_MODULE, LOAD.to_owned())
            }
            (_, Errno::PERM | Errno::ACCESS) => (
                exit::NO_RIGHTS,
                "run `kgpu serve` as root, or with CAP_SYS_ADMIN and the right to open the device \
                 (it drops what it does not need)"
                    .to_owned(),
            ),
            (_, Errno::BUSY) => (exit::BUSY, busy(&error.path)),
            (Step::Attach, Errno::NOTTY | Errno::INVAL) => (
                exit::REVISION,
                format!(
                    "the module refused the handshake of this helper (ABI {}.{}): {UPGRADE}; \
                     `dmesg` has the module's reason",
                    kgpu_core::abi::MAJOR,
                    kgpu_core::abi::MINOR
                ),
            ),
            (Step::Attach, Errno::NOMEM) => (
                exit::FAILURE,
                "the kernel has no memory for the pool: free some, or load the module with a \
                 smaller `pool_mib`"
                    .to_owned(),
            ),
            _ => (
                exit::FAILURE,
                "look at `dmesg` for the module's reason".to_owned(),
            ),
        };
        Self { what, next, code }
    }
}

/// What to do when another helper is attached.
fn busy(path: &Path) -> String {
    let holders = holders(path);
    if holders.is_empty() {
        "another helper is attached or about to take over: replace it with `kgpu serve --takeover`, or stop it; \
         `kgpu status` shows the state"
            .to_owned()
    } else {
        let list: Vec<_> = holders.iter().map(ToString::to_string).collect();
        format!(
            "another helper is attached: {}; replace it with `kgpu serve --takeover`, or stop it with \
             `kill -TERM {}` and start again",
            list.join(", "),
            holders[0].pid
        )
    }
}

impl From<RegionError> for UserError {
    fn from(error: RegionError) -> Self {
        let what = error.to_string();
        let (code, next) = match &error {
            RegionError::Revision(bad) => {
                let newer = bad.what == "ABI major" && bad.value > u64::from(kgpu_core::abi::MAJOR);
                let side = if newer {
                    "the module is newer: upgrade the helper"
                } else {
                    "the module is older than the helper, or foreign: upgrade the module"
                };
                (exit::REVISION, format!("{side}; {UPGRADE}"))
            }
            RegionError::Layout(_) | RegionError::Handshake { .. } => {
                (exit::REVISION, UPGRADE.to_owned())
            }
            RegionError::Map {
                errno: Errno::NOMEM | Errno::AGAIN,
                ..
            } => (
                exit::FAILURE,
                "free some memory, or raise the limit of locked memory (`ulimit -l unlimited`)"
                    .to_owned(),
            ),
            RegionError::Map { .. } => (
                exit::FAILURE,
                "look at `dmesg` for the module's reason".to_owned(),
            ),
        };
        Self { what, next, code }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kgpu_core::abi::InvalidCode;

    fn of(what: Step, errno: Errno) -> UserError {
        DeviceError {
            what,
            path: "/dev/kgpu".into(),
            errno,
        }
        .into()
    }

    #[test]
    fn device_errors_say_what_to_do() {
        for (step, errno, code, hint) in [
            (Step::Open, Errno::NOENT, exit::NO_MODULE, "modprobe"),
            (Step::Open, Errno::PERM, exit::NO_RIGHTS, "root"),
            (Step::Open, Errno::ACCESS, exit::NO_RIGHTS, "root"),
            (Step::Attach, Errno::PERM, exit::NO_RIGHTS, "CAP_SYS_ADMIN"),
            (Step::Attach, Errno::BUSY, exit::BUSY, "--takeover"),
            (Step::Attach, Errno::INVAL, exit::REVISION, "one release"),
            (Step::Attach, Errno::NOTTY, exit::REVISION, "one release"),
            (Step::Attach, Errno::NOMEM, exit::FAILURE, "pool_mib"),
            (Step::Start, Errno::INVAL, exit::FAILURE, "dmesg"),
        ] {
            let error = of(step, errno);
            assert_eq!(error.code, code, "{error}");
            assert!(error.next.contains(hint), "{error}");
            assert!(error.to_string().contains("next: "));
        }
    }

    #[test]
    fn revisions_say_which_side_to_upgrade() {
        let of =
            |what, value| UserError::from(RegionError::Revision(InvalidCode { what, value })).next;
        assert!(of("ABI major", 99).contains("upgrade the helper"));
        assert!(of("ABI major", 0).contains("upgrade the module"));
        assert!(of("structure size", 1).contains("upgrade the module"));
    }
}
