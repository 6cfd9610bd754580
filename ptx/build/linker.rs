//! The stand-in for `rust-ptx-linker`: checks the assembly that rustc wrote, gives each entry its launch
//! directives, and puts it where the linked module is expected.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// What ptx-builder calls its linker.
pub(crate) const NAME: &str = "rust-ptx-linker";

/// Marks the comment in which a kernel names its block: `// kgpu-launch NAME THREADS BLOCKS`.
const MARK: &str = "// kgpu-launch ";

/// The linker as a program.
pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "-V" || a == "--version") {
        // The oldest version that ptx-builder takes.
        println!("{NAME} 0.9.1");
        return ExitCode::SUCCESS;
    }
    match link(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{NAME}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn link(arguments: &[String]) -> Result<(), String> {
    let out = arguments
        .iter()
        .position(|a| a == "-o")
        .and_then(|at| arguments.get(at + 1))
        .ok_or("no -o among the arguments")?;
    let assembly = Path::new(out).with_extension("s");
    let text = fs::read_to_string(&assembly).map_err(|error| {
        format!(
            "{}: {error}; rustc must run with --emit=asm and fat link-time optimisation",
            assembly.display()
        )
    })?;
    check(&text)?;
    fs::write(out, directives(&text)?).map_err(|error| format!("{out}: {error}"))
}

/// Refuses what the driver could not load, and what kernels must not have.
fn check(text: &str) -> Result<(), String> {
    for line in text.lines() {
        // Dynamic shared memory is the one thing that is rightly defined elsewhere.
        if line.contains(".extern") && !line.contains(".shared") {
            return Err(format!("unresolved: {}", line.trim()));
        }
        if line.contains("rust_begin_unwind") || line.contains("core9panicking") {
            return Err(format!("a kernel can panic: {}", line.trim()));
        }
        if line.contains(".local ") {
            return Err(format!("a kernel has a stack frame: {}", line.trim()));
        }
    }
    Ok(())
}

/// Adds to each entry how many threads a block has and how many blocks a multiprocessor should hold.
fn directives(text: &str) -> Result<String, String> {
    let mut launches: Vec<(&str, &str, &str)> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.trim().strip_prefix(MARK) {
            let mut words = rest.split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some(name), Some(threads), Some(blocks)) => launches.push((name, threads, blocks)),
                _ => return Err(format!("not a launch comment: {line}")),
            }
        }
    }
    let mut out = String::with_capacity(text.len() + 64 * launches.len());
    let mut open = None;
    for line in text.lines() {
        out.push_str(line);
        out.push('\n');
        if let Some(name) = line
            .trim()
            .strip_prefix(".visible .entry ")
            .map(|rest| rest.trim_end_matches('('))
        {
            let launch = launches.iter().find(|(entry, ..)| *entry == name);
            open = Some(*launch.ok_or(format!("{name} has no launch comment"))?);
        } else if line.trim() == ")"
            && let Some((_, threads, blocks)) = open.take()
        {
            out.push_str(&format!(
                ".maxntid {threads}, 1, 1\n.minnctapersm {blocks}\n"
            ));
        }
    }
    Ok(out)
}
