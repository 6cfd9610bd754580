//! One User-Mode Linux process: its command line, with the console on standard output and the results on a pipe.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

use super::host::Device;
use super::process::{Boot, Started, send_lines};

/// Puts the standard error, which is the results' pipe, where the guest's second serial port writes, and what the
/// program says itself on the console. It ends with whoever started it, however that ends.
const PORTS: &str = "exec setpriv --pdeathsig KILL -- \"$@\" 3>&2 2>&1";

/// Words of its command line that are the same wherever it runs.
pub const WORDS: &[&str] = &[
    // More than one processor needs user space to be watched by seccomp; it is the faster way for one, too.
    "seccomp=on",
    "con=null",
    "con0=null,fd:1",
    "console=tty0",
    "ssl=null",
    "ssl1=null,fd:3",
];

/// Starts it.
pub fn start(boot: &Boot<'_>) -> Result<Started> {
    let mut child = command(boot)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start sh")?;
    let port = child.stderr.take().context("the guest has no results")?;
    let (lines, results) = mpsc::channel();
    thread::spawn(move || send_lines(port, &lines));
    Ok(Started {
        child,
        results,
        socket: None,
    })
}

/// Words that give it the host's devices.
fn words(devices: &[Device]) -> Vec<String> {
    let word = |(number, device): (usize, &Device)| {
        format!(
            "virtio_uml.device={}:{}:{}",
            device.socket.display(),
            device.virtio_id,
            number + 1
        )
    };
    devices.iter().enumerate().map(word).collect()
}

fn command(boot: &Boot<'_>) -> Command {
    let mut uml = Command::new("sh");
    uml.args(["-c", PORTS, "sh"])
        .arg(boot.image.bootable())
        .arg(format!("mem={}M", boot.machine.mem))
        .arg(format!("initrd={}", boot.initrd.display()))
        .arg(format!("ncpus={}", boot.machine.cpus))
        .args(WORDS)
        // Its folder of sockets would be in the home folder.
        .arg(format!(
            "uml_dir={}/",
            boot.log.with_file_name("uml").display()
        ))
        .args(boot.append.split_whitespace())
        .args(words(&boot.helpers.devices()))
        // The guest's memory is a file there.
        .env("TMPDIR", "/dev/shm");
    uml
}
