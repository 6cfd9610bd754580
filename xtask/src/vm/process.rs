//! A guest as a process of this machine, whatever it is: its console and results until it ends, or is ended.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Machine;
use super::host::Helpers;
use super::newer_qemu::Qemu;
use super::report::{Line, Report, parse};
use super::{qemu, uml};
use crate::images::Image;

/// What to boot.
#[derive(Debug)]
pub struct Boot<'a> {
    /// The kernel.
    pub image: &'a Image,
    /// The initramfs.
    pub initrd: &'a Path,
    /// The part of the kernel's command line that no machine of ours decides.
    pub append: String,
    /// Its size and limits.
    pub machine: &'a Machine,
    /// What runs on its host.
    pub helpers: &'a Helpers,
    /// For guests with devices that helpers serve: the QEMU that has such.
    pub qemu: Option<&'a Qemu>,
    /// Receives the guest's console; the folder it lies in is the run's own.
    pub log: &'a Path,
}

/// A guest that was started.
#[derive(Debug)]
pub struct Started {
    /// Its process.
    pub child: Child,
    /// The lines of its results, as they come.
    pub results: Receiver<String>,
    /// What goes when it ends.
    pub socket: Option<Socket>,
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
#[derive(Debug)]
pub struct Socket(pub PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Boots on the machine that the kernel is for, shows the checks as they come and returns the judged report.
pub fn run(boot: &Boot<'_>) -> Result<Report> {
    let log =
        File::create(boot.log).with_context(|| format!("cannot write {}", boot.log.display()))?;
    let started = if boot.image.is_uml() {
        uml::start(boot)?
    } else {
        qemu::start(boot, log.try_clone()?)?
    };
    let mut child = Running(started.child);
    let console = child.0.stdout.take().context("the guest has no output")?;
    let verbose = boot.machine.verbose;
    let console = thread::spawn(move || copy_console(console, log, verbose));
    let mut report = Report::default();
    let deadline = Instant::now() + Duration::from_secs(boot.machine.timeout);
    let helpers = boot.helpers;
    let why = watch(
        &mut child.0,
        &started.results,
        deadline,
        helpers,
        &mut report,
    )?;
    drop(child);
    drop(started.socket);
    let _ = console.join();
    report.close(Some(why));
    Ok(report)
}

/// Takes the results in until there are no more; says what ended them.
fn watch(
    child: &mut Child,
    results: &Receiver<String>,
    deadline: Instant,
    helpers: &Helpers,
    report: &mut Report,
) -> Result<&'static str> {
    loop {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .min(Duration::from_millis(500));
        match results.recv_timeout(left) {
            Ok(line) => {
                let Some(line) = parse(&line) else { continue };
                if let Line::Host(order) = &line
                    && let Err(error) = helpers.obey(order)
                {
                    report.failed.push(format!("{error:#}"));
                }
                if let Some(shown) = report.take(line) {
                    println!("{shown}");
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok("the guest stopped early"),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => {
                return Ok("the time limit was reached");
            }
            // It may fail before it opens its port, and others may hold the port open after it.
            Err(RecvTimeoutError::Timeout) => {
                if child.try_wait()?.is_some() {
                    return Ok("the guest stopped early");
                }
            }
        }
    }
}

/// Sends the lines of `from` on until its end, or until nobody listens.
pub fn send_lines(from: impl Read, to: &Sender<String>) {
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        if to
            .send(String::from_utf8_lossy(&line).into_owned())
            .is_err()
        {
            break;
        }
    }
}

fn copy_console(mut from: ChildStdout, mut log: File, verbose: bool) {
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
