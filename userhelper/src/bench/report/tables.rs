//! A report for people: a table for each part that was measured.

use super::Report;
use crate::bench::crossover;
use crate::bench::record::{CpuCost, Part, Record};
use crate::table;

/// A column: its head, whether it is flush right, and a record's cell.
type Column = (&'static str, bool, fn(&Record) -> String);

fn rate(value: f64) -> String {
    // Three digits and more, whatever the size.
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

fn cost(record: &Record, pick: fn(&CpuCost) -> f64) -> String {
    let cost = record.cpu.as_ref().map(pick);
    cost.map_or_else(|| "-".to_owned(), |cost| format!("{cost:.3}"))
}

const BY: Column = ("by", false, |r| r.by.clone());
const ALGORITHM: Column = ("algorithm", false, |r| r.algorithm.to_owned());
const KEY: Column = ("key bits", true, |r| r.key_bits.to_string());
const OP: Column = ("op", false, |r| r.op.clone());
const SIZE: Column = ("size", true, |r| r.size.to_string());
const DEPTH: Column = ("depth", true, |r| r.depth.to_string());
const KEYS: Column = ("keys", true, |r| r.keys.to_string());
const THREADS: Column = ("threads", true, |r| r.threads.to_string());
const MEDIAN: Column = ("GB/s", true, |r| rate(r.gigabytes));
const BEST: Column = ("best", true, |r| rate(r.best));
const REQUESTS: Column = ("req/s", true, |r| format!("{:.0}", r.requests()));
const P50: Column = ("p50 us", true, |r| optional(r.p50_us));
const P99: Column = ("p99 us", true, |r| optional(r.p99_us));
const CPU: Column = ("cpu s/GB", true, |r| cost(r, |c| c.helper));
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
    }
}

const PARTS: [Part; 5] = [
    Part::Copy,
    Part::Device,
    Part::Throughput,
    Part::Burst,
    Part::Peer,
];

fn part(part: Part, records: &[Record]) -> String {
    let of: Vec<&Record> = records.iter().filter(|r| r.part == part).collect();
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
    format!("\n{title}\n\n{}", table::lines(&head, &right, &rows))
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

/// The tables.
#[must_use]
pub fn text(report: &Report) -> String {
    let versions = report.versions.iter();
    let versions: Vec<String> = versions.map(|(name, v)| format!("{name} {v}")).collect();
    let mut text = format!(
        "machine: {}\ndate: {}\ncommand: {}\nversions: {}\n",
        report.machine.line(),
        report.date,
        report.command,
        versions.join(", ")
    );
    for which in PARTS {
        text += &part(which, &report.records);
    }
    text += &crossovers(report);
    for note in &report.notes {
        text += &format!("note: {note}\n");
    }
    text
}
