//! Makes the table of algorithm crates from this package's own dependency lines, so that adding an
//! algorithm is one line in one file.

use std::{env, fmt::Write as _, fs, io, path::Path};

/// The names of the dependencies whose path starts with `../`, as Rust identifiers.
fn crates(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside
            && let Some((name, value)) = line.split_once('=')
            && value.replace(' ', "").contains("path=\"../")
        {
            names.push(name.trim().replace('-', "_"));
        }
    }
    names
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let dir = |name| env::var_os(name).ok_or(io::Error::other(name));
    let manifest = fs::read_to_string(Path::new(&dir("CARGO_MANIFEST_DIR")?).join("Cargo.toml"))?;
    let mut table = String::from(
        "/// What each crate of the registry exports.\n\
         const CRATES: &[&[Algorithm]] = &[\n",
    );
    for name in crates(&manifest) {
        writeln!(table, "    {name}::ALGORITHMS,").map_err(io::Error::other)?;
    }
    table.push_str("];\n");
    fs::write(Path::new(&dir("OUT_DIR")?).join("crates.rs"), table)
}
