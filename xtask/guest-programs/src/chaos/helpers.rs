//! The helper programs that are struck: starting them, telling them, ending them.
//! When they are struck and what has to follow is not decided here.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::plan::Who;
use super::watch::Trouble;

const LOG: &str = "/tmp/chaos-helpers.log";
/// `kgpu serve` and `evil-helper serve` end with it while another helper is attached.
const BUSY: i32 = 5;
/// Helpers started so far.
static STARTED: AtomicU64 = AtomicU64::new(0);
/// An answer of a helper that has requests to strike at comes at once.
const ANSWER: Duration = Duration::from_secs(10);

/// A helper process.
#[derive(Debug)]
pub struct Helper {
    /// Which program.
    pub who: Who,
    seed: u64,
    child: Child,
    control: Option<PathBuf>,
    stream: Option<BufReader<UnixStream>>,
}

fn broken(what: &str, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::Broken(format!("{what}: {error}"))
}

impl Helper {
    /// Starts one. The product attaches at once; the other waits for [`Helper::attach`].
    ///
    /// # Errors
    /// [`Trouble`] when the program does not start.
    pub fn start(who: Who, seed: u64, takeover: bool) -> Result<Self, Trouble> {
        let log = File::options()
            .append(true)
            .create(true)
            .open(LOG)
            .map_err(|error| broken(LOG, &error))?;
        let (mut command, control) = match who {
            Who::Product => {
                let mut command = Command::new("kgpu");
                let workers = (1 + seed % 2).to_string();
                command.args(["--log", "error", "serve", "--workers", &workers]);
                (command, None)
            }
            Who::Evil => {
                // Of its own, even where one seed starts a second helper: the first may still be there.
                let number = STARTED.fetch_add(1, Ordering::Relaxed);
                let path = PathBuf::from(format!("/run/evil.{number}"));
                let mut command = Command::new("evil-helper");
                command
                    .args(["serve", "--wait", "--seed", &seed.to_string(), "--control"])
                    .arg(&path);
                (command, Some(path))
            }
        };
        if takeover {
            command.arg("--takeover");
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| broken("starting a helper", &error))?;
        Ok(Self {
            who,
            seed,
            child,
            control,
            stream: None,
        })
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Sends a signal; that it is gone already is seen by who waits for it.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            let _gone = kill_process(pid, signal);
        }
    }

    /// Stops it, and waits until it is stopped.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        let _over = waitpid(self.pid(), WaitOptions::UNTRACED);
    }

    /// Lets it go on.
    pub fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it, and waits until all of it is gone.
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Waits until it ends by itself.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < limit {
            if self.is_over() {
                return true;
            }
            sleep(Duration::from_millis(1));
        }
        false
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Starts it again if it has ended; whether it had, for another reason than a helper before it.
    ///
    /// # Errors
    /// [`Trouble`] when the program does not start.
    pub fn again_if_over(&mut self) -> Result<bool, Trouble> {
        let Ok(Some(status)) = self.child.try_wait() else {
            return Ok(false);
        };
        let seed = self.seed.wrapping_add(1);
        *self = Self::start(self.who, seed, false)?;
        self.attach()?;
        Ok(status.code() != Some(BUSY))
    }

    /// Tells it to attach, if it waits for that.
    ///
    /// # Errors
    /// [`Trouble`] when it does not answer.
    pub fn attach(&mut self) -> Result<(), Trouble> {
        if self.control.is_none() {
            return Ok(());
        }
        match self.ask("attach\n")?.as_str() {
            "attaching" => Ok(()),
            answer => Err(Trouble::Broken(format!("attach: answered '{answer}'"))),
        }
    }

    /// Tells it to misbehave, which it does as soon as it has requests: how many were in its hands. None if its
    /// session ended before.
    ///
    /// # Errors
    /// [`Trouble`] when it does not answer.
    pub fn strike(&mut self, what: &str) -> Result<u64, Trouble> {
        let answer = match self.ask(&format!("strike {what}\n")) {
            Ok(answer) => answer,
            Err(_) if self.ends_within(ANSWER) => return Ok(0),
            // The module retired it, for the third stall, before it got a request to strike at: none will come.
            Err(_) if !super::counters::state().starts_with("live") => {
                self.kill();
                return Ok(0);
            }
            Err(trouble) => return Err(trouble),
        };
        let words: Vec<&str> = answer.split_whitespace().collect();
        match words.as_slice() {
            ["struck", _, "in-flight", count, ..] => count.parse().ok(),
            ["over", ..] | [] => Some(0),
            _ => None,
        }
        .ok_or_else(|| Trouble::Broken(format!("strike {what}: answered '{answer}'")))
    }

    fn ask(&mut self, question: &str) -> Result<String, Trouble> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let stream = self.stream.insert(stream);
        stream
            .get_mut()
            .write_all(question.as_bytes())
            .map_err(|error| broken(question.trim(), &error))?;
        let mut answer = String::new();
        stream
            .read_line(&mut answer)
            .map_err(|error| broken(question.trim(), &error))?;
        Ok(answer.trim().to_owned())
    }

    fn connect(&self) -> Result<BufReader<UnixStream>, Trouble> {
        let Some(path) = &self.control else {
            return Err(Trouble::Broken("this helper can't be told".to_owned()));
        };
        let start = Instant::now();
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => {
                    stream
                        .set_read_timeout(Some(ANSWER))
                        .map_err(|error| broken("control socket", &error))?;
                    return Ok(BufReader::new(stream));
                }
                Err(error) if start.elapsed() > ANSWER => {
                    return Err(broken(&path.to_string_lossy(), &error));
                }
                // It makes the socket when it starts.
                Err(_) => sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.kill();
        if let Some(path) = &self.control {
            let _gone = fs::remove_file(path);
        }
    }
}
