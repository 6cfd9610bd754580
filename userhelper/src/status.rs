//! `kgpu status`: what the module says of itself.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{LOAD, UserError, exit};

/// The module's status file.
pub const STATUS_FILE: &str = "/proc/kgpu";
/// There while the module is loaded.
pub const MODULE_DIR: &str = "/sys/module/kgpu";

/// The text of the status file.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn read(file: &Path, module: &Path) -> Result<String, UserError> {
    std::fs::read_to_string(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound if module.exists() => UserError {
            what: format!("the module is loaded, but there is no {}", file.display()),
            next: "look at `dmesg`; the module may be of another release: unload it with `rmmod \
                   kgpu` and load this release's"
                .into(),
            code: exit::REVISION,
        },
        ErrorKind::NotFound => UserError {
            what: format!("there is no {}", file.display()),
            next: LOAD.into(),
            code: exit::NO_MODULE,
        },
        ErrorKind::PermissionDenied => UserError {
            what: format!("{} can't be read: {error}", file.display()),
            next: "run `kgpu status` as root".into(),
            code: exit::NO_RIGHTS,
        },
        _ => UserError::failure(
            format!("{} can't be read: {error}", file.display()),
            "look at `dmesg`",
        ),
    })
}
