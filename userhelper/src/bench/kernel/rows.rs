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

/// Where the helper ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Guest,
    Host,
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
    let mut helper = None;
    for (line, text) in (1..).zip(text.lines()) {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let words = rest.split(' ').filter_map(|word| word.split_once('='));
        let row = Row {
            line,
            words: words.collect(),
        };
        let part = match kind {
            "machine" => {
                let at = row.text("helper")?;
                helper = Some(match at {
                    "guest" => Place::Guest,
                    _ => Place::Host,
                });
                rows.device = format!(
                    "guest Linux {} with {} processors, helper ({}) in the {at}",
                    row.text("kernel")?,
                    row.number("cpus")?,
                    row.text("backend")?,
                );
                if row.words.get("disks") == Some(&"host") {
                    rows.device += ", disks in the host's memory";
                }
                if let Some(params) = row.words.get("params") {
                    rows.device += &format!(", module with {}", params.replace(',', " "));
                }
                continue;
            }
            "caller" => Part::Caller,
            "disk" => Part::Disk,
            "folder" => Part::Folder,
            _ => continue,
        };
        let helper = helper.ok_or(RowError::NoMachine { line })?;
        rows.records.push(record(part, &row, helper)?);
    }
    let (Some(helper), false) = (helper, rows.records.is_empty()) else {
        return Err(RowError::None);
    };
    rows.notes = notes(helper, &rows.records);
    Ok(rows)
}

fn notes(helper: Place, records: &[Record]) -> Vec<String> {
    let guest = "guest s/GB: what all the guest's processors were busy with, without the helper";
    let known = |record: &Record| record.cpu.is_some_and(|cpu| cpu.helper.is_finite());
    let helper = match helper {
        Place::Guest => {
            "helper s/GB: of the helper in the guest, without what its kernel did for it on User-Mode Linux"
        }
        Place::Host if records.iter().any(known) => {
            "helper s/GB: of the helper on the host, by the host's accounting; none where nothing went to it"
        }
        Place::Host => "helper s/GB: not in these rows, as the helper ran on the host",
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

/// Seconds of processor time for 10^9 bytes.
///
/// A helper in the guest is among what kept the guest's processors busy, and its time is that of the measurement. One on
/// the host is not, and its time, which the host adds, is of everything since the row was begun: of a caller's requests
/// also those before the time that counts, which are among the bytes that went through kgpu. No time is none that
/// anybody added.
fn cost(part: Part, row: &Row<'_>, bytes: f64, at: Place) -> Result<CpuCost, RowError> {
    let (busy, helper) = (row.float("busy-ns")?, row.float("helper-ns")?);
    if at == Place::Guest {
        return Ok(CpuCost {
            helper: helper / bytes,
            submitter: (busy - helper).max(0.0) / bytes,
        });
    }
    let through = row.float("by-helper")? + row.float("by-fallback")?;
    let helper_bytes = match part {
        Part::Caller => through,
        _ => bytes,
    };
    Ok(CpuCost {
        helper: if helper > 0.0 && through > 0.0 {
            helper / helper_bytes
        } else {
            f64::NAN
        },
        submitter: busy / bytes,
    })
}

fn record(part: Part, row: &Row<'_>, helper: Place) -> Result<Record, RowError> {
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
            Part::Caller | Part::Disk => usize::try_from(row.number("threads")?).unwrap_or(0),
            _ => 0,
        },
        gigabytes,
        best: gigabytes,
        p50_us,
        p99_us,
        cpu: Some(cost(part, row, float(bytes), helper)?),
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

    // What a host with a GPU sent.
    const HOST: &str = "machine kernel=7.3.4-kgpu-uml cpus=4 backend=cuda helper=host plan=quick params=poll_us=50,merge_kib=256";
    const HOST_CALLER: &str = "caller by=pool what=xts(aes) stock=xts-aes-lib key=64 op=encrypt size=1048576 unit=4096 depth=64 \
        threads=1 requests=18355 bytes=19246612480 ns=501160960 p50-ns=1703935 p99-ns=2621439 cpus=4 busy-ns=14311840 \
        helper-ns=455778220 taken-back=0 errors=0 checked=4194304 wrong=0 by-helper=19313721344 by-fallback=0 zero-copy=18419";
    const HOST_DISK: &str = "disk by=kgpu what=xts(twofish) key=64 op=write size=131072 unit=4096 depth=32 threads=1 volumes=1 bytes=1782054912 \
        ns=1502000000 p50-ns=3424000 p99-ns=7110000 clock-ns=2030000000 cpus=4 busy-ns=3410000000 helper-ns=1195033399 \
        by-helper=1782054912 by-fallback=0 zero-copy=0";
    const HOST_STOCK: &str = "disk by=stock what=xts(twofish) key=64 op=read size=131072 unit=4096 depth=8 threads=1 volumes=1 bytes=334888960 \
        ns=1502000000 p50-ns=4079000 p99-ns=15007000 clock-ns=1970000000 cpus=4 busy-ns=2240000000 helper-ns=3177379 \
        by-helper=0 by-fallback=0 zero-copy=0";
    const HOST_FOLDER: &str = "folder by=kgpu what=cbc(twofish) key=32 op=read-tree bytes=933147 files=200 clock-ns=120000000 \
        cpus=4 busy-ns=60000000 helper-ns=50969468 by-helper=1548288 by-fallback=0 zero-copy=0";

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
    fn a_helper_on_the_host_has_the_time_that_the_host_added() {
        let rows = read_lines(&[HOST, HOST_CALLER, HOST_DISK, HOST_STOCK, HOST_FOLDER]).unwrap();
        let costs: Vec<CpuCost> = rows.records.iter().filter_map(|r| r.cpu).collect();
        let expected = [
            (
                455_778_220.0 / 19_313_721_344.0,
                14_311_840.0 / 19_246_612_480.0,
            ),
            (
                1_195_033_399.0 / 1_782_054_912.0,
                3_410_000_000.0 / 1_782_054_912.0,
            ),
            (f64::NAN, 2_240_000_000.0 / 334_888_960.0),
            (50_969_468.0 / 933_147.0, 60_000_000.0 / 933_147.0),
        ];
        assert_eq!(costs.len(), expected.len());
        for (cost, (helper, guest)) in costs.iter().zip(expected) {
            assert!((cost.submitter - guest).abs() < 1e-9, "{cost:?}");
            assert_eq!(cost.helper.is_nan(), helper.is_nan(), "{cost:?}");
            assert!(
                helper.is_nan() || (cost.helper - helper).abs() < 1e-9,
                "{cost:?}"
            );
        }
        assert!(
            rows.notes[1].contains("by the host's accounting"),
            "{:?}",
            rows.notes
        );
    }

    #[test]
    fn a_helper_on_the_host_whose_time_nobody_added_has_none() {
        let row = HOST_CALLER.replace("helper-ns=455778220", "helper-ns=0");
        let rows = read_lines(&[HOST, &row]).unwrap();
        let cpu = rows.records[0].cpu.unwrap();
        assert!(cpu.helper.is_nan() && cpu.submitter > 0.0, "{cpu:?}");
        assert!(
            rows.notes[1].contains("not in these rows"),
            "{:?}",
            rows.notes
        );
    }

    #[test]
    fn parameters_of_the_module_are_told() {
        let told = |machine| read_lines(&[machine, HOST_CALLER]).unwrap().device;
        assert!(told(HOST).ends_with("in the host, module with poll_us=50 merge_kib=256"));
        let without = HOST.replace(" params=poll_us=50,merge_kib=256", "");
        assert!(told(&without).ends_with("helper (cuda) in the host"));
    }

    #[test]
    fn disks_of_the_host_are_told() {
        let told = |machine| read_lines(&[machine, HOST_CALLER]).unwrap().device;
        let theirs = HOST.replace(" plan=quick", " plan=quick disks=host");
        assert!(told(&theirs).contains("in the host, disks in the host's memory, module with"));
        let own = HOST.replace(" plan=quick", " plan=quick disks=ram");
        assert_eq!(told(&own), told(HOST));
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
