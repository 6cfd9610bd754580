//! How far a benchmark is, for people who wait for it.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that grows with the number of cases.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Default for Progress {
    fn default() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }
}

impl Progress {
    /// Says how many more cases there will be.
    pub fn expect(&self, cases: usize) {
        self.bar.inc_length(u64::try_from(cases).unwrap_or(0));
    }

    /// Begins the next case.
    pub fn step(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.inc(1);
    }

    /// Takes the bar off the screen.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
