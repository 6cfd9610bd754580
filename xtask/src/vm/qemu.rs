//! One QEMU process: its command line, with the console on standard output and the results on a socket.

use std::fs::{self, File};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};

use super::newer_qemu;
use super::process::{Boot, Socket, Started, send_lines};

/// Starts it; what it says itself goes to `log`.
pub fn start(boot: &Boot<'_>, log: File) -> Result<Started> {
    // Not below target/: a socket's path is limited to 107 bytes.
    let name = format!(
        "kgpu-vm-{}-{}.sock",
        std::process::id(),
        boot.machine.instance
    );
    let socket = Socket(std::env::temp_dir().join(name));
    let _ = fs::remove_file(&socket.0);
    let listener = UnixListener::bind(&socket.0)
        .with_context(|| format!("cannot make {}", socket.0.display()))?;
    let child = command(boot, &socket.0)?
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("cannot start qemu-system-x86_64: run `cargo xtask setup`")?;
    let (lines, results) = mpsc::channel();
    thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            send_lines(stream, &lines);
        }
    });
    Ok(Started {
        child,
        results,
        socket: Some(socket),
    })
}

fn command(boot: &Boot<'_>, socket: &Path) -> Result<Command> {
    let mut qemu = match boot.qemu {
        Some(newer) => newer.command(),
        None => Command::new("qemu-system-x86_64"),
    };
    let devices = boot.helpers.devices();
    if !devices.is_empty() {
        qemu.args(newer_qemu::devices(boot.machine.mem, &devices)?);
    }
    qemu.args(["-accel", "tcg,thread=multi", "-smp"])
        .arg(boot.machine.cpus.to_string())
        .args(["-cpu", &boot.machine.cpu, "-m"])
        .arg(boot.machine.mem.to_string())
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
        .arg(boot.image.bootable())
        .arg("-initrd")
        .arg(boot.initrd)
        .arg("-append")
        .arg(format!("console=ttyS0 {}", boot.append));
    Ok(qemu)
}
