//! What a program or library asks of the host it runs on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// What an ELF file needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Libraries by name.
    pub libraries: Vec<String>,
    /// The newest version of the GNU C library that it has symbols of.
    pub glibc: (u32, u32),
}

/// Reads what a file needs.
pub fn needs(file: &Path) -> Result<Needs> {
    let listing = shell::output(Command::new("objdump").arg("-p").arg(file))
        .with_context(|| format!("cannot read {}", file.display()))?;
    Ok(parse(&listing))
}

fn parse(listing: &str) -> Needs {
    let mut needs = Needs::default();
    for line in listing.lines() {
        let mut words = line.split_whitespace();
        if let (Some("NEEDED"), Some(library)) = (words.next(), words.next()) {
            needs.libraries.push(library.to_owned());
        }
        let versions = line.split_whitespace().filter_map(|word| {
            let (major, minor) = word.strip_prefix("GLIBC_")?.split_once('.')?;
            // A third number stands for a fix of the second.
            let minor = minor.split('.').next()?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
        needs.glibc = versions.fold(needs.glibc, Ord::max);
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_versions_are_read_from_the_listing() {
        let listing = "Dynamic Section:\n  NEEDED               libgpg-error.so.0\n  \
                       NEEDED               libc.so.6\n  SONAME               libx.so.1\n\
                       Version References:\n  required from libc.so.6:\n    \
                       0x069691b3 0x00 09 GLIBC_2.9\n    0x06969194 0x00 08 GLIBC_2.14\n    \
                       0x09691974 0x00 04 GLIBC_2.3.4\n    0x0 0x00 02 GCC_3.3\n";
        assert_eq!(
            parse(listing),
            Needs {
                libraries: vec!["libgpg-error.so.0".into(), "libc.so.6".into()],
                glibc: (2, 14),
            }
        );
    }
}
