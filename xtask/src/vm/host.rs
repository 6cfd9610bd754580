//! Helpers and disks on the host of a guest: those that its suite names, each behind a virtio device of the guest's machine,
//! and sent the signals that the suite asks for.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Starts the line of a suite that says how many of [`SERVE`] it wants.
const WANTED: &str = "# host-helpers: ";
/// Starts the line of a suite that names another, which is told its socket's path last.
const OTHER: &str = "# host-helper: ";
/// Starts the line of a suite that says how many of [`DISK`] it wants.
const DISKS: &str = "# host-disks: ";
/// A helper as it should be.
const SERVE: &str = "kgpu serve --backend cpu --vhost-user";
/// A disk.
const DISK: &str = "ram-disk --mib 64";
/// The helpers' virtio id: `kgpu_core::abi::guest::VIRTIO_ID`.
const VIRTIO_ID: u32 = 22;
/// The disks'.
const DISK_ID: u32 = 2;
/// How long a helper may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a suite wants on the host: a program's words, and the virtio id of its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The program's name and what it is told before its socket.
    pub words: Vec<String>,
    /// What kind of device the guest sees.
    pub virtio_id: u32,
}

/// A device of the guest's machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Where its program listens.
    pub socket: PathBuf,
    /// What kind it is.
    pub virtio_id: u32,
}

/// A program and its device.
#[derive(Debug)]
struct Helper {
    child: Child,
    device: Device,
}

/// Helpers, ended however we leave.
#[derive(Debug, Default)]
pub struct Helpers(Vec<Helper>);

impl Drop for Helpers {
    fn drop(&mut self) {
        for helper in &mut self.0 {
            // Gone already is what some suites want.
            let _ = helper.child.kill();
            let _ = helper.child.wait();
            let _ = fs::remove_file(&helper.device.socket);
        }
    }
}

/// What a suite wants, in the order of the guest's devices.
pub fn wanted(suite: &Path) -> Result<Vec<Wanted>> {
    let text =
        fs::read_to_string(suite).with_context(|| format!("cannot read {}", suite.display()))?;
    let mut all = Vec::new();
    for line in text.lines() {
        let number = |count: &str| -> Result<usize> {
            let count = count.parse();
            count.with_context(|| format!("{}: `{line}`: no number", suite.display()))
        };
        let (count, words, virtio_id) = if let Some(count) = line.strip_prefix(WANTED) {
            (number(count)?, SERVE, VIRTIO_ID)
        } else if let Some(count) = line.strip_prefix(DISKS) {
            (number(count)?, DISK, DISK_ID)
        } else if let Some(words) = line.strip_prefix(OTHER) {
            (1, words, VIRTIO_ID)
        } else {
            continue;
        };
        let wanted = Wanted {
            words: words.split_whitespace().map(str::to_owned).collect(),
            virtio_id,
        };
        all.extend(std::iter::repeat_n(wanted, count));
    }
    Ok(all)
}

impl Helpers {
    /// Starts each of `wanted`, a program's path, its words and its device's kind, with sockets and logs in `work`, and waits
    /// until they listen.
    pub fn start(wanted: &[(PathBuf, &[String], u32)], work: &Path) -> Result<Self> {
        let mut helpers = Self::default();
        for (number, (program, words, virtio_id)) in wanted.iter().enumerate() {
            let socket = work.join(format!("helper-{number}.sock"));
            let log = work.join(format!("helper-{number}.log"));
            let file =
                File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
            if socket.exists() {
                fs::remove_file(&socket)?;
            }
            let child = Command::new(program)
                .args(*words)
                .arg(&socket)
                .stdin(Stdio::null())
                .stdout(file.try_clone()?)
                .stderr(file)
                .spawn()
                .with_context(|| format!("cannot start {}", program.display()))?;
            let virtio_id = *virtio_id;
            helpers.0.push(Helper {
                child,
                device: Device { socket, virtio_id },
            });
            let helper = helpers.0.last_mut().context("it was just pushed")?;
            let deadline = Instant::now() + PATIENCE;
            while !helper.device.socket.exists() {
                if helper.child.try_wait()?.is_some() || Instant::now() >= deadline {
                    bail!(
                        "helper {number} does not listen: {}",
                        fs::read_to_string(&log)?.trim_end()
                    );
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(helpers)
    }

    /// The guest's devices, `virtio0` and on.
    pub fn devices(&self) -> Vec<Device> {
        self.0.iter().map(|helper| helper.device.clone()).collect()
    }

    /// Does what a suite asks for: `KILL 0` sends the first one SIGKILL, `STOP 1` the second SIGSTOP.
    pub fn obey(&self, order: &str) -> Result<()> {
        let asked = order.split_once(' ').and_then(|(signal, number)| {
            let number: usize = number.parse().ok()?;
            let signal = ["KILL", "TERM", "STOP", "CONT"]
                .into_iter()
                .find(|known| *known == signal)?;
            Some((signal, self.0.get(number)?))
        });
        let Some((signal, helper)) = asked else {
            bail!(
                "the suite asks the host for `{order}`: want KILL, TERM, STOP or CONT and a helper's number"
            );
        };
        let done = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(helper.child.id().to_string())
            .status()
            .context("cannot start `kill`")?;
        if !done.success() {
            bail!("no helper is there to be sent {signal}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_says_which_it_wants() {
        let suites = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/guest/suites"));
        let of = |suite: &str| -> Vec<String> {
            let all = wanted(&suites.join(suite)).unwrap();
            all.iter().map(|wanted| wanted.words.join(" ")).collect()
        };
        assert_eq!(of("guest.sh"), [SERVE, SERVE]);
        assert_eq!(of("flood.sh"), [SERVE, "evil-helper events"]);
        assert_eq!(of("disks.sh"), [DISK; 4]);
        let disks = wanted(&suites.join("disks.sh")).unwrap();
        assert!(disks.iter().all(|wanted| wanted.virtio_id == DISK_ID));
        assert!(of("smoke.sh").is_empty());
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        let suite = std::env::temp_dir().join(format!("kgpu-wanted-{}", std::process::id()));
        fs::write(&suite, "# host-helpers: two\n").unwrap();
        let refused = wanted(&suite);
        fs::remove_file(&suite).unwrap();
        assert!(refused.is_err());
    }

    #[test]
    fn orders_that_make_no_sense_are_refused() {
        let nobody = Helpers::default();
        for order in ["", "KILL", "KILL x", "HUP 0", "KILL 0"] {
            assert!(nobody.obey(order).is_err(), "{order}");
        }
        assert!(nobody.devices().is_empty());
    }
}
