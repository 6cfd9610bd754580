//! What `kgpu verify` prints and writes.

use std::fmt::Write as _;

use kgpu_core::algorithm::Algorithm;
use kgpu_verify::report::{Cell, Failed, Name, Row};
use kgpu_verify::suite::Suite;
use serde_json::{Value, json};

use super::{Found, Target, VerifyArgs};
use crate::table;

/// What is about to be done.
pub(super) fn heading(
    args: &VerifyArgs,
    algorithms: &[&'static Algorithm],
    seed: u64,
    notes: &[String],
) -> String {
    let count = algorithms.len();
    let mut text = match args.case {
        Some(case) => format!("case {case} of {count} algorithms, seed {seed}\n"),
        None => format!(
            "{count} algorithms, all vectors and {} random requests of each, seed {seed}\n",
            args.cases
        ),
    };
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(text, "kgpu {version}; {}", notes.join("; "));
    text
}

fn cell(cell: Cell) -> String {
    match cell {
        Cell { cases: 0, .. } => "-".into(),
        Cell { cases, failures: 0 } => cases.to_string(),
        Cell { cases, failures } => format!("{cases}, {failures} WRONG"),
    }
}

/// A row of the table.
fn line(row: &Row) -> Vec<String> {
    let mut line = vec![row.algorithm.name.to_owned()];
    line.extend(Suite::ALL.iter().map(|suite| cell(row.cell(*suite))));
    line.extend([
        (row.bytes >> 20).to_string(),
        row.tiles.to_string(),
        row.proven.to_string(),
        row.failed.to_string(),
        if row.passed() { "ok" } else { "FAILED" }.to_owned(),
    ]);
    line
}

/// How a case is run again.
fn again(failed: &Failed, backend: &str, seed: u64) -> String {
    let what = match &failed.name {
        Name::Random(number) => format!("--seed {seed} --case {number}"),
        Name::Vector(_) => "--cases 0".to_owned(),
    };
    let name = failed.algorithm;
    format!("kgpu verify --backend {backend} --algorithms '{name}' {what}")
}

/// The table of a backend, and its failures.
pub(super) fn text(found: &Found, target: &Target, seed: u64) -> String {
    let Found { report, elapsed } = found;
    let proven = format!("by {}", target.name);
    let mut head = vec!["algorithm"];
    head.extend(Suite::ALL.iter().map(|suite| suite.label()));
    head.extend(["MiB", "tiles", &proven, "failed", ""]);
    let mut right = vec![true; head.len()];
    right[0] = false;
    let rows: Vec<Vec<String>> = report.rows.iter().map(line).collect();
    let mut text = format!(
        "\nbackend {}: outputs compared with each source, and tiles proven to be computed by it\n{}",
        target.name,
        table::lines(&head, &right, &rows)
    );
    for failed in &report.failures {
        let Failed {
            algorithm,
            name,
            what,
            request,
        } = failed;
        let command = again(failed, target.name, seed);
        let _ = write!(
            text,
            "FAILED {algorithm}, {name}, seed {seed}: {what}\n  request: {request}\n  alone: {command}\n"
        );
    }
    if !report.failures.is_empty() {
        text +=
            "  (a case that passes alone fails only beside others: run all with the same seed)\n";
    }
    let left = report.rows.iter().map(|row| row.algorithm);
    let left: Vec<&str> = left
        .filter(|algorithm| target.code_for(algorithm) != target.code)
        .map(|algorithm| algorithm.name)
        .collect();
    if !left.is_empty() {
        let _ = writeln!(
            text,
            "{} has no kernels for {}: their tiles are proven to be computed by the CPU behind it",
            target.name,
            left.join(", ")
        );
    }
    let requests: u64 = report.rows.iter().map(|row| row.requests).sum();
    let seconds = elapsed.as_secs_f64();
    let verdict = if report.passed() { "passed" } else { "FAILED" };
    let _ = writeln!(
        text,
        "{}: {requests} requests in {seconds:.1} s, {verdict}",
        target.name
    );
    text
}

/// All of it as JSON.
pub(super) fn json(args: &VerifyArgs, seed: u64, notes: &[String], found: &[Found]) -> String {
    let backends: Vec<Value> = found.iter().map(|one| backend(one, seed)).collect();
    let all = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "seed": seed,
        "cases": args.cases,
        "case": args.case,
        "compared_with": notes,
        "passed": found.iter().all(|one| one.report.passed()),
        "backends": backends,
    });
    format!("{all:#}\n")
}

fn backend(found: &Found, seed: u64) -> Value {
    let report = &found.report;
    let rows = report.rows.iter().map(|row| {
        let suites = Suite::ALL
            .iter()
            .filter(|suite| row.cell(**suite).cases > 0);
        let suites = suites.map(|suite| {
            let Cell { cases, failures } = row.cell(*suite);
            let counts = json!({ "cases": cases, "failures": failures });
            (suite.label().to_owned(), counts)
        });
        json!({
            "name": row.algorithm.name,
            "requests": row.requests,
            "bytes": row.bytes,
            "tiles": row.tiles,
            "tiles_proven": row.proven,
            "failed": row.failed,
            "passed": row.passed(),
            "suites": suites.collect::<serde_json::Map<String, Value>>(),
        })
    });
    let failures = report.failures.iter().map(|failed| {
        json!({
            "algorithm": failed.algorithm,
            "case": failed.name.to_string(),
            "what": failed.what,
            "request": failed.request,
            "alone": again(failed, &report.backend, seed),
        })
    });
    json!({
        "backend": report.backend,
        "seconds": found.elapsed.as_secs_f64(),
        "passed": report.passed(),
        "algorithms": rows.collect::<Vec<_>>(),
        "failures": failures.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kgpu_verify::report::{Case, Report};
    use kgpu_verify::runner::Ran;
    use kgpu_verify::suite::Answer;

    use super::*;
    use crate::backend::choice::DeviceArgs;
    use crate::verify::{Which, targets};

    /// A failure is told with all that is needed to see it again.
    #[test]
    fn failures_say_how_to_run_them_again() {
        let algorithm = kgpu_algos::by_name("ctr(aes)").unwrap();
        let request = kgpu_verify::random::request(42, algorithm, 7);
        let (input, tiles) = (request.input.clone(), request.tiles());
        let mut report = Report::new("cpu", &[algorithm]);
        let mut case = Case {
            name: Name::Random(7),
            request,
            answers: vec![(Suite::Reference, Answer::Bytes(input.clone()))],
        };
        let right = Ran::Done {
            output: &input,
            proven: tiles,
        };
        report.count(&case, &right);
        let mut wrong = input.clone();
        wrong[0] ^= 1;
        let wrong = Ran::Done {
            output: &wrong,
            proven: tiles - 1,
        };
        report.count(&case, &wrong);
        case.name = Name::Vector("F.5.1".into());
        report.count(&case, &Ran::Failed("stuck"));
        let target = targets(Which::Cpu, &DeviceArgs::default(), 1)
            .unwrap()
            .remove(0);
        let found = Found {
            report,
            elapsed: Duration::from_secs(1),
        };
        let text = text(&found, &target, 42);
        for part in [
            "3, 2 WRONG",
            "FAILED ctr(aes), case 7, seed 42: reference: differs from byte 0",
            "tiles are proven to be computed by cpu",
            "kgpu verify --backend cpu --algorithms 'ctr(aes)' --seed 42 --case 7\n",
            "vector F.5.1, seed 42: reference: no output; not computed: stuck",
            "--algorithms 'ctr(aes)' --cases 0\n",
            "cpu: 3 requests in 1.0 s, FAILED",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        let json: Value = serde_json::from_str(&super::json(
            &VerifyArgs {
                backend: Which::Cpu,
                device: DeviceArgs::default(),
                cases: 1,
                algorithms: Vec::new(),
                seed: None,
                case: None,
                workers: None,
                threads: None,
                json: None,
            },
            42,
            &[],
            &[found],
        ))
        .unwrap();
        assert_eq!(json["passed"], false);
        assert_eq!(json["backends"][0]["failures"][0]["case"], "case 7");
    }
}
