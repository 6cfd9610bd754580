//! One QEMU process: its command line, its two serial ports and its end.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::report::{Report, parse};

/// What to boot.
#[derive(Debug)]
pub struct Boot<'a> {
    /// The kernel.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initrd: &'a Path,
    /// The kernel's command line.
    pub append: String,
    /// QEMU's CPU model.
    pub cpu: &'a str,
    /// Guest memory in MiB.
    pub memory: u32,
    /// Limit on the whole run.
    pub timeout: Duration,
    /// Receives the guest's console.
    pub log: &'a Path,
    /// Show the console as well.
    pub verbose: bool,
    /// Which of the guests that this process runs.
    pub instance: u32,
}

/// Ends the process however we leave.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Removes the socket file however we leave.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Boots, shows the checks as they come and returns the judged report.
pub fn run(boot: &Boot<'_>) -> Result<Report> {
    // Not below target/: a socket's path is limited to 107 bytes.
    let name = format!("kgpu-vm-{}-{}.sock", std::process::id(), boot.instance);
    let socket = Socket(std::env::temp_dir().join(name));
    let _ = fs::remove_file(&socket.0);
    let listener = UnixListener::bind(&socket.0)
        .with_context(|| format!("cannot make {}", socket.0.display()))?;
    let log =
        File::create(boot.log).with_context(|| format!("cannot write {}", boot.log.display()))?;
    let mut child = Running(
        command(boot, &socket.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.try_clone()?)
            .spawn()
            .context("cannot start qemu-system-x86_64: run `cargo xtask setup`")?,
    );
    let console = child.0.stdout.take().context("QEMU has no output")?;
    let verbose = boot.verbose;
    let console = thread::spawn(move || copy_console(console, log, verbose));
    let (lines, received) = mpsc::channel();
    thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                if lines
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
            }
        }
    });
    let deadline = Instant::now() + boot.timeout;
    let mut report = Report::default();
    let why = loop {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .min(Duration::from_millis(500));
        match received.recv_timeout(left) {
            Ok(line) => {
                if let Some(shown) = parse(&line).and_then(|line| report.take(line)) {
                    println!("{shown}");
                }
            }
            Err(RecvTimeoutError::Disconnected) => break "the guest stopped early",
            Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => {
                break "the time limit was reached";
            }
            // QEMU may fail before it opens the socket.
            Err(RecvTimeoutError::Timeout) => {
                if child.0.try_wait()?.is_some() && !report.ended() {
                    break "the guest stopped early";
                }
            }
        }
    };
    drop(child);
    let _ = console.join();
    report.close(Some(why));
    Ok(report)
}

fn command(boot: &Boot<'_>, socket: &Path) -> Command {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-accel",
        "tcg,thread=multi",
        "-smp",
        "2",
        "-cpu",
        boot.cpu,
        "-m",
        &boot.memory.to_string(),
    ])
    .args([
        "-display",
        "none",
        "-monitor",
        "none",
        "-nic",
        "none",
        "-no-reboot",
    ])
    .args(["-serial", "stdio", "-chardev"])
    .arg(format!("socket,id=results,path={}", socket.display()))
    .args(["-serial", "chardev:results"])
    .arg("-kernel")
    .arg(boot.kernel)
    .arg("-initrd")
    .arg(boot.initrd)
    .args(["-append", &boot.append]);
    qemu
}

fn copy_console(mut from: impl Read, mut log: File, verbose: bool) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        // A full disk shows in the report; the guest must not block on it.
        let _ = log.write_all(&buffer[..count]);
        if verbose {
            let _ = std::io::stdout().write_all(&buffer[..count]);
            let _ = std::io::stdout().flush();
        }
    }
}
