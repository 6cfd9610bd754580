//! Checks, one line of standard output each (`pass NAME` or `fail NAME # WHY`, which the suite hands
//! on), and the module's lines in the kernel log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use rustix::io::Errno;

/// The module logs no more than ten refusals in five seconds.
const PACE: Duration = Duration::from_millis(520);

/// The checks of a run.
#[derive(Debug)]
pub struct Report {
    log: File,
    failed: bool,
}

impl Report {
    /// A report that reads the log from now on.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn new() -> io::Result<Self> {
        let mut log = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")?;
        log.seek(SeekFrom::End(0))?;
        Ok(Self { log, failed: false })
    }

    /// Whether every check passed.
    pub const fn passed(&self) -> bool {
        !self.failed
    }

    /// A check.
    pub fn check(&mut self, name: &str, why_not: Option<String>) {
        match why_not {
            None => println!("pass {name}"),
            Some(why) => {
                self.failed = true;
                println!("fail {name} # {why}");
            }
        }
    }

    /// Something that must work.
    pub fn works<T>(&mut self, name: &str, result: Result<T, Errno>) -> Option<T> {
        let why_not = result.as_ref().err().map(ToString::to_string);
        self.check(name, why_not);
        result.ok()
    }

    /// Something that must be refused with `expected`, without a line in the log.
    pub fn refused<T>(&mut self, name: &str, expected: Errno, result: Result<T, Errno>) {
        self.check(name, unlike(expected, result));
    }

    /// Something that the module must refuse with `expected`, and with one line of the log.
    pub fn refused_and_logged<T>(
        &mut self,
        name: &str,
        expected: Errno,
        provoke: impl FnOnce() -> Result<T, Errno>,
    ) {
        std::thread::sleep(PACE);
        let _earlier = self.lines();
        let result = provoke();
        let lines = self.lines();
        let why_not = unlike(expected, result).or_else(|| match lines.as_slice() {
            [line] if line.starts_with("5,") => None,
            [line] => Some(format!("not at notice level: {line}")),
            _ => Some(format!("{} lines in the log: {lines:?}", lines.len())),
        });
        self.check(name, why_not);
    }

    /// The module's lines about this process since the last look.
    pub fn lines(&mut self) -> Vec<String> {
        let about_us = format!(";kgpu: process {}: ", std::process::id());
        let mut found = Vec::new();
        let mut record = [0; 8192];
        // One record a read, until there is none.
        while let Ok(len) = self.log.read(&mut record) {
            let text = String::from_utf8_lossy(record.get(..len).unwrap_or_default());
            if text.contains(&about_us) {
                found.push(text.lines().next().unwrap_or_default().to_owned());
            }
        }
        found
    }
}

fn unlike<T>(expected: Errno, result: Result<T, Errno>) -> Option<String> {
    match result {
        Err(errno) if errno == expected => None,
        Err(errno) => Some(format!("expected {expected:?}, got {errno:?}")),
        Ok(_) => Some(format!("expected {expected:?}, but it worked")),
    }
}
