//! Counting what passed, failed and was left out, and the last line of a run.

use std::process::ExitCode;

use crate::vm::Report;

/// The counts of a run.
#[derive(Debug, Default)]
pub struct Tally {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Tally {
    /// Adds `count` passed checks.
    pub fn pass(&mut self, count: usize) {
        self.passed += count;
    }

    /// Adds one failure.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failed.push(what.into());
    }

    /// Adds something left out, with the reason.
    pub fn skip(&mut self, what: impl Into<String>) {
        self.skipped.push(what.into());
    }

    /// Adds a guest's checks.
    pub fn add_guest(&mut self, report: &Report) {
        self.passed += report.passed;
        self.failed.extend(report.failed.iter().cloned());
        self.skipped.extend(report.skipped.iter().cloned());
    }

    /// Number of checks passed so far.
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// Number of failures so far.
    pub fn failures(&self) -> usize {
        self.failed.len()
    }

    /// Prints what failed and was skipped, then the counts as the very last line.
    pub fn finish(&self) -> ExitCode {
        for what in &self.skipped {
            println!("skipped: {what}");
        }
        for what in &self.failed {
            println!("FAILED: {what}");
        }
        println!("{}", self.last_line());
        if self.failed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn last_line(&self) -> String {
        let mut line = format!("{} passed, {} failed", self.passed, self.failed.len());
        if !self.skipped.is_empty() {
            line.push_str(&format!(", {} skipped", self.skipped.len()));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_its_exact_form() {
        let mut tally = Tally::default();
        tally.pass(3);
        assert_eq!(tally.last_line(), "3 passed, 0 failed");
        tally.fail("a");
        tally.skip("b");
        assert_eq!(tally.last_line(), "3 passed, 1 failed, 1 skipped");
    }
}
