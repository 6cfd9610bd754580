//! What a run found, and writing it: tables, CSV, JSON, plots, the module's parameter.

mod files;
mod machine;
mod tables;

pub use machine::Machine;

use super::args::OutputArgs;
use super::crossover::{self, Crossover};
use super::plot;
use super::record::Record;
use crate::error::UserError;

/// All that a run found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// When, in UTC.
    pub date: String,
    /// The command line.
    pub command: String,
    /// Programs and libraries with their versions.
    pub versions: Vec<(String, String)>,
    /// The lines, in the order in which they were measured.
    pub records: Vec<Record>,
    /// The crossovers, where bursts and peers were measured.
    pub crossovers: Vec<Crossover>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// The command line, quoted for a shell where it needs to be.
fn command_line() -> String {
    let quoted = |word: String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let words = std::env::args().skip(1).map(quoted);
    std::iter::once("kgpu".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

impl Report {
    /// An empty report of this machine, now.
    #[must_use]
    pub fn start(name: &str, device: &str) -> Self {
        let own = ("kgpu".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        let (libraries, _) = super::peers::libraries();
        let libraries = libraries
            .iter()
            .map(|peer| (peer.name().to_owned(), peer.version().to_owned()));
        Self {
            machine: Machine::here(name, device),
            date: machine::now(),
            command: command_line(),
            versions: std::iter::once(own).chain(libraries).collect(),
            records: Vec::new(),
            crossovers: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a part's lines and notes.
    pub fn add(&mut self, (records, notes): (Vec<Record>, Vec<String>)) {
        self.records.extend(records);
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Prints it, and writes the files that the command line asks for.
    ///
    /// # Errors
    /// [`UserError`]: a file can't be written, or there are no crossovers to store.
    pub fn finish(mut self, output: &OutputArgs) -> Result<(), UserError> {
        self.crossovers = crossover::crossovers(&self.records);
        print!("{}", tables::text(&self));
        if let Some(path) = &output.csv {
            files::write(path, &files::csv(&self.records))?;
        }
        if let Some(path) = &output.json {
            files::write(path, &files::json(&self))?;
        }
        if let Some(path) = &output.markdown {
            files::write(path, &tables::markdown(&self))?;
        }
        if let Some(folder) = &output.plots {
            for (name, svg) in plot::families(&self) {
                files::write(&folder.join(name), &svg)?;
            }
        }
        if let Some(path) = &output.store {
            if self.crossovers.is_empty() {
                return Err(UserError::failure(
                    "there are no crossovers to store",
                    "run `kgpu bench crossover` or `kgpu bench all` with --store",
                ));
            }
            let (machine, date) = (self.machine.line(), &self.date);
            let text = crossover::modprobe_file(&self.crossovers, &machine, date);
            files::write(path, &text)?;
        }
        Ok(())
    }
}
