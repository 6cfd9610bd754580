//! Running other programs: quietly with the output shown on failure, captured, or live.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Runs `command`; its output is shown only when it fails.
pub fn quiet(command: &mut Command) -> Result<()> {
    combined(command).map(drop)
}

/// Runs `command` and returns its standard output; what it wrote is shown when it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let run = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_start(command))?;
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    if run.status.success() {
        return Ok(text);
    }
    fail(
        command,
        &run.status.to_string(),
        &format!("{text}{}", String::from_utf8_lossy(&run.stderr)),
    )
}

/// Runs `command` and returns its standard output and error together.
pub fn combined(command: &mut Command) -> Result<String> {
    let run = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_start(command))?;
    let mut text = String::from_utf8_lossy(&run.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&run.stderr));
    if run.status.success() {
        Ok(text)
    } else {
        fail(command, &run.status.to_string(), &text)
    }
}

/// Whether `command` starts and succeeds; its output is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Prints `name`, runs `work` with a dot every ten seconds, prints the seconds it took.
pub fn timed<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    print!("{name} …");
    std::io::stdout().flush()?;
    let start = Instant::now();
    let (done, wait) = mpsc::channel::<()>();
    let dots = thread::spawn(move || {
        while wait.recv_timeout(Duration::from_secs(10)) == Err(RecvTimeoutError::Timeout) {
            print!(".");
            let _ = std::io::stdout().flush();
        }
    });
    let result = work();
    drop(done);
    let _ = dots.join();
    let verdict = if result.is_ok() { "" } else { "failed, " };
    println!(" {verdict}{:.1} s", start.elapsed().as_secs_f64());
    result
}

/// The cargo that runs us, so that nested calls use the same toolchain.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn fail<T>(command: &Command, status: &str, text: &str) -> Result<T> {
    bail!(
        "`{}` failed: {status}\n{}",
        line_of(command),
        tail(text, 60)
    )
}

fn cannot_start(command: &Command) -> String {
    format!(
        "cannot start `{}`: run `cargo xtask setup`",
        command.get_program().to_string_lossy()
    )
}

fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// The last `count` lines of `text`.
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_end() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
        assert_eq!(tail("", 5), "");
    }

    #[test]
    fn a_failure_shows_the_output() {
        let error = quiet(Command::new("sh").args(["-c", "echo seen; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("seen"), "{error}");
    }
}
