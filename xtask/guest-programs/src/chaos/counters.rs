//! The module's counters and state, read whole and summed over the algorithms.
//! Only reading lives here; what a number means for a fault is the strikes' business.

use std::fs;
use std::io;

const COUNTERS: &str = "/sys/kernel/debug/kgpu/counters";
const STATUS: &str = "/proc/kgpu";
const LATENCY: &str = "/sys/kernel/debug/kgpu/latency";

/// The module's counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests at the helper now.
    pub in_flight: u64,
    /// Sessions closed.
    pub closed: u64,
    /// Sessions opened.
    pub sessions: u64,
    /// Helpers quarantined.
    pub quarantines: u64,
    /// Helpers that took over from another.
    pub takeovers: u64,
    /// Requests in flight at the old helper at the last takeover.
    pub takeover_in_flight: u64,
    /// Results computed again by the kernel's own ciphers, and those that were not the same.
    pub rechecks: u64,
    /// Of these, wrong ones.
    pub rechecks_wrong: u64,
    /// Requests that a helper had and the module took back.
    pub taken_over: u64,
    /// Requests completed by a helper.
    pub helper: u64,
    /// Requests that fell to the CPU for any reason.
    pub fallback: u64,
    /// Of these: the helper had died.
    pub death: u64,
    /// Of these: the helper was late.
    pub deadline: u64,
    /// Of these: the helper said it failed.
    pub failed: u64,
    /// Requests that ended in an error.
    pub errors: u64,
    /// Requests accepted.
    pub accepted: u64,
    /// Requests answered.
    pub completed: u64,
    /// Algorithms whose accepted and answered requests differ, with both numbers.
    pub unequal: Vec<(String, u64, u64)>,
}

impl Counters {
    /// Reads them.
    ///
    /// # Errors
    /// When the module is not there.
    pub fn read() -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string(COUNTERS)?))
    }

    fn parse(text: &str) -> Self {
        let mut c = Self::default();
        // Lines of an algorithm follow each other.
        let mut accepted: Option<(&str, u64)> = None;
        for line in text.lines() {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let value: u64 = value.parse().unwrap_or(0);
            match name {
                "in-flight" => c.in_flight = value,
                "sessions-closed" => c.closed = value,
                "sessions" => c.sessions = value,
                "quarantines" => c.quarantines = value,
                "takeovers" => c.takeovers = value,
                "takeover-in-flight" => c.takeover_in_flight = value,
                "taken-over" => c.taken_over = value,
                "rechecks" => c.rechecks = value,
                "rechecks-wrong" => c.rechecks_wrong = value,
                _ => {}
            }
            if let Some(algorithm) = name.strip_suffix(".accepted") {
                c.accepted += value;
                accepted = Some((algorithm, value));
            } else if let Some(algorithm) = name.strip_suffix(".completed") {
                c.completed += value;
                match accepted {
                    Some((same, count)) if same == algorithm && count != value => {
                        c.unequal.push((algorithm.to_owned(), count, value));
                    }
                    _ => {}
                }
            } else if name.ends_with(".helper.requests") {
                c.helper += value;
            } else if name.ends_with(".errors") {
                c.errors += value;
            } else if let Some(rest) = name.strip_suffix(".requests")
                && let Some((_, reason)) = rest.split_once(".fallback.")
            {
                c.fallback += value;
                match reason {
                    "death" => c.death += value,
                    "deadline" => c.deadline += value,
                    "failed" => c.failed += value,
                    _ => {}
                }
            }
        }
        c
    }

    /// Whether a helper is attached, or one that was taken over from is still finishing.
    pub const fn has_session(&self) -> bool {
        self.sessions > self.closed
    }

    /// Requests that have come to an end, whoever computed them: what an application sees as progress.
    pub const fn ended(&self) -> u64 {
        self.helper + self.fallback
    }
}

/// The state of the session as the status file says it, without what follows it in brackets.
pub fn state() -> String {
    fs::read_to_string(STATUS)
        .ok()
        .and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("state: "))?;
            Some(line.to_owned())
        })
        .unwrap_or_default()
}

/// How many overdue requests were taken back below 1, 2, 4, … microseconds after their deadline.
pub fn overdue() -> Option<String> {
    let text = fs::read_to_string(LATENCY).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("overdue after-deadline "))?;
    Some(line.to_owned())
}

/// All that the module says of itself, for a report of something that should not have happened.
pub fn dump() -> String {
    let status = fs::read_to_string(STATUS).unwrap_or_default();
    let counters = fs::read_to_string(COUNTERS).unwrap_or_default();
    let told = counters.lines().filter(|line| !line.ends_with(" 0"));
    status.lines().chain(told).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_are_summed_and_compared() {
        let c = Counters::parse(
            "taken-over 7\nin-flight 3\nxts(aes).helper.requests 10\nxts(aes).fallback.death.requests 2\n\
             xts(aes).fallback.death.bytes 8192\nxts(aes).errors 1\nxts(aes).accepted 12\nxts(aes).completed 12\n\
             cbc(aes).helper.requests 5\ncbc(aes).fallback.small.requests 1\ncbc(aes).accepted 7\ncbc(aes).completed 6\n",
        );
        assert_eq!((c.taken_over, c.in_flight), (7, 3));
        assert_eq!((c.helper, c.fallback, c.death, c.errors), (15, 3, 2, 1));
        assert_eq!((c.accepted, c.completed, c.ended()), (19, 18, 18));
        assert_eq!(c.unequal, [("cbc(aes)".to_owned(), 7, 6)]);
    }
}
