//! `cargo xtask ptx`: assembles the device module for each generation of devices, and refuses what must not
//! be in a kernel: a stack frame, a spilled register, a symbol that nobody defines.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::paths::Paths;
use crate::shell;

/// The generations: Turing, Ampere (data centre, consumer), Ada, Hopper, Blackwell (data centre, consumer).
const ARCHS: &[&str] = &[
    "sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120",
];

/// The version of the assembler's wheel in the cache; a new one is a deliberate change.
const VERSION: &str = "13.0.88";

/// What the assembler says of a kernel.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kernel {
    registers: u32,
    stack: u32,
    spilled: u32,
}

/// Assembles the module for all generations and prints the registers of each kernel. The result is how many
/// kernels there are.
pub fn check(paths: &Paths) -> Result<usize> {
    let assembler = ensure(paths)?;
    let text = shell::output(shell::cargo(&paths.root).args([
        "run",
        "--quiet",
        "--locked",
        "-p",
        "kgpu-ptx",
        "--example",
        "module",
    ]))?;
    let work = paths.target.join("ptx");
    fs::create_dir_all(&work)?;
    let module = work.join("kgpu.ptx");
    fs::write(&module, &text).with_context(|| format!("cannot write {}", module.display()))?;
    unresolved(&text)?;
    let mut table: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for arch in ARCHS {
        let kernels = shell::timed(&format!("ptxas for {arch}"), || {
            assemble(&assembler, &module, arch)
        })?;
        for (name, kernel) in kernels {
            if kernel.stack > 0 || kernel.spilled > 0 {
                bail!(
                    "{name} on {arch}: a stack frame of {} bytes, {} bytes spilled; kernels must have neither",
                    kernel.stack,
                    kernel.spilled
                );
            }
            table.entry(name).or_default().push(kernel.registers);
        }
    }
    println!("registers of a thread:");
    println!("  {:44} {}", "kernel", ARCHS.join(" "));
    for (name, registers) in &table {
        let cells: Vec<String> = ARCHS
            .iter()
            .zip(registers)
            .map(|(arch, count)| format!("{count:>width$}", width = arch.len()))
            .collect();
        println!("  {name:44} {}", cells.join(" "));
    }
    let entries = text.matches(".visible .entry ").count();
    if table.len() != entries || table.values().any(|row| row.len() != ARCHS.len()) {
        bail!(
            "the assembler spoke of {} kernels of {entries}",
            table.len()
        );
    }
    Ok(entries)
}

/// Dynamic shared memory is the one thing that is rightly defined elsewhere.
fn unresolved(text: &str) -> Result<()> {
    match text
        .lines()
        .find(|line| line.contains(".extern") && !line.contains(".shared"))
    {
        Some(line) => bail!("the module has an unresolved symbol: {}", line.trim()),
        None => Ok(()),
    }
}

fn assemble(assembler: &Path, module: &Path, arch: &str) -> Result<BTreeMap<String, Kernel>> {
    let said = shell::combined(
        Command::new(assembler)
            .arg(format!("-arch={arch}"))
            .arg("-v")
            .arg("-o")
            .arg(module.with_extension(format!("{arch}.cubin")))
            .arg(module),
    )?;
    kernels(&said).with_context(|| format!("cannot make sense of what ptxas says for {arch}"))
}

/// Reads what `ptxas -v` says.
fn kernels(said: &str) -> Result<BTreeMap<String, Kernel>> {
    let mut found: BTreeMap<String, Kernel> = BTreeMap::new();
    let mut name = None;
    for line in said.lines() {
        if let Some(rest) = line.split("Compiling entry function '").nth(1) {
            let entry = rest.split('\'').next().unwrap_or_default().to_owned();
            found.insert(entry.clone(), Kernel::default());
            name = Some(entry);
        }
        let Some(kernel) = name.as_ref().and_then(|name| found.get_mut(name)) else {
            continue;
        };
        let number = |behind: &str| -> Option<u32> {
            let words: Vec<&str> = line.split(behind).next()?.split_whitespace().collect();
            words.last()?.parse().ok()
        };
        if line.contains("bytes stack frame") {
            kernel.stack = number(" bytes stack frame").context("stack frame")?;
            kernel.spilled = number(" bytes spill stores").context("spill stores")?;
        }
        if line.contains(" registers") && line.contains("Used ") {
            kernel.registers = number(" registers").context("registers")?;
        }
    }
    Ok(found)
}

/// The assembler in the cache folder, fetched there from the Python registry where it is missing.
fn ensure(paths: &Paths) -> Result<PathBuf> {
    let root = paths.cache.join(format!("tools/ptxas-{VERSION}"));
    if let Some(found) = find(&root) {
        return Ok(found);
    }
    paths.ensure_cache()?;
    let _lock = Paths::lock(&paths.cache.join("locks"))?;
    if let Some(found) = find(&root) {
        return Ok(found);
    }
    let fresh = root.with_extension("new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    shell::timed(&format!("ptxas {VERSION} (once)"), || {
        shell::quiet(
            Command::new("/usr/bin/python3")
                .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
                .arg(&fresh)
                .arg(format!("nvidia-cuda-nvcc=={VERSION}")),
        )
    })?;
    fs::rename(&fresh, &root)?;
    find(&root).with_context(|| format!("there is no ptxas in {}", root.display()))
}

/// `bin/ptxas` somewhere below a folder.
fn find(folder: &Path) -> Option<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("bin/ptxas") {
                return Some(path);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_spills_are_read() {
        let said = "ptxas info    : Compiling entry function 'kgpu_a' for 'sm_90'\n\
                    ptxas info    : Function properties for kgpu_a\n    \
                    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n\
                    ptxas info    : Used 40 registers, used 1 barriers\n\
                    ptxas info    : Compiling entry function 'kgpu_b' for 'sm_90'\n\
                    ptxas info    : Function properties for kgpu_b\n    \
                    272 bytes stack frame, 624 bytes spill stores, 728 bytes spill loads\n\
                    ptxas info    : Used 64 registers, used 1 barriers, 272 bytes cumulative stack size\n";
        let kernels = kernels(said).unwrap();
        assert_eq!(kernels.len(), 2);
        assert_eq!(
            kernels["kgpu_a"],
            Kernel {
                registers: 40,
                stack: 0,
                spilled: 0
            }
        );
        assert_eq!(
            kernels["kgpu_b"],
            Kernel {
                registers: 64,
                stack: 272,
                spilled: 624
            }
        );
    }

    #[test]
    fn shared_memory_may_be_defined_elsewhere() {
        assert!(unresolved(".extern .shared .align 16 .b8 KGPU_SHARED[];").is_ok());
        assert!(unresolved(".extern .func memcpy").is_err());
    }
}
