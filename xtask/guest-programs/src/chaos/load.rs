//! The work that must not suffer: fio with verification, round after round, and the sample caller.
//! What they found wrong is collected here; that it is a failure is decided elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;

/// What of the machine the load works on.
#[derive(Clone, Debug)]
pub enum Target {
    /// A block device, written and read around the page cache.
    Device(PathBuf),
    /// A folder of a file system that has no direct I/O.
    Folder(PathBuf),
}

const DEPTHS: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// As long may the rounds that are running at the end take: one of them took over three minutes under a sanitizer
/// kernel, emulated on a busy machine. What never ends is found by it as well as by a shorter one.
const LAST_ROUND: Duration = Duration::from_secs(600);
const SAMPLE: &str = "/sys/module/kgpu_sample/parameters";

/// What the load has come to.
#[derive(Debug, Default)]
pub struct Findings {
    /// Rounds of fio that ended well.
    pub rounds: AtomicU64,
    /// Bytes that fio has read and compared.
    pub verified: AtomicU64,
    /// What was wrong, each as a kind (`corrupted` or `failed`) and what fio or the sample caller said.
    pub wrong: Mutex<Vec<(&'static str, String)>>,
    enough: AtomicBool,
}

impl Findings {
    fn add(&self, kind: &'static str, what: String) {
        self.wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((kind, what));
    }

    /// Whether nothing is wrong so far.
    pub fn is_clean(&self) -> bool {
        self.wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}

/// All load.
#[derive(Debug)]
pub struct Load {
    /// What it found.
    pub findings: Arc<Findings>,
    threads: Vec<JoinHandle<()>>,
    sample: Option<Child>,
}

impl Load {
    /// Starts everything, with the priority of the calling thread.
    pub fn start(targets: &[Target], seed: u64, sample: bool) -> Self {
        let findings = Arc::new(Findings::default());
        let mut rng = Rng::with_seed(seed);
        let threads = targets
            .iter()
            .map(|target| {
                let (findings, target) = (Arc::clone(&findings), target.clone());
                let rng = Rng::with_seed(rng.u64(..));
                thread::spawn(move || rounds(&findings, &target, rng))
            })
            .collect();
        let sample = sample.then(|| {
            Command::new("modprobe")
                .args(["kgpu_sample", "requests=4294967295"])
                // Pool buffers are a helper's to write to: what it does there is not the module's fault.
                .args(["pool=N", "depth=24"])
                .arg(format!("seed={}", rng.u32(1..)))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        });
        let sample = match sample {
            Some(Ok(child)) => Some(child),
            Some(Err(error)) => {
                findings.add("failed", format!("the sample caller: {error}"));
                None
            }
            None => None,
        };
        Self {
            findings,
            threads,
            sample,
        }
    }

    /// Lets the rounds that are running come to their end, and the sample caller. Whether all did.
    pub fn finish(&mut self) -> bool {
        self.findings.enough.store(true, Ordering::Relaxed);
        if let Some(mut sample) = self.sample.take() {
            let _told = fs::write(Path::new(SAMPLE).join("requests"), "0");
            let ended = sample.wait();
            let said = fs::read_to_string(Path::new(SAMPLE).join("results"));
            if !ended.is_ok_and(|status| status.success()) {
                self.findings.add(
                    "corrupted",
                    "the sample caller found wrong results: see kgpu_sample in the log".to_owned(),
                );
            } else if let Ok(said) = said {
                println!("sample caller: {said}");
            }
        }
        let start = Instant::now();
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if start.elapsed() > LAST_ROUND {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

/// fio, with other engines, depths and sizes each round, until told that it is enough.
fn rounds(findings: &Findings, target: &Target, mut rng: Rng) {
    while !findings.enough.load(Ordering::Relaxed) {
        let round = arguments(target, &mut rng);
        let ended = Command::new("fio")
            .args(&round)
            .stdin(Stdio::null())
            .output();
        let Ok(output) = ended else {
            return findings.add("failed", "fio does not start".to_owned());
        };
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            findings.rounds.fetch_add(1, Ordering::Relaxed);
            // Version 3 of the terse form: the sixth field is KiB read, all of it by verification.
            let kib = said
                .lines()
                .find(|line| line.starts_with("3;"))
                .and_then(|line| line.split(';').nth(5)?.parse::<u64>().ok());
            findings
                .verified
                .fetch_add(kib.unwrap_or(0) * 1024, Ordering::Relaxed);
            continue;
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let kind = if said.contains("verify") || errors.contains("verify:") {
            "corrupted"
        } else {
            "failed"
        };
        let last = errors.lines().chain(said.lines()).next().unwrap_or("");
        return findings.add(kind, format!("fio {}: {last}", round.join(" ")));
    }
}

fn arguments(target: &Target, rng: &mut Rng) -> Vec<String> {
    let engine = rng.choice(["sync", "libaio", "libaio"]).unwrap_or("libaio");
    let depth = rng.choice(DEPTHS).unwrap_or(1);
    let (file, size, direct) = match target {
        Target::Device(path) => (path.clone(), 8, 1),
        Target::Folder(path) => (path.join("fio"), 1, 0),
    };
    [
        "--name=v".to_owned(),
        format!("--filename={}", file.display()),
        format!("--size={size}M"),
        format!("--direct={direct}"),
        "--rw=randwrite".to_owned(),
        "--bssplit=4k/60:8k/10:16k/10:64k/10:128k/10".to_owned(),
        format!("--ioengine={engine}"),
        format!("--iodepth={depth}"),
        format!("--randseed={}", rng.u32(..)),
        "--verify=crc32c".to_owned(),
        "--do_verify=1".to_owned(),
        "--verify_fatal=1".to_owned(),
        "--thread".to_owned(),
        "--output-format=terse".to_owned(),
        "--terse-version=3".to_owned(),
    ]
    .into()
}
