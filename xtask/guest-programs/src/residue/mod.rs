//! What is left of keys and data in memory: `hold` uses known secrets through the crypto API, `scan` looks for them in
//! another process or in the whole machine, `pages` notes which page frames a process has, to look at them later.
//! No process that looks for a secret ever holds it: see `secrets`.

mod hold;
mod kernel;
mod process;
mod secrets;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use clap::Subcommand;
use kgpu_verify::residue::Search;

/// What to do about residues.
#[derive(Debug, Subcommand)]
pub enum Residue {
    /// Use a driver of the crypto API with known keys and plaintext, as standard input says: `key N`, `run REQUESTS`,
    /// `open`, `close`; each is answered with a line
    Hold {
        /// The driver, as in /proc/crypto
        driver: String,
        /// Bytes of a key
        #[arg(long, default_value_t = 32)]
        key_bytes: usize,
    },
    /// Count occurrences, one line for each pattern and place: `PATTERN PLACE COUNT`
    Scan {
        /// Patterns to look for; without any, all that there are
        #[arg(long, value_delimiter = ',')]
        patterns: Vec<String>,
        /// In the memory of a process
        #[arg(long, conflicts_with_all = ["pages", "kernel"])]
        pid: Option<u32>,
        /// In the page frames that `pages` noted
        #[arg(long, conflicts_with = "kernel")]
        pages: Option<PathBuf>,
        /// In all memory of the machine
        #[arg(long)]
        kernel: bool,
        /// With `--kernel`: the place of what is in page frames that `pages` noted is `listed`
        #[arg(long, requires = "kernel")]
        apart: Option<PathBuf>,
    },
    /// Note the page frames of a process: `FRAME PLACE` lines
    Pages {
        /// The process
        pid: u32,
    },
    /// List the patterns
    Patterns,
}

/// Occurrences by pattern and place.
#[derive(Debug, Default)]
struct Found(BTreeMap<(String, String), u64>);

impl Found {
    fn add(&mut self, pattern: &str, place: &str) {
        let key = (pattern.to_owned(), place.to_owned());
        *self.0.entry(key).or_default() += 1;
    }
}

/// Does it.
///
/// # Errors
/// What could not be read or written.
pub fn run(what: Residue) -> io::Result<()> {
    match what {
        Residue::Hold { driver, key_bytes } => hold::run(&driver, key_bytes),
        Residue::Patterns => {
            for name in secrets::all().keys() {
                println!("{name}");
            }
            Ok(())
        }
        Residue::Pages { pid } => process::pages(pid),
        Residue::Scan {
            patterns,
            pid,
            pages,
            kernel: _,
            apart,
        } => {
            let mut all = secrets::all();
            if let Some(unknown) = patterns.iter().find(|name| !all.contains_key(*name)) {
                return Err(io::Error::other(format!(
                    "there is no pattern {unknown}: see `residue patterns`"
                )));
            }
            all.retain(|name, _| patterns.is_empty() || patterns.contains(name));
            let search = Search::new(all);
            let mut found = Found::default();
            let bytes = match (pid, pages) {
                (Some(pid), _) => process::scan(pid, &search, &mut found)?,
                (_, Some(list)) => kernel::scan_pages(&list, &search, &mut found)?,
                _ => kernel::scan(apart.as_deref(), &search, &mut found)?,
            };
            for ((pattern, place), count) in &found.0 {
                println!("{pattern} {place} {count}");
            }
            println!("scanned {bytes}");
            Ok(())
        }
    }
}
