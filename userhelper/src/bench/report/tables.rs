//! A report for people: a table for each part that was measured.

use super::Report;
use crate::bench::crossover;
use crate::bench::peers::OWN;
use crate::bench::record::{CpuCost, Part, Record};
use crate::table;

/// A column: its head, whether it is flush right, and a record's cell.
type Column = (&'static str, bool, fn(&Record) -> String);

fn rate(value: f64) -> String {
    // Three digits and more, whatever the size.
    match value {
        0.0 => "0".to_owned(),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.1 => format!("{v:.3}"),
        v if v >= 0.001 => format!("{v:.5}"),
        v => format!("{v:.7}"),
    }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

fn cost(record: &Record, pick: fn(&CpuCost) -> f64) -> String {
    let cost = record
        .cpu
        .as_ref()
        .map(pick)
        .filter(|cost| cost.is_finite());
    cost.map_or_else(|| "-".to_owned(), rate)
}

const BY: Column = ("by", false, |r| r.by.clone());
const ALGORITHM: Column = ("algorithm", false, |r| r.algorithm.to_owned());
const KEY: Column = ("key bits", true, |r| r.key_bits.to_string());
const OP: Column = ("op", false, |r| r.op.clone());
const UNIT: Column = ("unit", true, |r| match r.unit {
    0 => "-".to_owned(),
    unit => unit.to_string(),
});
const SIZE: Column = ("size", true, |r| r.size.to_string());
const DEPTH: Column = ("depth", true, |r| r.depth.to_string());
const KEYS: Column = ("keys", true, |r| r.keys.to_string());
const THREADS: Column = ("threads", true, |r| match r.threads {
    0 => "-".to_owned(),
    threads => threads.to_string(),
});
const MEDIAN: Column = ("GB/s", true, |r| rate(r.gigabytes));
const BEST: Column = ("best", true, |r| rate(r.best));
const REQUESTS: Column = ("req/s", true, |r| format!("{:.0}", r.requests()));
const P50: Column = ("p50 us", true, |r| optional(r.p50_us));
const P99: Column = ("p99 us", true, |r| optional(r.p99_us));
const CPU: Column = ("cpu s/GB", true, |r| cost(r, |c| c.helper));
const HELPER: Column = ("helper s/GB", true, |r| cost(r, |c| c.helper));
const GUEST: Column = ("guest s/GB", true, |r| cost(r, |c| c.submitter));
const SUBMIT: Column = ("submit s/GB", true, |r| cost(r, |c| c.submitter));

/// A part's title and columns.
const fn shape(part: Part) -> (&'static str, &'static [Column]) {
    match part {
        Part::Copy => (
            "Between host and device",
            &[BY, ALGORITHM, SIZE, MEDIAN, BEST],
        ),
        Part::Device => (
            "In the device's memory",
            &[BY, ALGORITHM, KEY, OP, SIZE, DEPTH, KEYS, MEDIAN, BEST],
        ),
        Part::Throughput => (
            "Host to host through the ring",
            &[
                BY, ALGORITHM, KEY, OP, SIZE, DEPTH, MEDIAN, BEST, REQUESTS, P50, P99, CPU, SUBMIT,
            ],
        ),
        Part::Burst => (
            "Bursts of sectors through the ring, from idle to the last completion",
            &[BY, ALGORITHM, KEY, OP, SIZE, DEPTH, MEDIAN, P50, P99],
        ),
        Part::Peer => (
            "On the processors",
            &[BY, ALGORITHM, KEY, OP, SIZE, THREADS, MEDIAN, BEST],
        ),
        Part::Caller => (
            "Callers in the kernel, and libraries on the same processors",
            &[
                BY, ALGORITHM, KEY, OP, SIZE, UNIT, DEPTH, THREADS, MEDIAN, P50, P99, HELPER, GUEST,
            ],
        ),
        Part::Disk => (
            "dm-crypt on a ram disk, by fio, and libraries on the same processors",
            &[
                BY, ALGORITHM, KEY, OP, SIZE, UNIT, DEPTH, THREADS, MEDIAN, P50, P99, HELPER, GUEST,
            ],
        ),
        Part::Folder => (
            "eCryptfs, and libraries on the same processors",
            &[BY, ALGORITHM, KEY, OP, SIZE, THREADS, MEDIAN, HELPER, GUEST],
        ),
    }
}

const PARTS: [Part; 8] = [
    Part::Copy,
    Part::Device,
    Part::Throughput,
    Part::Burst,
    Part::Peer,
    Part::Caller,
    Part::Disk,
    Part::Folder,
];

/// The records of a part's table. Those of a kernel have the libraries' below each algorithm's, as what CPUs can do:
/// the kernel may have no fast ciphers of its own.
fn of_part(part: Part, records: &[Record]) -> Vec<&Record> {
    let of = || records.iter().filter(move |r| r.part == part);
    if !matches!(part, Part::Caller | Part::Disk | Part::Folder) {
        return of().collect();
    }
    let subject = |r: &Record| (r.algorithm, r.key_bits);
    let mut subjects: Vec<(&str, usize)> = Vec::new();
    for record in of() {
        if !subjects.contains(&subject(record)) {
            subjects.push(subject(record));
        }
    }
    let libraries = || {
        records
            .iter()
            .filter(|r| r.part == Part::Peer && r.by != OWN)
    };
    subjects
        .into_iter()
        .flat_map(|which| of().chain(libraries()).filter(move |r| subject(r) == which))
        .collect()
}

/// Writes a table of a head, which columns are flush right, and rows.
type Style = fn(&[&str], &[bool], &[Vec<String>]) -> String;

fn part(part: Part, records: &[Record], heading: &str, style: Style) -> String {
    let of = of_part(part, records);
    if of.is_empty() {
        return String::new();
    }
    let (title, columns) = shape(part);
    let head: Vec<&str> = columns.iter().map(|(head, ..)| *head).collect();
    let right: Vec<bool> = columns.iter().map(|(_, right, _)| *right).collect();
    let rows: Vec<Vec<String>> = of
        .iter()
        .map(|record| columns.iter().map(|(.., cell)| cell(record)).collect())
        .collect();
    format!("\n{heading}{title}\n\n{}", style(&head, &right, &rows))
}

fn crossovers(report: &Report) -> String {
    if report.crossovers.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = report
        .crossovers
        .iter()
        .map(|c| {
            vec![
                c.algorithm.to_owned(),
                c.bytes
                    .map_or_else(|| "never".to_owned(), |b| b.to_string()),
                c.backend.clone(),
                c.against.clone(),
                rate(c.one_core),
            ]
        })
        .collect();
    let head = [
        "algorithm",
        "bytes queued",
        "backend",
        "one core of",
        "GB/s",
    ];
    let right = [false, true, false, false, true];
    format!(
        "\nCrossover: bytes queued from which the backend is done sooner than one core\n\n{}\n\
         The module's parameter, for `modprobe kgpu crossover=…` or \
         /sys/module/kgpu/parameters/crossover:\n{}\n",
        table::lines(&head, &right, &rows),
        crossover::parameter(&report.crossovers)
    )
}

/// Where, when and how, a line each.
fn circumstances(report: &Report) -> [String; 4] {
    let versions = report.versions.iter();
    let versions: Vec<String> = versions.map(|(name, v)| format!("{name} {v}")).collect();
    [
        format!("machine: {}", report.machine.line()),
        format!("date: {}", report.date),
        format!("command: {}", report.command),
        format!("versions: {}", versions.join(", ")),
    ]
}

/// The tables as Markdown, without crossovers.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    for line in circumstances(report).iter().chain(&report.notes) {
        text += &format!("- {line}\n");
    }
    for which in PARTS {
        text += &part(which, &report.records, "### ", table::markdown);
    }
    text
}

/// The tables.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = circumstances(report).join("\n");
    text.push('\n');
    for which in PARTS {
        text += &part(which, &report.records, "", table::lines);
    }
    text += &crossovers(report);
    for note in &report.notes {
        text += &format!("note: {note}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(part: Part, by: &str, algorithm: &'static str) -> Record {
        Record {
            part,
            by: by.to_owned(),
            algorithm,
            key_bits: 256,
            op: "encrypt".to_owned(),
            size: 4096,
            unit: 512,
            depth: 1,
            keys: 1,
            threads: 1,
            gigabytes: 1.0,
            best: 1.0,
            p50_us: None,
            p99_us: None,
            cpu: Some(CpuCost {
                helper: f64::NAN,
                submitter: 0.5,
            }),
            checked: 0,
        }
    }

    #[test]
    fn small_rates_keep_their_digits() {
        let told = [123.4, 12.34, 1.234, 0.012_34, 0.000_123_4].map(rate);
        assert_eq!(told, ["123", "12.3", "1.234", "0.01234", "0.0001234"]);
    }

    #[test]
    fn small_costs_keep_their_digits() {
        let told = |submitter| {
            let mut record = record(Part::Caller, "kgpu, pool buffers", "xts(a)");
            record.cpu = Some(CpuCost {
                helper: f64::NAN,
                submitter,
            });
            cost(&record, |cost| cost.submitter)
        };
        assert_eq!(told(14_311_840.0 / 19_246_612_480.0), "0.0007436");
        assert_eq!(told(0.0), "0");
        assert_eq!(told(f64::NAN), "-");
    }

    #[test]
    fn a_kernels_table_has_the_libraries_below_each_algorithm() {
        let records = [
            record(Part::Peer, "lib", "xts(b)"),
            record(Part::Peer, OWN, "xts(b)"),
            record(Part::Peer, "lib", "xts(c)"),
            record(Part::Disk, "stock", "xts(a)"),
            record(Part::Disk, "kgpu", "xts(b)"),
            record(Part::Disk, "kgpu", "xts(a)"),
        ];
        let told = |part| -> Vec<(&str, &str)> {
            let of = of_part(part, &records);
            of.iter().map(|r| (r.algorithm, r.by.as_str())).collect()
        };
        let expected = [
            ("xts(a)", "stock"),
            ("xts(a)", "kgpu"),
            ("xts(b)", "kgpu"),
            ("xts(b)", "lib"),
        ];
        assert_eq!(told(Part::Disk), expected);
        assert_eq!(told(Part::Peer).len(), 3);
        assert!(told(Part::Folder).is_empty());
    }

    #[test]
    fn a_table_is_markdown_too_and_tells_no_time_that_is_not_known() {
        let records = [record(Part::Disk, "kgpu", "xts(a)")];
        let table = part(Part::Disk, &records, "### ", table::markdown);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].starts_with("### dm-crypt"), "{table}");
        assert!(lines[3].starts_with("| by | algorithm |"), "{table}");
        assert!(lines[4].starts_with("| --- | --- | ---: |"), "{table}");
        assert!(lines[5].ends_with("| - | 0.500 |"), "{table}");
    }
}
