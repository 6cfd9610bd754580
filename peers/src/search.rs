//! Where libraries are looked for: `lib` beside the executable, then wherever the system's loader
//! looks.

use std::path::{Path, PathBuf};

/// The folder of libraries beside the executable, if there is one.
pub(crate) fn bundled() -> Option<PathBuf> {
    let executable = std::env::current_exe().ok()?;
    let lib = executable.parent()?.join("lib");
    lib.is_dir().then_some(lib)
}

/// The places to try for a library, best first: a path, or the bare name for the system's loader.
pub(crate) fn places(folder: Option<&Path>, library: &str) -> Vec<PathBuf> {
    let own = folder
        .map(|folder| folder.join(library))
        .filter(|p| p.is_file());
    own.into_iter().chain([PathBuf::from(library)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundled_library_comes_first() {
        let folder = std::env::temp_dir().join(format!("kgpu-peers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("libx.so.1"), b"").unwrap();
        let found = places(Some(&folder), "libx.so.1");
        assert_eq!(found, [folder.join("libx.so.1"), "libx.so.1".into()]);
        assert_eq!(
            places(Some(&folder), "liby.so.1"),
            [PathBuf::from("liby.so.1")]
        );
        assert_eq!(places(None, "libx.so.1"), [PathBuf::from("libx.so.1")]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
