//! The device part over the kernels' host side: what is compared, and that what is wrong is not measured.

use super::*;
use crate::backend::gpu::host::HostOpener;
use kgpu_core::abi::Op;
use std::sync::atomic::Ordering;

const TIME: TimeArgs = TimeArgs {
    seconds: 1e-6,
    repeats: 1,
};
/// A large request of two tiles; sectors; two keys.
const BYTES: u64 = 128 << 10;

fn subjects() -> Vec<Subject> {
    let ciphers = kgpu_algos::all().iter().filter(|a| a.device.is_some());
    let subjects = ciphers.map(|algorithm| Subject {
        algorithm,
        key_len: super::super::subject::usual_key(algorithm),
        op: algorithm.ops().last().copied().unwrap_or(Op::Compute),
    });
    subjects.take(2).collect()
}

fn run(opener: &HostOpener) -> Result<Vec<Record>, UserError> {
    let progress = Progress::default();
    over(&subjects(), opener, BYTES, 2, &TIME, &progress).map(|(records, _)| records)
}

#[test]
fn every_case_is_compared_and_measured() {
    let records = run(&HostOpener::default()).unwrap();
    let count = |part| records.iter().filter(|r| r.part == part).count();
    assert_eq!(count(Part::Copy), 4);
    assert_eq!(count(Part::Device), 3 * subjects().len());
    for record in &records {
        assert!(record.gigabytes > 0.0, "{record:?}");
        let copied = record.part == Part::Copy;
        let all = record.checked == record.size * record.depth;
        assert!(copied || all, "{record:?}");
    }
    assert!(records.iter().any(|r| r.keys == 2 && r.depth == 2));
}

#[test]
fn kernels_that_miscount_are_not_measured() {
    let opener = HostOpener::default();
    opener.faults.stats.store(3, Ordering::Relaxed);
    let error = run(&opener).unwrap_err();
    assert!(error.what.contains("items"), "{error}");
}

#[test]
fn wrong_results_are_not_measured() {
    let opener = HostOpener::default();
    let mut bed = Bed::open(&opener, &[], BYTES, 2 * BYTES).unwrap();
    let mut pattern = vec![0; index(BYTES)];
    fill(&mut pattern, 1);
    bed.fill(&pattern).unwrap();
    let mut run = Run {
        bed,
        pattern,
        time: &TIME,
    };
    let (subjects, cases) = (subjects(), cases(BYTES, 1));
    let (subject, case) = (&subjects[0], &cases[0]);
    assert!(run.launch("", subject, case, false).is_ok());
    // The device has other bytes than those that the CPU is asked about, in the last tile.
    run.pattern[index(BYTES) - 1] ^= 1;
    let last = BYTES - u64::from(case.tile_bytes.min(case.size));
    let wrong = run.launch("", subject, case, false);
    assert!(
        matches!(wrong, Err(Failure::Wrong(at)) if at == last),
        "{wrong:?}"
    );
}
