//! Running a long build: its output goes to a file, a line a minute tells how far it is, its end is shown on failure.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell;

/// How often a line is printed.
const EVERY: Duration = Duration::from_secs(60);

/// Runs `command`, named `name`, with its output in `log`.
pub fn watched(name: &str, command: &mut Command, log: &Path) -> Result<()> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    println!("{name} … (6 to 40 minutes, by the machine)");
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("cannot start the build: is {} installed?", "make"))?;
    let mut told = started;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(Duration::from_millis(500));
        if told.elapsed() >= EVERY {
            told = Instant::now();
            let minutes = started.elapsed().as_secs() / 60;
            println!("  {minutes} min: {} files made", made(log)?);
        }
    };
    if !status.success() {
        let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
        bail!("{name}: {status}\n{}", shell::tail(&text, 60));
    }
    println!(
        "{name}: {:.0} s, {} files made",
        started.elapsed().as_secs_f64(),
        made(log)?
    );
    Ok(())
}

/// How many steps the build has printed (`  CC      path`).
fn made(log: &Path) -> Result<usize> {
    let lines = BufReader::new(File::open(log)?).split(b'\n');
    let mut count = 0;
    for line in lines {
        count += usize::from(line?.starts_with(b"  "));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_shows_its_end() {
        let log = std::env::temp_dir().join(format!("kgpu-xtask-progress-{}", std::process::id()));
        let script = "echo '  CC      a.o'; echo 'a.c:1: error: seen' >&2; exit 2";
        let error = watched("test", Command::new("sh").args(["-c", script]), &log).unwrap_err();
        assert!(error.to_string().contains("error: seen"), "{error}");
        assert_eq!(made(&log).unwrap(), 1);
        fs::remove_file(log).unwrap();
    }
}
