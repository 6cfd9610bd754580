//! `kgpu verify`: the matrix through the real ring, and helpers that are wrong in ways it must find.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use kgpu_core::abi::Op;
use kgpu_core::algorithm::Algorithm;
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};
use kgpu_userhelper::backend::choice::DeviceArgs;
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::verify::{Ring, Target, Which, targets};
use kgpu_verify::matrix::{Matrix, Settings};
use kgpu_verify::report::Report;
use kgpu_verify::suite::{Oracle, Suite};

/// A few algorithms, one without a key among them: some are slow in test builds.
fn few() -> Vec<&'static Algorithm> {
    let all = kgpu_algos::all();
    let ciphers = all.iter().copied().take(4);
    ciphers.chain(all.last().copied()).collect()
}

fn target() -> Target {
    targets(Which::Cpu, &DeviceArgs::default(), 2)
        .unwrap()
        .remove(0)
}

fn matrix(cases: u64) -> Matrix {
    let settings = Settings {
        algorithms: few(),
        cases,
        only: None,
        seed: 3,
        threads: 2,
    };
    let oracle = Oracle::new(kgpu_algos::all(), false);
    Matrix::new(settings, oracle, kgpu_algos::vectors()).unwrap()
}

fn run(target: &Target, cases: u64) -> Report {
    run_with(target, Catalogue::registry(), cases)
}

fn run_with(target: &Target, catalogue: Catalogue, cases: u64) -> Report {
    let mut ring = Ring::start(target, catalogue).unwrap();
    let report = matrix(cases).run(&mut ring, &mut |_| {}).unwrap();
    ring.end().unwrap();
    report
}

#[test]
fn the_cpu_backend_passes_behind_the_ring() {
    for workers in [1, 3] {
        let mut target = target();
        target.tuning.workers = workers;
        let report = run(&target, 60);
        assert!(report.passed(), "{:#?}", report.failures);
        for row in &report.rows {
            assert!(row.cell(Suite::Vectors).cases > 0);
            assert_eq!(row.requests, row.cell(Suite::Vectors).cases + 60);
            assert!(row.tiles >= row.requests && row.proven == row.tiles);
        }
    }
}

/// Work that a completion gives another backend's number to proves nothing, right as it may be.
#[test]
fn another_backends_work_is_no_proof() {
    let other = Target {
        code: target().code + 1,
        ..target()
    };
    let report = run(&other, 0);
    assert!(!report.passed());
    for row in &report.rows {
        assert_eq!((row.proven, row.failed), (0, row.requests));
        assert!(row.cells.iter().all(|cell| cell.failures == 0));
    }
}

/// The CPU path of `cbc(aes)` with faults when it decrypts: a wrong bit in long tiles, a panic at
/// some IVs.
#[derive(Debug)]
struct Faulty(Box<dyn CpuKey>);

impl CpuKey for Faulty {
    fn run(&self, work: &Work, data: Data<'_>) -> Result<(), WorkError> {
        let decrypts = work.op == Op::Decrypt;
        assert!(!(decrypts && work.iv[0] % 16 == 7), "a fault on purpose");
        match data {
            Data::InPlace(data) => {
                self.0.run(work, Data::InPlace(data))?;
                data[0] ^= u8::from(decrypts && data.len() > 100);
            }
            Data::Apart { src, dst } => self.0.run(work, Data::Apart { src, dst })?,
        }
        Ok(())
    }
}

fn faulty(key: &[u8]) -> Result<Box<dyn CpuKey>, KeyError> {
    let right = kgpu_algos::by_name("cbc(aes)").unwrap();
    Ok(Box::new(Faulty((right.cpu)(key)?)))
}

#[test]
fn a_faulty_helper_is_found_and_its_cases_are_named() {
    let right = kgpu_algos::by_name("cbc(aes)").unwrap();
    let wrong: &'static Algorithm = Box::leak(Box::new(Algorithm {
        cpu: faulty,
        ..*right
    }));
    let swap = |algorithm: &&'static Algorithm| {
        if algorithm.id == right.id {
            wrong
        } else {
            algorithm
        }
    };
    let catalogue = Catalogue::new(kgpu_algos::all().iter().map(swap));
    let report = run_with(&target(), catalogue, 200);
    assert!(!report.passed());
    for row in &report.rows {
        assert_eq!(row.passed(), row.algorithm.id != right.id);
    }
    let row = report.rows.iter().find(|row| !row.passed()).unwrap();
    assert!(row.failed < row.requests);
    for suite in [Suite::Reference, Suite::Libgcrypt, Suite::OpenSsl] {
        assert!(row.cell(suite).failures > 0, "{suite}");
    }
    let told = |what: &str| report.failures.iter().any(|f| f.what.contains(what));
    assert!(told("differs from byte 0"), "{:#?}", report.failures);
    assert!(told("the cpu helper says `backend failed`"));
    assert!(report.failures.len() <= 10);
}

fn kgpu(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kgpu"))
        .args(arguments)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

#[test]
fn the_command_prints_and_writes_what_it_found() {
    let path = std::env::temp_dir().join(format!("kgpu-verify-{}.json", std::process::id()));
    let out = kgpu(&[
        "verify",
        "--backend",
        "cpu",
        "--cases",
        "30",
        "--algorithms",
        "xts(aes),crc32c",
        "--seed",
        "9",
        "--json",
        path.to_str().unwrap(),
    ]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{text}");
    assert!(
        text.contains("seed 9") && text.contains("backend cpu"),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((&json["passed"], &json["seed"]), (&true.into(), &9.into()));
    let backend = &json["backends"][0];
    assert_eq!(backend["backend"], "cpu");
    let names = backend["algorithms"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["xts(aes)", "crc32c"]);
    for row in backend["algorithms"].as_array().unwrap() {
        assert_eq!(row["tiles"], row["tiles_proven"]);
        let line = text
            .lines()
            .find(|line| line.starts_with(row["name"].as_str().unwrap()));
        assert!(line.unwrap().trim_end().ends_with("ok"), "{text}");
    }
    let xts = &backend["algorithms"][0]["suites"];
    assert_eq!(xts["reference"]["cases"], 30);
    assert!(backend["algorithms"][1]["suites"]["libgcrypt"].is_null());
}

#[test]
fn one_case_and_wrong_command_lines() {
    let one = [
        "verify",
        "--algorithms",
        "ctr(aes)",
        "--seed",
        "4",
        "--case",
        "17",
    ];
    let out = kgpu(&one);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        out.status.success() && text.contains("cpu: 1 requests"),
        "{text}"
    );
    for wrong in [
        &["verify", "--case", "3"][..],
        &["verify", "--algorithms", "rot13"],
        &["verify", "--threads", "0"],
    ] {
        let out = kgpu(wrong);
        assert_eq!(out.status.code(), Some(2), "{wrong:?}");
    }
}
