//! Makes two tables from this package's own dependency lines, so that adding an algorithm is one line
//! in one file: the algorithm crates, and the vector files in their `tests/data`.

use std::path::{Path, PathBuf};
use std::{env, fmt::Write as _, fs, io};

/// The dependencies whose path starts with `../`: name as a Rust identifier, and path.
fn crates(manifest: &str) -> Vec<(String, String)> {
    let mut inside = false;
    let mut crates = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside
            && let Some((name, value)) = line.split_once('=')
            && let Some((_, path)) = value.replace(' ', "").split_once("path=\"../")
            && let Some((folder, _)) = path.split_once('"')
        {
            crates.push((name.trim().replace('-', "_"), format!("../{folder}")));
        }
    }
    crates
}

/// The vector files of a crate, in order of their names.
fn vectors(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let data = folder.join("tests/data");
    if !data.is_dir() {
        return Ok(Vec::new());
    }
    println!("cargo::rerun-if-changed={}", data.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let dir = |name| env::var_os(name).ok_or(io::Error::other(name));
    let own = PathBuf::from(dir("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(dir("OUT_DIR")?);
    let manifest = fs::read_to_string(own.join("Cargo.toml"))?;
    let mut table = String::from(
        "/// What each crate of the registry exports.\n\
         const CRATES: &[&[Algorithm]] = &[\n",
    );
    let mut files = String::from("&[\n");
    for (name, folder) in crates(&manifest) {
        writeln!(table, "    {name}::ALGORITHMS,").map_err(io::Error::other)?;
        for path in vectors(&own.join(folder))? {
            writeln!(files, "    include_str!({path:?}),").map_err(io::Error::other)?;
        }
    }
    table.push_str("];\n");
    files.push_str("]\n");
    fs::write(out.join("crates.rs"), table)?;
    fs::write(out.join("vectors.rs"), files)
}
