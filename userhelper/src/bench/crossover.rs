//! The crossover of each algorithm: the bytes queued from which the backend is done sooner than one
//! core would be with the fastest implementation measured beside it.
//!
//! One core of the best implementation stands for the module's fallback, which is the kernel's own
//! cipher.

use super::record::{Part, Record};

/// What the module is told when the backend never wins: more than can be queued.
pub const NEVER: u64 = 2_147_483_647;

/// The crossover of an algorithm.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossover {
    /// The algorithm.
    pub algorithm: &'static str,
    /// The backend.
    pub backend: String,
    /// Bytes queued; `None` when the backend was never sooner.
    pub bytes: Option<u64>,
    /// The implementation it was compared with.
    pub against: String,
    /// Its rate on one core, GB/s.
    pub one_core: f64,
}

/// A burst's bytes and microseconds.
type Point = (u64, f64);

/// The smallest measured burst from which on every larger one was done sooner than at
/// `one_core` GB/s.
fn first_win(bursts: &[Point], one_core: f64) -> Option<u64> {
    let mut bursts = bursts.to_vec();
    bursts.sort_by_key(|(bytes, _)| *bytes);
    let wins = |(bytes, us): &&Point| *us < super::numbers::float(*bytes) / (one_core * 1e3);
    let mut winning = bursts.iter().rev().take_while(wins);
    winning.by_ref().last().map(|(bytes, _)| *bytes)
}

/// The fastest on one core of a burst's algorithm, key and operation.
fn fastest<'a>(records: &'a [Record], burst: &Record) -> Option<&'a Record> {
    records
        .iter()
        .filter(|record| {
            record.part == Part::Peer
                && record.threads == 1
                && record.algorithm == burst.algorithm
                && record.key_bits == burst.key_bits
                && record.op == burst.op
        })
        .max_by(|a, b| a.gigabytes.total_cmp(&b.gigabytes))
}

/// The crossovers of every algorithm of which both bursts and one core were measured. An algorithm
/// of several keys and operations has the largest of theirs.
#[must_use]
pub fn crossovers(records: &[Record]) -> Vec<Crossover> {
    let mut found: Vec<Crossover> = Vec::new();
    let same = |a: &Record, b: &Record| {
        (a.algorithm, a.key_bits, &a.op) == (b.algorithm, b.key_bits, &b.op)
    };
    let bursts: Vec<&Record> = records.iter().filter(|r| r.part == Part::Burst).collect();
    for group in bursts.chunk_by(|a, b| same(a, b)) {
        let Some(first) = group.first() else { continue };
        let Some(peer) = fastest(records, first) else {
            continue;
        };
        let points: Vec<Point> = group
            .iter()
            .filter_map(|r| Some((r.size * r.depth, r.p50_us?)))
            .collect();
        let new = Crossover {
            algorithm: first.algorithm,
            backend: first.by.clone(),
            bytes: first_win(&points, peer.gigabytes),
            against: peer.by.clone(),
            one_core: peer.gigabytes,
        };
        let bytes = |c: &Crossover| c.bytes.unwrap_or(NEVER);
        match found.iter_mut().find(|old| old.algorithm == new.algorithm) {
            Some(old) if bytes(old) >= bytes(&new) => {}
            Some(old) => *old = new,
            None => found.push(new),
        }
    }
    found
}

/// The value of the module's parameter `crossover`.
#[must_use]
pub fn parameter(crossovers: &[Crossover]) -> String {
    let entry = |c: &Crossover| format!("{}={}", c.algorithm, c.bytes.unwrap_or(NEVER));
    let entries: Vec<String> = crossovers.iter().map(entry).collect();
    entries.join(",")
}

/// A file for modprobe.d(5) that sets them.
#[must_use]
pub fn modprobe_file(crossovers: &[Crossover], machine: &str, date: &str) -> String {
    format!(
        "# Bytes queued from which kgpu's helper is used, measured by `kgpu bench` on {date}:\n\
         # {machine}\n\
         options kgpu crossover={}\n",
        parameter(crossovers)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(part: Part, op: &str, depth: u64, gigabytes: f64, p50_us: Option<f64>) -> Record {
        Record {
            part,
            by: if part == Part::Peer { "lib" } else { "cuda" }.into(),
            algorithm: "xts(rot13)",
            key_bits: 128,
            op: op.into(),
            size: 4096,
            unit: 0,
            depth,
            keys: 1,
            threads: usize::from(part == Part::Peer),
            gigabytes,
            best: gigabytes,
            p50_us,
            p99_us: None,
            cpu: None,
            checked: 0,
        }
    }

    #[test]
    fn a_win_counts_only_if_all_larger_bursts_win() {
        // At 1 GB/s a burst of 4096 bytes takes 4.096 us.
        let lost_again = [(4096, 3.0), (8192, 9.0), (16384, 16.0), (32768, 20.0)];
        assert_eq!(first_win(&lost_again, 1.0), Some(16384));
        assert_eq!(first_win(&lost_again, 0.1), Some(4096));
        assert_eq!(first_win(&lost_again, 2.0), None);
        assert_eq!(first_win(&[], 1.0), None);
    }

    #[test]
    fn the_slowest_operation_and_the_fastest_peer_count() {
        let records = [
            record(Part::Burst, "encrypt", 1, 0.0, Some(10.0)),
            record(Part::Burst, "encrypt", 8, 0.0, Some(12.0)),
            record(Part::Burst, "decrypt", 1, 0.0, Some(30.0)),
            record(Part::Burst, "decrypt", 64, 0.0, Some(40.0)),
            record(Part::Peer, "encrypt", 1, 1.0, None),
            record(Part::Peer, "encrypt", 1, 0.5, None),
            record(Part::Peer, "decrypt", 1, 1.0, None),
        ];
        let found = crossovers(&records);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].bytes, Some(64 * 4096));
        assert!((found[0].one_core - 1.0).abs() < 1e-9);
        assert_eq!(parameter(&found), "xts(rot13)=262144");
        assert!(modprobe_file(&found, "m", "d").ends_with("crossover=xts(rot13)=262144\n"));
    }

    #[test]
    fn never_is_a_number_the_module_takes() {
        let records = [
            record(Part::Burst, "encrypt", 1, 0.0, Some(10.0)),
            record(Part::Peer, "encrypt", 1, 100.0, None),
        ];
        assert_eq!(
            parameter(&crossovers(&records)),
            format!("xts(rot13)={}", i32::MAX)
        );
    }
}
