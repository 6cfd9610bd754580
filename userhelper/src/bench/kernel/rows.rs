//! The rows that the guest suite `bench` sends, as records: `caller key=value …`, `disk …`, `folder …`, after one
//! `machine …`. Lines that begin otherwise are other tables of the guest's.

use std::collections::HashMap;

use crate::bench::numbers::float;
use crate::bench::record::{CpuCost, Part, Record};

/// Why rows can't be reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// There is none.
    #[error("there are no rows of measurements in it")]
    None,
    /// The first one must say where the others were measured.
    #[error("line {line}: a measurement before any row `machine`")]
    NoMachine {
        /// Where, from 1.
        line: usize,
    },
    /// A value is missing or not what it should be.
    #[error("line {line}: `{name}` is missing or makes no sense")]
    Field {
        /// Where, from 1.
        line: usize,
        /// Its name.
        name: &'static str,
    },
    /// The guest found a difference between kgpu's results and the stock driver's, or an error.
    #[error("line {line}: {count} requests failed or had a wrong result: a bug to report")]
    Wrong {
        /// Where, from 1.
        line: usize,
        /// How many.
        count: u64,
    },
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The guest's kernel and processors, and where the helper ran.
    pub device: String,
    /// The measurements.
    pub records: Vec<Record>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// One row's words.
struct Row<'a> {
    line: usize,
    words: HashMap<&'a str, &'a str>,
}

impl Row<'_> {
    fn text(&self, name: &'static str) -> Result<&str, RowError> {
        let line = self.line;
        let found = self.words.get(name).copied();
        found.ok_or(RowError::Field { line, name })
    }

    fn number(&self, name: &'static str) -> Result<u64, RowError> {
        let line = self.line;
        let text = self.text(name)?;
        text.parse().map_err(|_| RowError::Field { line, name })
    }

    fn float(&self, name: &'static str) -> Result<f64, RowError> {
        self.number(name).map(float)
    }
}

/// Reads them.
///
/// # Errors
/// [`RowError`].
pub fn read(text: &str) -> Result<Rows, RowError> {
    let mut rows = Rows::default();
    let mut helper_in_guest = None;
    for (line, text) in (1..).zip(text.lines()) {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let words = rest.split(' ').filter_map(|word| word.split_once('='));
        let row = Row {
            line,
            words: words.collect(),
        };
        let part = match kind {
            "machine" => {
                let helper = row.text("helper")?;
                helper_in_guest = Some(helper == "guest");
                rows.device = format!(
                    "guest Linux {} with {} processors, helper ({}) in the {helper}",
                    row.text("kernel")?,
                    row.number("cpus")?,
                    row.text("backend")?,
                );
                rows.notes = notes(helper == "guest");
                continue;
            }
            "caller" => Part::Caller,
            "disk" => Part::Disk,
            "folder" => Part::Folder,
            _ => continue,
        };
        let in_guest = helper_in_guest.ok_or(RowError::NoMachine { line })?;
        rows.records.push(record(part, &row, in_guest)?);
    }
    if rows.records.is_empty() {
        return Err(RowError::None);
    }
    Ok(rows)
}

fn notes(in_guest: bool) -> Vec<String> {
    let guest = "guest s/GB: what all the guest's processors were busy with, without the helper";
    let helper = if in_guest {
        "helper s/GB: of the helper in the guest, by its kernel's accounting; User-Mode Linux counts ticks of 10 ms"
    } else {
        "helper s/GB: not in these rows, as the helper ran on the host"
    };
    vec![guest.to_owned(), helper.to_owned()]
}

/// Who did it, for a reader.
fn by(part: Part, row: &Row<'_>) -> Result<String, RowError> {
    Ok(match (part, row.text("by")?) {
        (Part::Caller, "pool") => "kgpu, pool buffers".to_owned(),
        (Part::Caller, "sg") => "kgpu, scatterlists".to_owned(),
        (Part::Caller, _) => format!("stock {}", row.text("stock")?),
        (_, by) => by.to_owned(),
    })
}

/// Seconds of processor time for 10^9 bytes; the helper's is not known where it ran on the host.
fn cost(row: &Row<'_>, bytes: f64, in_guest: bool) -> Result<CpuCost, RowError> {
    let (busy, helper) = (row.float("busy-ns")?, row.float("helper-ns")?);
    Ok(CpuCost {
        helper: if in_guest { helper / bytes } else { f64::NAN },
        submitter: (busy - helper).max(0.0) / bytes,
    })
}

fn record(part: Part, row: &Row<'_>, in_guest: bool) -> Result<Record, RowError> {
    let line = row.line;
    let algorithm = kgpu_algos::by_name(row.text("what")?);
    let algorithm = algorithm.ok_or(RowError::Field { line, name: "what" })?;
    let (requests, ns) = match part {
        Part::Folder => ("files", "clock-ns"),
        _ => ("depth", "ns"),
    };
    let bytes = row.number("bytes")?;
    let ns = row.number(ns)?;
    // No time is no measurement, and no bytes are none either.
    for (value, name) in [
        (bytes, "bytes"),
        (ns, "ns"),
        (row.number(requests)?, requests),
    ] {
        if value == 0 {
            return Err(RowError::Field { line, name });
        }
    }
    let (mut p50_us, mut p99_us, mut checked, mut unit) = (None, None, 0, 0);
    if part != Part::Folder {
        p50_us = Some(row.float("p50-ns")? / 1e3);
        p99_us = Some(row.float("p99-ns")? / 1e3);
        unit = row.number("unit")?;
    }
    if part == Part::Caller {
        let count = row.number("wrong")? + row.number("errors")?;
        if count > 0 {
            return Err(RowError::Wrong { line, count });
        }
        checked = row.number("checked")?;
    }
    let key_bits = usize::try_from(row.number("key")?).unwrap_or(0) * 8;
    let gigabytes = float(bytes) / float(ns);
    Ok(Record {
        part,
        by: by(part, row)?,
        algorithm: algorithm.name,
        key_bits,
        op: row.text("op")?.to_owned(),
        size: match part {
            Part::Folder => bytes / row.number("files")?,
            _ => row.number("size")?,
        },
        unit,
        depth: match part {
            Part::Folder => 1,
            _ => row.number("depth")?,
        },
        keys: u64::from(key_bits > 0),
        threads: match part {
            Part::Caller => usize::try_from(row.number("threads")?).unwrap_or(0),
            _ => 0,
        },
        gigabytes,
        best: gigabytes,
        p50_us,
        p99_us,
        cpu: Some(cost(row, float(bytes), in_guest)?),
        checked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = "machine kernel=7.3 cpus=2 backend=cpu helper=guest plan=quick";
    const CALLER: &str = "caller by=pool what=xts(twofish) stock=xts(ecb(twofish-generic)) key=64 op=encrypt size=4096 \
        unit=4096 depth=32 threads=1 requests=64 bytes=262144 ns=1000000 p50-ns=2000 p99-ns=3000 cpus=2 busy-ns=900000 \
        helper-ns=500000 taken-back=0 errors=0 checked=4096 wrong=0 by-helper=262144 by-fallback=0 zero-copy=64";

    fn read_lines(lines: &[&str]) -> Result<Rows, RowError> {
        read(&lines.join("\n"))
    }

    #[test]
    fn a_row_is_a_record() {
        let rows = read_lines(&[MACHINE, "algorithm requests bytes", CALLER]).unwrap();
        let record = &rows.records[0];
        assert_eq!(
            (record.size, record.depth, record.key_bits),
            (4096, 32, 512)
        );
        assert!((record.gigabytes - 0.262_144).abs() < 1e-9);
        let cpu = record.cpu.unwrap();
        assert!((cpu.helper - 500_000.0 / 262_144.0).abs() < 1e-9);
        assert!((cpu.submitter - 400_000.0 / 262_144.0).abs() < 1e-9);
        assert_eq!(record.p99_us, Some(3.0));
    }

    #[test]
    fn a_helper_on_the_host_has_no_time_in_the_rows() {
        let machine = MACHINE.replace("helper=guest", "helper=host");
        let row = CALLER.replace("helper-ns=500000", "helper-ns=0");
        let rows = read_lines(&[&machine, &row]).unwrap();
        assert!(rows.records[0].cpu.unwrap().helper.is_nan());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(read_lines(&[MACHINE]).unwrap_err(), RowError::None);
        assert_eq!(
            read_lines(&[CALLER]).unwrap_err(),
            RowError::NoMachine { line: 1 }
        );
        let field = |name| RowError::Field { line: 2, name };
        for (from, to, expected) in [
            ("ns=1000000", "ns=", field("ns")),
            (" ns=1000000", " ns=0", field("ns")),
            ("bytes=262144", "bytes=-1", field("bytes")),
            ("depth=32 ", "", field("depth")),
            ("xts(twofish) ", "xts(rot13) ", field("what")),
            ("wrong=0", "wrong=2", RowError::Wrong { line: 2, count: 2 }),
            (
                "errors=0",
                "errors=1",
                RowError::Wrong { line: 2, count: 1 },
            ),
        ] {
            let row = CALLER.replacen(from, to, 1);
            assert_ne!(row, CALLER);
            assert_eq!(read_lines(&[MACHINE, &row]).unwrap_err(), expected, "{to}");
        }
    }
}
