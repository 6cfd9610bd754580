//! What a report says of where and when it was made.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::all_processors;

/// The machine, as far as it is of interest to a reader of figures.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What the user calls it; may be empty.
    pub name: String,
    /// The processor's name.
    pub processor: String,
    /// Processors that this process may run on: what libraries have.
    pub processors: usize,
    /// All of the machine's.
    pub all: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The device and its driver; empty without one.
    pub device: String,
}

/// The value of the first line of /proc/cpuinfo that starts with `key`.
fn processor_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// How many processors /proc/cpuinfo tells of.
fn processor_count(cpuinfo: &str) -> usize {
    let heads = cpuinfo.lines().map(|line| line.split('\t').next());
    heads.filter(|head| *head == Some("processor")).count()
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here(name: &str, device: &str) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let processors = all_processors();
        Self {
            name: name.to_owned(),
            processor: processor_name(&cpuinfo).unwrap_or_else(|| "unknown processor".to_owned()),
            processors,
            all: processor_count(&cpuinfo).max(processors),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            device: device.to_owned(),
        }
    }

    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        if !self.name.is_empty() {
            parts.push(self.name.clone());
        }
        let count = match (self.processors, self.all) {
            (own, all) if own == all => all.to_string(),
            (own, all) => format!("{own} of {all}"),
        };
        parts.push(format!("{count} x {}", self.processor));
        if !self.device.is_empty() {
            parts.push(self.device.clone());
        }
        parts.push(format!("Linux {}", self.kernel));
        parts.join("; ")
    }
}

/// Days since 1970-01-01 as year, month, day of the Gregorian calendar.
const fn civil(days: u64) -> (u64, u64, u64) {
    // Years that start in March end with the leap day; 400 of them have 146,097 days.
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// Seconds since 1970 as UTC, like `2026-11-22T13:05:09Z`.
#[must_use]
pub fn utc(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86_400);
    let of_day = seconds % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// The date and time now, in UTC.
#[must_use]
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    utc(since.map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }

    #[test]
    fn the_processor_is_named() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: other\n";
        assert_eq!(processor_name(text).as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(processor_name(""), None);
    }

    #[test]
    fn a_part_of_the_processors_is_told_as_such() {
        let text = "processor\t: 0\nprocessor\t: 1\nmodel name\t: processor\n";
        assert_eq!(processor_count(text), 2);
        let machine = |processors| Machine {
            name: String::new(),
            processor: "Some CPU".to_owned(),
            processors,
            all: 16,
            kernel: "7".to_owned(),
            device: String::new(),
        };
        assert_eq!(machine(8).line(), "8 of 16 x Some CPU; Linux 7");
        assert_eq!(machine(16).line(), "16 x Some CPU; Linux 7");
    }
}
