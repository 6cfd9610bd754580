//! What the faults of all guests come to, and whether that is good enough.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{End, Fault};

/// Every kind must make so many per cent of the counted faults.
const LEAST_PERCENT: usize = 5;
/// Fewer faults say nothing of shares.
const ENOUGH_FOR_SHARES: usize = 100;
/// Kinds as rows name them: broken ring words are told as garbage.
const KINDS: [&str; 8] = [
    "kill",
    "stop",
    "takeover",
    "garbage",
    "wrong-data",
    "slow",
    "error",
    "pressure",
];

/// The sum of the guests.
#[derive(Debug)]
pub struct Summary {
    asked: u64,
    deadline_ms: u64,
    faults: Vec<(u64, Fault)>,
    ends: Vec<(u64, End)>,
    /// Findings in the kernels' logs.
    pub warnings: usize,
}

/// The value below which so many per mille of the sorted values lie.
fn quantile(sorted: &[u64], per_mille: usize) -> u64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(last * per_mille / 1000)
        .copied()
        .unwrap_or_default()
}

fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}

/// Microseconds as milliseconds.
fn ms(us: u64) -> String {
    format!("{}.{}", us / 1000, us % 1000 / 100)
}

/// `p50/p99/max` in milliseconds.
fn times(sorted: &[u64]) -> String {
    let last = sorted.last().copied().unwrap_or_default();
    format!(
        "{}/{}/{}",
        ms(quantile(sorted, 500)),
        ms(quantile(sorted, 990)),
        ms(last)
    )
}

impl Summary {
    /// Nothing yet, of so many faults that were asked for.
    pub const fn new(asked: u64, deadline_ms: u64) -> Self {
        Self {
            asked,
            deadline_ms,
            faults: Vec::new(),
            ends: Vec::new(),
            warnings: 0,
        }
    }

    /// Adds a guest.
    pub fn add(&mut self, seed: u64, faults: Vec<Fault>, end: &End) {
        self.faults
            .extend(faults.into_iter().map(|fault| (seed, fault)));
        self.ends.push((seed, end.clone()));
    }

    fn sum(&self, name: &str) -> u64 {
        self.ends.iter().map(|(_, end)| end.get(name)).sum()
    }

    fn counted(&self) -> impl Iterator<Item = &Fault> {
        self.faults
            .iter()
            .map(|(_, fault)| fault)
            .filter(|fault| fault.in_flight > 0)
    }

    fn by_kind(&self) -> BTreeMap<&str, Vec<&Fault>> {
        let mut kinds: BTreeMap<&str, Vec<&Fault>> = BTreeMap::new();
        for fault in self.counted() {
            kinds.entry(&fault.kind).or_default().push(fault);
        }
        kinds
    }

    /// What is not as it has to be.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let counted = self.counted().count();
        if u64::try_from(counted).unwrap_or(u64::MAX) < self.asked {
            problems.push(format!(
                "{counted} faults counted, {} were asked for",
                self.asked
            ));
        }
        for what in ["lost", "duplicated", "corrupted", "failed", "errors"] {
            match self.sum(what) {
                0 => {}
                count => problems.push(format!("{count} {what}")),
            }
        }
        if self.sum("verified-bytes") == 0 {
            problems.push("fio verified nothing".to_owned());
        }
        let kinds = self.by_kind();
        for kind in KINDS {
            let of = kinds.get(kind).map_or(0, Vec::len);
            if counted >= ENOUGH_FOR_SHARES && of * 100 < counted * LEAST_PERCENT {
                problems.push(format!(
                    "{of} of {counted} faults are {kind}: fewer than {LEAST_PERCENT} %"
                ));
            }
        }
        let undetected = self.counted().filter(|fault| fault.undetected).count();
        if undetected > 0 {
            problems.push(format!(
                "{undetected} helpers with wrong data were not found out by a recheck"
            ));
        }
        problems
    }

    /// One line for each strike.
    pub fn csv(&self) -> String {
        let mut csv = "seed,kind,helper,next,in_flight,recovery_us,pause_us,hang_us\n".to_owned();
        for (seed, fault) in &self.faults {
            let hang = fault.hang_us.map(|us| us.to_string()).unwrap_or_default();
            let _infallible = writeln!(
                csv,
                "{seed},{},{},{},{},{},{},{hang}",
                fault.kind,
                fault.helper,
                fault.next,
                fault.in_flight,
                fault.recovery_us,
                fault.pause_us
            );
        }
        csv
    }

    /// The report.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let counted = self.counted().count();
        let _infallible = writeln!(
            text,
            "{:<11} {:>6} {:>6}  {:<16} {:<26} {:<26}",
            "fault", "count", "%", "in flight", "recovery ms", "longest pause ms"
        );
        let _infallible = writeln!(
            text,
            "{:<11} {:>6} {:>6}  {:<16} {:<26} {:<26}",
            "", "", "", "min/median/max", "p50/p99/max", "p50/p99/max"
        );
        let all: Vec<&Fault> = self.counted().collect();
        for (kind, faults) in self.by_kind().iter().chain([(&"all", &all)]) {
            let hit = sorted(faults.iter().map(|fault| fault.in_flight));
            let recovery = sorted(faults.iter().map(|fault| fault.recovery_us));
            let pause = sorted(faults.iter().map(|fault| fault.pause_us));
            let share = faults.len() * 1000 / counted.max(1);
            let _infallible = writeln!(
                text,
                "{kind:<11} {:>6} {:>4}.{}  {:<16} {:<26} {:<26}",
                faults.len(),
                share / 10,
                share % 10,
                format!(
                    "{}/{}/{}",
                    hit.first().unwrap_or(&0),
                    quantile(&hit, 500),
                    hit.last().unwrap_or(&0)
                ),
                times(&recovery),
                times(&pause)
            );
        }
        self.hangs(&mut text);
        self.totals(&mut text);
        text
    }

    /// How long a hung helper's requests wait.
    fn hangs(&self, text: &mut String) {
        let hangs = sorted(self.counted().filter_map(|fault| fault.hang_us));
        let deadline = self.deadline_ms * 1000;
        let past: Vec<u64> = hangs.iter().map(|us| us.saturating_sub(deadline)).collect();
        let _infallible = writeln!(
            text,
            "hang: from SIGSTOP until the last request in flight is taken back {} ms; beyond the deadline of {} ms: {} ms (p50/p99/max)",
            times(&hangs),
            self.deadline_ms,
            times(&past)
        );
        let mut overdue: Vec<u64> = Vec::new();
        for (_, end) in &self.ends {
            overdue.resize(overdue.len().max(end.overdue.len()), 0);
            for (sum, count) in overdue.iter_mut().zip(&end.overdue) {
                *sum += count;
            }
        }
        let all: u64 = overdue.iter().sum();
        let below = |per_mille: u64| {
            let mut seen = 0;
            let bucket = overdue.iter().position(|count| {
                seen += count;
                seen * 1000 >= all * per_mille
            });
            bucket.map_or(0, |bucket| 1u64 << bucket)
        };
        let _infallible = writeln!(
            text,
            "the module took {all} overdue requests back; after their deadline, half within {} us, 99 % within {} us, all within {} us",
            below(500),
            below(990),
            below(1000)
        );
    }

    fn totals(&self, text: &mut String) {
        let counted = self.counted().count();
        let seconds = self.sum("seconds");
        let seeds: Vec<String> = self.ends.iter().map(|(seed, _)| seed.to_string()).collect();
        let _infallible = writeln!(
            text,
            "{counted} faults counted, {} strikes found nothing in flight; seeds {}; {seconds} guest seconds; {} helpers ended unasked",
            self.faults.len() - counted,
            seeds.join(", "),
            self.sum("unplanned")
        );
        let _infallible = writeln!(
            text,
            "{} requests accepted, {} answered: {} by a helper, {} by the CPU, {} of them taken back; fio verified {} MiB in {} rounds",
            self.sum("accepted"),
            self.sum("completed"),
            self.sum("helper"),
            self.sum("fallback"),
            self.sum("taken-over"),
            self.sum("verified-bytes") >> 20,
            self.sum("rounds")
        );
        let _infallible = write!(
            text,
            "lost {}, duplicated {}, corrupted {}, failed {}, kernel warnings {}",
            self.sum("lost"),
            self.sum("duplicated"),
            self.sum("corrupted"),
            self.sum("failed") + self.sum("errors"),
            self.warnings
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    fn summary(kinds: &[(&str, usize)], end: &str) -> Summary {
        let rows: Vec<String> = kinds
            .iter()
            .flat_map(|(kind, count)| {
                let row = format!(
                    "fault kind={kind} helper=evil next=evil in-flight=2 recovery-us=1500 pause-us=700"
                );
                std::iter::repeat_n(row, *count)
            })
            .chain([format!("end verified-bytes=4096 {end}")])
            .collect();
        let mut summary = Summary::new(160, 100);
        summary.add(1, rows::faults(&rows).unwrap(), &rows::end(&rows).unwrap());
        summary
    }

    const FAIR: [(&str, usize); 8] = [
        ("kill", 20),
        ("stop", 20),
        ("takeover", 20),
        ("garbage", 20),
        ("wrong-data", 20),
        ("slow", 20),
        ("error", 20),
        ("pressure", 20),
    ];

    #[test]
    fn a_fair_run_without_loss_is_good() {
        let good = summary(&FAIR, "lost=0");
        assert_eq!(good.problems(), Vec::<String>::new());
        assert!(good.text().contains("lost 0, duplicated 0, corrupted 0"));
        assert_eq!(good.csv().lines().count(), 161);
    }

    #[test]
    fn whatever_is_wrong_is_a_problem() {
        for what in [
            "lost=1",
            "duplicated=1",
            "corrupted=1",
            "failed=1",
            "errors=1",
        ] {
            assert_eq!(summary(&FAIR, what).problems().len(), 1, "{what}");
        }
        let mut uneven = FAIR;
        uneven[0].1 = 154;
        uneven[1].1 = 6;
        assert_eq!(summary(&uneven, "").problems().len(), 1);
        assert_eq!(summary(&FAIR[..7], "").problems().len(), 2);
    }

    #[test]
    fn quantiles_are_of_the_values() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!(quantile(&values, 500), 50);
        assert_eq!(quantile(&values, 990), 99);
        assert_eq!(quantile(&[], 500), 0);
    }
}
