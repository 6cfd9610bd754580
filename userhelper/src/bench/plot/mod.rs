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

/// Whether a line belongs into a plot of callers in a kernel: those are many, and of one operation only.
fn one_operation(record: &Record) -> bool {
    record.op != "decrypt"
}

/// Whether a line of requests belongs into a plot.
fn drawn(record: &Record) -> bool {
    match record.part {
        Part::Throughput => true,
        Part::Caller => one_operation(record),
        _ => false,
    }
}

/// What the lines of one subject differ in: the operation, and in a kernel who did it. Tables name the stock driver.
fn what(record: &Record) -> &str {
    match record.part {
        Part::Caller if record.by.starts_with("stock ") => "stock",
        Part::Caller => &record.by,
        _ => &record.op,
    }
}

fn family(report: &Report, name: &str) -> Option<String> {
    let records: Vec<&Record> = report
        .records
        .iter()
        .filter(|r| r.part != Part::Copy && cipher(r.algorithm) == name)
        .collect();
    let in_kernel = records.iter().any(|r| r.part == Part::Caller);
    let records: Vec<&Record> = records
        .into_iter()
        .filter(|r| !in_kernel || one_operation(r))
        .collect();
    let through = || records.iter().filter(|r| drawn(r));
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
                dash: match number {
                    0 => Dash::None,
                    1 => Dash::Dashes,
                    _ => Dash::Short,
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
    let peers = records.iter().filter(|r| r.part == Part::Peer);
    let most = peers.map(|r| r.threads).max().unwrap_or(1);
    Some(
        Chart {
            title: if in_kernel {
                format!("{name}: callers in the kernel")
            } else {
                format!("{name}: host to host through the ring ({backends})")
            },
            subtitle: format!("{}; {}", report.machine.line(), report.date),
            x_title: if in_kernel {
                "bytes of a request, the best depth of each size"
            } else {
                "bytes of a request, the best depth of each size; crossovers: bytes queued"
            }
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

    fn record(part: Part, by: &str, op: &str, gigabytes: f64) -> Record {
        Record {
            part,
            by: by.to_owned(),
            algorithm: "xts(twofish)",
            key_bits: 512,
            op: op.to_owned(),
            size: 4096,
            unit: 4096,
            depth: 1,
            keys: 1,
            threads: 1,
            gigabytes,
            best: gigabytes,
            p50_us: None,
            p99_us: None,
            cpu: None,
            checked: 0,
        }
    }

    #[test]
    fn callers_in_a_kernel_are_drawn_by_who_did_it_and_encrypting_only() {
        let mut report = Report::start("", "");
        let drawn = vec![
            record(Part::Caller, "kgpu, pool buffers", "encrypt", 2.0),
            record(Part::Caller, "kgpu, scatterlists", "encrypt", 1.5),
            record(Part::Caller, "stock xts(x)", "encrypt", 1.0),
            record(Part::Peer, "library", "encrypt", 3.0),
        ];
        report.add((drawn, Vec::new()));
        let expected = families(&report);
        assert_eq!(expected.len(), 1);
        for label in [
            "512 kgpu, pool buffers<",
            "512 kgpu, scatterlists<",
            "512 stock<",
        ] {
            assert_eq!(expected[0].1.matches(label).count(), 1, "{label}");
        }
        // Decryption changes no line, and neither does the libraries' of it.
        let left_out = vec![
            record(Part::Caller, "kgpu, pool buffers", "decrypt", 70.0),
            record(Part::Caller, "stock xts(x)", "decrypt", 60.0),
            record(Part::Peer, "library", "decrypt", 90.0),
            record(Part::Disk, "kgpu", "read", 80.0),
        ];
        report.add((left_out, Vec::new()));
        assert_eq!(families(&report), expected);
    }
}
