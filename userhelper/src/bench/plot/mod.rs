//! Plots of throughput over request size, one per cipher: which lines a plot has. Drawing is
//! `chart`'s.

mod chart;

use super::numbers::float;
use super::record::{Part, Record};
use super::report::Report;
use chart::{Chart, Dash, Level, Line, Mark};

/// The cipher of an algorithm's name: `twofish` of `xts(twofish)`.
fn cipher(algorithm: &str) -> &str {
    let inner = algorithm.split_once('(').map(|(_, inner)| inner);
    inner.map_or(algorithm, |inner| inner.trim_end_matches(')'))
}

/// Distinct values, in order of appearance.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.fold(Vec::new(), |mut seen, value| {
        if !seen.contains(&value) {
            seen.push(value);
        }
        seen
    })
}

/// For each size the rate of the depth that is fastest with it.
fn over_size<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<(f64, f64)> {
    let mut points: Vec<(u64, f64)> = Vec::new();
    for record in records {
        match points.iter_mut().find(|(size, _)| *size == record.size) {
            Some((_, rate)) => *rate = rate.max(record.gigabytes),
            None => points.push((record.size, record.gigabytes)),
        }
    }
    points.sort_by_key(|(size, _)| *size);
    points
        .into_iter()
        .map(|(size, rate)| (float(size), rate))
        .collect()
}

/// What a colour stands for.
type Subject<'a> = (&'a str, usize);

/// The fastest implementation of a subject on one core and on the most cores measured.
fn peers(records: &[&Record], subject: Subject<'_>, colour: usize, levels: &mut Vec<Level>) {
    let of = records
        .iter()
        .filter(|r| r.part == Part::Peer && (r.algorithm, r.key_bits) == subject);
    let most = of.clone().map(|r| r.threads).max().unwrap_or(1);
    for (threads, dash) in [(1, Dash::Dots), (most, Dash::Mixed)] {
        let rates = of
            .clone()
            .filter(|r| r.threads == threads)
            .map(|r| r.gigabytes);
        if let Some(y) = rates.reduce(f64::max) {
            levels.push(Level {
                y,
                dash,
                colour: Some(colour),
                label: String::new(),
            });
        }
        if most == 1 {
            break;
        }
    }
}

/// Whether a line of requests belongs into a plot: those of a kernel are many, and of one operation only.
fn drawn(record: &Record) -> bool {
    match record.part {
        Part::Throughput => true,
        Part::Caller => record.op != "decrypt",
        _ => false,
    }
}

/// What the lines of one subject differ in: the operation, and in a kernel who did it.
fn what(record: &Record) -> String {
    match record.part {
        Part::Caller => format!("{}, {}", record.op, record.by),
        _ => record.op.clone(),
    }
}

fn family(report: &Report, name: &str) -> Option<String> {
    let records: Vec<&Record> = report
        .records
        .iter()
        .filter(|r| r.part != Part::Copy && cipher(r.algorithm) == name)
        .collect();
    let through = || records.iter().filter(|r| drawn(r));
    let in_kernel = through().any(|r| r.part == Part::Caller);
    let subjects = distinct(through().map(|r| (r.algorithm, r.key_bits)));
    let (mut lines, mut levels, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    for (colour, &subject) in subjects.iter().enumerate() {
        let of = || through().filter(move |r| (r.algorithm, r.key_bits) == subject);
        for (number, op) in distinct(of().map(|r| what(r))).into_iter().enumerate() {
            lines.push(Line {
                label: match subject.1 {
                    0 if in_kernel => format!("{} {op}", subject.0),
                    0 => subject.0.to_owned(),
                    bits => format!("{} {bits} {op}", subject.0),
                },
                colour,
                dash: if number == 0 {
                    Dash::None
                } else {
                    Dash::Dashes
                },
                points: over_size(of().filter(|r| what(r) == op).copied()),
            });
        }
        peers(&records, subject, colour, &mut levels);
        let crossover = report.crossovers.iter().find(|c| c.algorithm == subject.0);
        if let Some((bytes, y)) = crossover.and_then(|c| Some((c.bytes?, c.one_core)))
            && !marks
                .iter()
                .any(|mark: &Mark| mark.label.starts_with(subject.0))
        {
            marks.push(Mark {
                x: float(bytes),
                y,
                colour,
                label: format!("{}: crossover at {}", subject.0, chart::bytes(float(bytes))),
            });
        }
    }
    if lines.is_empty() {
        return None;
    }
    for copy in report.records.iter().filter(|r| r.part == Part::Copy) {
        levels.push(Level {
            y: copy.gigabytes,
            dash: Dash::Dashes,
            colour: None,
            label: format!("{}: {:.1} GB/s", copy.by, copy.gigabytes),
        });
    }
    let backends = distinct(through().map(|r| r.by.as_str())).join(", ");
    let most = records.iter().map(|r| r.threads).max().unwrap_or(1);
    Some(
        Chart {
            title: if in_kernel {
                format!("{name}: callers in the kernel")
            } else {
                format!("{name}: host to host through the ring ({backends})")
            },
            subtitle: format!("{}; {}", report.machine.line(), report.date),
            x_title: "bytes of a request, the best depth of each size; crossovers: bytes queued"
                .into(),
            y_title: "10^9 bytes per second".into(),
            lines,
            levels,
            marks,
            // What the thin lines mean, whose colour is their algorithm's.
            keys: vec![
                (Dash::Dots, "best CPU library, one core".into()),
                (Dash::Mixed, format!("best CPU library, {most} threads")),
            ],
        }
        .svg(),
    )
}

/// A plot for each cipher that went through the ring: file name and SVG.
#[must_use]
pub fn families(report: &Report) -> Vec<(String, String)> {
    distinct(report.records.iter().map(|r| cipher(r.algorithm)))
        .into_iter()
        .filter(|name| !name.is_empty())
        .filter_map(|name| Some((format!("{name}.svg"), family(report, name)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_are_inside_their_modes() {
        assert_eq!(cipher("xts(twofish)"), "twofish");
        assert_eq!(cipher("crc32c"), "crc32c");
    }
}
