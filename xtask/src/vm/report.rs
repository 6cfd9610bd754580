//! What a guest tells: the marked lines on its second serial port, collected into a report.

use super::dmesg;

/// Starts each line of the protocol.
const MARK: &str = "@@ ";
/// Starts the reason of a failed check that was a wait and nothing else (`wait_until` of the suites' lib.sh).
const WAITED: &str = " # waited in vain, ";

/// One line from the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A check passed.
    Ok(String),
    /// A check failed, with the reason.
    NotOk(String),
    /// A check was left out, with the reason.
    Skip(String),
    /// Progress.
    Note(String),
    /// A line of the guest's result table.
    Row(String),
    /// A log text that the suite provokes on purpose.
    Allow(String),
    /// A raw line of the kernel log.
    Dmesg(String),
    /// Something that the host is to do.
    Host(String),
    /// The suite ended with this status.
    End(String),
}

/// Reads a line of the protocol; others are none.
pub fn parse(line: &str) -> Option<Line> {
    let line = line.trim_end().strip_prefix(MARK)?;
    let (kind, text) = line.split_once(' ').unwrap_or((line, ""));
    let text = text.to_owned();
    Some(match kind {
        "note" => Line::Note(text),
        "row" => Line::Row(text),
        "allow" => Line::Allow(text),
        "dmesg" => Line::Dmesg(text),
        "host" => Line::Host(text),
        "end" => Line::End(text),
        _ => {
            if let Some(name) = line.strip_prefix("not ok - ") {
                Line::NotOk(name.to_owned())
            } else if let Some(name) = line.strip_prefix("ok - ") {
                match name.split_once(" # SKIP ") {
                    Some((name, why)) => Line::Skip(format!("{name}: {why}")),
                    None => Line::Ok(name.to_owned()),
                }
            } else {
                return None;
            }
        }
    })
}

/// The outcome of one guest run.
#[derive(Debug, Default)]
pub struct Report {
    /// Checks passed.
    pub passed: usize,
    /// Failed checks with their reasons.
    pub failed: Vec<String>,
    /// Left-out checks with their reasons.
    pub skipped: Vec<String>,
    /// The guest's result table, line by line.
    pub rows: Vec<String>,
    allowed: Vec<String>,
    dmesg: Vec<String>,
    end: Option<String>,
    /// Whether the guest said anything: none of our code runs in its kernel before.
    pub began: bool,
}

impl Report {
    /// Takes one line in and returns what to show of it.
    pub fn take(&mut self, line: Line) -> Option<String> {
        self.began = true;
        match line {
            Line::Ok(name) => {
                self.passed += 1;
                Some(format!("  ok      {name}"))
            }
            Line::NotOk(name) => {
                let shown = format!("  NOT OK  {name}");
                self.failed.push(name);
                Some(shown)
            }
            Line::Skip(name) => {
                let shown = format!("  skipped {name}");
                self.skipped.push(name);
                Some(shown)
            }
            Line::Note(text) => Some(format!("  ..      {text}")),
            Line::Row(row) => {
                self.rows.push(row);
                None
            }
            Line::Allow(text) => {
                self.allowed.push(text);
                None
            }
            Line::Dmesg(text) => {
                self.dmesg.push(text);
                None
            }
            // Done by whoever has the helpers; refused where there are none.
            Line::Host(order) => Some(format!("  ..      host: {order}")),
            Line::End(status) => {
                self.end = Some(status);
                None
            }
        }
    }

    /// Whether nothing failed but waits for something to happen: a busy host makes an emulated guest too slow for them.
    pub fn only_waited(&self) -> bool {
        !self.failed.is_empty() && self.failed.iter().all(|what| what.contains(WAITED))
    }

    /// Says in each failure and omission which run it belongs to.
    pub fn prefix(&mut self, run: &str) {
        for text in self.failed.iter_mut().chain(&mut self.skipped) {
            text.insert_str(0, run);
        }
    }

    /// Judges the whole run: the end marker, the kernel log, at least one check. Call once, last.
    pub fn close(&mut self, why_stopped: Option<&str>) {
        match self.end.as_deref() {
            None => self.failed.push(format!(
                "the suite did not end: {}",
                why_stopped.unwrap_or("the guest stopped early")
            )),
            Some("0") => {}
            Some(status) => self
                .failed
                .push(format!("the suite's script stopped with status {status}")),
        }
        let problems = dmesg::problems(&self.dmesg, &self.allowed);
        if self.end.is_some() && self.dmesg.is_empty() {
            self.failed.push("the guest sent no kernel log".to_owned());
        } else if problems.is_empty() && self.end.is_some() {
            self.passed += 1;
        }
        self.failed
            .extend(problems.into_iter().map(|p| format!("kernel log: {p}")));
        if self.passed + self.failed.len() == 0 {
            self.failed.push("the suite made no check".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(parse("@@ ok - a b\r"), Some(Line::Ok("a b".into())));
        assert_eq!(
            parse("@@ not ok - a # why"),
            Some(Line::NotOk("a # why".into()))
        );
        assert_eq!(
            parse("@@ ok - a # SKIP no such cipher"),
            Some(Line::Skip("a: no such cipher".into()))
        );
        assert_eq!(parse("@@ row | x |"), Some(Line::Row("| x |".into())));
        assert_eq!(parse("@@ end 0"), Some(Line::End("0".into())));
        assert_eq!(parse("ok - unmarked"), None);
        assert_eq!(parse("@@ nonsense"), None);
    }

    #[test]
    fn a_run_without_end_fails() {
        let mut report = Report::default();
        report.take(Line::Ok("a".into()));
        report.close(Some("timeout"));
        assert_eq!(report.failed, ["the suite did not end: timeout"]);
    }

    #[test]
    fn a_clean_log_counts_as_a_check() {
        let mut report = Report::default();
        report.take(Line::Ok("a".into()));
        report.take(Line::Dmesg("<6>[0.0] Linux".into()));
        report.take(Line::End("0".into()));
        report.close(None);
        assert_eq!((report.passed, report.failed.len()), (2, 0));
    }

    #[test]
    fn waits_are_told_from_other_failures() {
        let mut report = Report::default();
        assert!(!report.only_waited());
        let waited = Line::NotOk("it computes # waited in vain, 20 s: it stayed 3".into());
        report.take(waited.clone());
        assert!(report.only_waited());
        report.take(Line::NotOk(
            "the bytes are right # expected 'a', found 'b'".into(),
        ));
        assert!(!report.only_waited());
        let mut report = Report::default();
        report.take(waited);
        report.take(Line::Dmesg("<5>[1.0] kgpu-suite: phase kgpu".into()));
        report.take(Line::Dmesg("<4>[1.0] WARNING: CPU: 0".into()));
        report.take(Line::End("0".into()));
        report.close(None);
        assert!(!report.only_waited(), "the kernel's log counts");
    }

    #[test]
    fn a_broken_script_fails() {
        let mut report = Report::default();
        report.take(Line::Dmesg("<6>[0.0] Linux".into()));
        report.take(Line::End("2".into()));
        report.close(None);
        assert_eq!(report.failed, ["the suite's script stopped with status 2"]);
    }
}
