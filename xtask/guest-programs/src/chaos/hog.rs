//! Memory pressure: a process that takes memory until the kernel reclaims pages, and gives some of it
//! back when told. Both ends of it live here, `kgpu-guest hog` and who tells it.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::watch::Trouble;

const MIB: usize = 1 << 20;
const PAGE: usize = 4096;
/// Pages that must have been reclaimed to call it pressure.
const RECLAIMED: u64 = 512;
/// MiB to give back afterwards: the next time it takes as much to get there again.
const GIVEN_BACK: usize = 12;
/// It takes no longer than this, whatever comes of it.
const LONGEST: Duration = Duration::from_secs(20);

/// Pages that the kernel has reclaimed so far.
fn reclaimed() -> u64 {
    fs::read_to_string("/proc/vmstat").map_or(0, |text| {
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(name, _)| matches!(*name, "pgsteal_kswapd" | "pgsteal_direct"))
            .filter_map(|(_, value)| value.parse::<u64>().ok())
            .sum()
    })
}

/// Whether less than half of swap is free: much less, and the kernel kills processes rather than reclaim pages.
fn swap_fills_up() -> bool {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    match (kib("SwapFree:"), kib("SwapTotal:")) {
        (Some(free), Some(total)) => free < total / 2,
        _ => false,
    }
}

/// The process: a line `squeeze` is answered by the pages reclaimed meanwhile, once enough are or time is up.
///
/// # Errors
/// When its input or output breaks.
pub fn run() -> io::Result<()> {
    let mut held: VecDeque<Vec<u8>> = VecDeque::new();
    let (mut at_rest, mut marks) = (None, 0usize);
    for line in io::stdin().lock().lines() {
        if line?.trim() != "squeeze" {
            continue;
        }
        if swap_fills_up() {
            // Anew: what it holds there goes.
            held.clear();
            at_rest = None;
        }
        let (start, before) = (Instant::now(), reclaimed());
        let mut pages = 0;
        while pages < RECLAIMED && start.elapsed() < LONGEST {
            let mut memory = vec![0; MIB];
            for page in memory.chunks_mut(PAGE) {
                // No two alike, or they would take no memory in compressed swap.
                marks = marks.wrapping_add(1);
                for (to, from) in page.iter_mut().zip(marks.to_le_bytes()) {
                    *to = from;
                }
            }
            held.push_back(memory);
            pages = reclaimed().saturating_sub(before);
        }
        println!("{pages}");
        io::stdout().flush()?;
        // The newest are in memory. The oldest are in swap: they go when there is more than at first, or
        // swap would fill up.
        held.truncate(held.len().saturating_sub(GIVEN_BACK));
        let rest = *at_rest.get_or_insert(held.len());
        held.drain(..held.len().saturating_sub(rest));
    }
    Ok(())
}

/// The process as who tells it sees it.
#[derive(Debug)]
pub struct Hog {
    child: Child,
    told: ChildStdin,
    answers: Receiver<u64>,
}

impl Hog {
    /// Within this it answers: time is up for it between two pieces, and one may take long when memory is short.
    pub const PATIENCE: Duration = Duration::from_secs(120);

    /// Starts it and lets it take what is free.
    ///
    /// # Errors
    /// [`Trouble`] when it does not start.
    pub fn start() -> Result<Self, Trouble> {
        let broken = |what: &str| Trouble::Broken(format!("the memory hog: {what}"));
        let mut child = Command::new("kgpu-guest")
            .arg("hog")
            // What it frees goes back to the kernel at once.
            .env("MALLOC_MMAP_THRESHOLD_", "65536")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| broken(&error.to_string()))?;
        let told = child.stdin.take().ok_or_else(|| broken("no input"))?;
        let output = child.stdout.take().ok_or_else(|| broken("no output"))?;
        let (send, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line.trim().parse().unwrap_or(0)).is_err() {
                    break;
                }
            }
        });
        let mut hog = Self {
            child,
            told,
            answers,
        };
        hog.squeeze()?;
        hog.answers
            .recv_timeout(Self::PATIENCE)
            .map_err(|error| broken(&error.to_string()))?;
        Ok(hog)
    }

    /// Tells it to take memory until the kernel reclaims.
    ///
    /// # Errors
    /// [`Trouble`] when it is gone.
    pub fn squeeze(&mut self) -> Result<(), Trouble> {
        self.told
            .write_all(b"squeeze\n")
            .map_err(|error| Trouble::Broken(format!("the memory hog: {error}")))
    }

    /// Pages reclaimed since it was told, once it has given back what it took.
    pub fn answer(&self) -> Option<u64> {
        self.answers.try_recv().ok()
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
