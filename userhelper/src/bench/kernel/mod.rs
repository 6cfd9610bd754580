//! `kgpu bench kernel`: what a guest measured in its kernel, reported beside other implementations on the same
//! processors. Measuring in the kernel is the guest suite `bench`; `rows` reads what it sends.

mod rows;

use std::path::Path;

use kgpu_core::abi::Op;

use super::args::{KernelArgs, OutputArgs};
use super::peers;
use super::progress::Progress;
use super::record::Record;
use super::report::Report;
use super::subject::Subject;
use crate::error::UserError;
use rows::{RowError, Rows};

/// Reads the rows, measures the peers of what is in them, and reports both.
///
/// # Errors
/// [`UserError`]: the file can't be read, a row makes no sense or tells of a wrong result, a peer failed.
pub fn run(args: &KernelArgs) -> Result<(), UserError> {
    let rows = read(&args.rows)?;
    let OutputArgs { machine, .. } = &args.output;
    let mut report = Report::start(machine, &rows.device);
    let progress = Progress::default();
    let subjects = subjects(&rows.records);
    let threads = peers::threads(&args.peers);
    report.add((rows.records, rows.notes));
    if !args.no_peers {
        report.add(peers::measure(&subjects, &threads, &args.time, &progress)?);
    }
    progress.end();
    report.finish(&args.output)
}

fn read(path: &Path) -> Result<Rows, UserError> {
    let wrong = |error: String| {
        UserError::failure(
            format!("{}: {error}", path.display()),
            "give the rows that a run of the guest suite `bench` left: `cargo xtask bench-kernel` or the bundle's \
             `run.sh --steps kernel`",
        )
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    rows::read(&text).map_err(|error: RowError| wrong(error.to_string()))
}

/// What the rows are about, each algorithm, key and operation once.
fn subjects(records: &[Record]) -> Vec<Subject> {
    let mut found: Vec<Subject> = Vec::new();
    for record in records {
        let Some(algorithm) = kgpu_algos::by_name(record.algorithm) else {
            continue;
        };
        let op = match record.op.as_str() {
            "compute" => Op::Compute,
            op if op.contains("read") || op == "decrypt" => Op::Decrypt,
            _ => Op::Encrypt,
        };
        let subject = Subject {
            algorithm,
            key_len: record.key_bits / 8,
            op,
        };
        if !found.contains(&subject) {
            found.push(subject);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_decryption_to_the_peers() {
        let text = "machine kernel=7.3 cpus=2 backend=cpu helper=guest plan=quick\n\
                    disk by=kgpu what=xts(twofish) key=64 op=randread size=4096 unit=512 depth=8 threads=2 bytes=8192 ns=1000 p50-ns=5 \
                    p99-ns=9 clock-ns=2000 cpus=2 busy-ns=1500 helper-ns=500 by-helper=8192 by-fallback=0 zero-copy=0\n\
                    folder by=stock what=cbc(blowfish) key=16 op=tree-write bytes=100 files=2 clock-ns=10000000 cpus=2 \
                    busy-ns=1 helper-ns=0 by-helper=0 by-fallback=0 zero-copy=0\n";
        let rows = rows::read(text).unwrap();
        let found = subjects(&rows.records);
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "xts(twofish) 512 bit decrypt",
                "cbc(blowfish) 128 bit encrypt"
            ]
        );
    }
}
