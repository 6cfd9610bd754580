//! The helper under test: the real program as a process of its own, with everything that it drops and filters.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a helper ended.
#[derive(Debug)]
pub struct End {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub log: String,
}

pub struct Helper {
    child: Child,
    pub socket: PathBuf,
    lines: Receiver<String>,
    log: Option<JoinHandle<String>>,
}

/// The backend that is tested.
pub fn backend() -> String {
    env::var("KGPU_BACKEND").unwrap_or_else(|_| "cpu".to_owned())
}

impl Helper {
    /// A helper that listens, with these options beside the usual ones.
    pub fn start(options: &[&str]) -> Self {
        Self::start_on(&backend(), options)
    }

    /// The same with another backend.
    pub fn start_on(backend: &str, options: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "kgpu-guest-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let socket = env::temp_dir().join(name);
        let program = env::var_os("KGPU_PROGRAM");
        let mut child = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_kgpu").into()))
            .args(["serve", "--backend", backend, "--vhost-user"])
            .arg(&socket)
            .args(
                env::var("KGPU_OPTIONS")
                    .unwrap_or_default()
                    .split_whitespace(),
            )
            .args(options)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut err = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            let _ = err.read_to_string(&mut log);
            log
        });
        let helper = Self {
            child,
            socket,
            lines,
            log: Some(log),
        };
        helper.says("LISTENING");
        helper
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that starts so.
    #[track_caller]
    pub fn says(&self, start: &str) -> String {
        let line = self.lines.recv_timeout(PATIENCE).unwrap();
        assert!(line.starts_with(start), "{line}");
        line
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub fn end(mut self) -> End {
        let since = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
            assert!(since.elapsed() < PATIENCE, "the helper does not end");
        };
        End {
            code: status.code(),
            signal: status.signal(),
            log: self.log.take().unwrap().join().unwrap(),
        }
    }

    /// Asks it to end, which it must do well.
    #[track_caller]
    pub fn stop(self) -> String {
        self.signal(Signal::TERM);
        let end = self.end();
        assert_eq!((end.code, end.signal), (Some(0), None), "{}", end.log);
        end.log
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            eprintln!("the helper has ended: {status}");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}
