//! The matrix over the CPU path, and backends that are wrong in ways it must find.
// Tests: a panic is a failure.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use kgpu_algos::{all, by_name, vectors};
use kgpu_core::abi::{IvStep, Op, Tile};
use kgpu_core::algorithm::{Algorithm, Mode};
use kgpu_core::num::index;
use kgpu_verify::host_kernels::HostKernels;
use kgpu_verify::launch::{CpuPath, Launched, Launcher};
use kgpu_verify::matrix::{Matrix, Settings};
use kgpu_verify::pool::Layout;
use kgpu_verify::random::{BYTES_MAX, TILES_MAX, request};
use kgpu_verify::report::{Name, Report};
use kgpu_verify::runner::Runner;
use kgpu_verify::suite::{Oracle, Suite};

fn settings(cases: u64) -> Settings {
    Settings {
        algorithms: all().to_vec(),
        cases,
        only: None,
        seed: 1,
        threads: 2,
    }
}

fn run(settings: Settings, launcher: impl Launcher) -> Report {
    run_on(settings, &mut Launched::new(launcher), false)
}

fn run_on(settings: Settings, runner: &mut dyn Runner, cpu_path: bool) -> Report {
    let matrix = Matrix::new(settings, Oracle::new(all(), cpu_path), vectors()).unwrap();
    let mut told = 0;
    let report = matrix.run(runner, &mut |done| told = done).unwrap();
    assert_eq!(told, matrix.len());
    report
}

#[test]
fn the_cpu_path_passes_every_suite() {
    let report = run(settings(64), CpuPath);
    assert!(report.passed(), "{:#?}", report.failures);
    for row in &report.rows {
        let name = row.algorithm.name;
        assert!(row.cell(Suite::Vectors).cases > 0, "{name}");
        let own = if row.algorithm.mode == Mode::Digest {
            Suite::CpuPath
        } else {
            Suite::Reference
        };
        assert_eq!(row.cell(own).cases, 64, "{name}");
        assert_eq!(row.requests, row.cell(Suite::Vectors).cases + 64, "{name}");
    }
    let of = |name: &str| report.rows.iter().find(|row| row.algorithm.name == name);
    let aes = of("cbc(aes)").unwrap();
    assert_eq!(aes.cell(Suite::Libgcrypt).cases, 64);
    assert_eq!(aes.cell(Suite::OpenSsl).cases, 64);
    // 192-bit keys are not offered.
    let twofish = of("xts(twofish)").unwrap().cell(Suite::Libgcrypt).cases;
    assert!((20..64).contains(&twofish), "{twofish}");
}

/// The kernels that there are, on the host: against the CPU path too, which they are not.
#[test]
fn kernels_on_the_host_pass_every_suite() {
    let on_device = |algorithm: &&Algorithm| algorithm.device.is_some();
    let kernels = Settings {
        algorithms: all().iter().copied().filter(on_device).collect(),
        ..settings(24)
    };
    let report = run_on(kernels, &mut HostKernels, true);
    assert!(report.passed(), "{:#?}", report.failures);
    for row in &report.rows {
        let name = row.algorithm.name;
        assert_eq!(row.cell(Suite::CpuPath).cases, 24, "{name}");
        assert_eq!(row.proven, row.tiles, "{name}");
    }
}

/// What is done to tiles, pool and proofs behind the CPU path's back.
type How = fn(&[Tile], &mut [u8], &mut [u32]) -> Result<(), String>;

/// The CPU path with something wrong in it.
struct Wrong {
    cpu: CpuPath,
    how: How,
}

impl Launcher for Wrong {
    fn backend(&self) -> &str {
        "wrong"
    }

    fn launch(
        &mut self,
        algorithm: &'static Algorithm,
        op: Op,
        keys: &[&[u8]],
        tiles: &[Tile],
        pool: &mut [u8],
        computed: &mut [u32],
    ) -> Result<(), String> {
        self.cpu
            .launch(algorithm, op, keys, tiles, pool, computed)?;
        if algorithm.name == "cbc(aes)" && op == Op::Decrypt {
            (self.how)(tiles, pool, computed)
        } else {
            Ok(())
        }
    }
}

/// What the matrix finds in a wrong backend: the row of the algorithm that is wrong.
fn found(how: How) -> (Report, usize) {
    let few = Settings {
        algorithms: all().iter().copied().take(4).collect(),
        ..settings(40)
    };
    let report = run(few, Wrong { cpu: CpuPath, how });
    assert!(!report.passed());
    let at = |row: &kgpu_verify::report::Row| row.algorithm.name == "cbc(aes)";
    let wrong = report.rows.iter().position(at).unwrap();
    for (at, row) in report.rows.iter().enumerate() {
        assert_eq!(row.passed(), at != wrong, "{}", row.algorithm.name);
    }
    assert!(report.failures.iter().all(|f| f.algorithm == "cbc(aes)"));
    assert!(!report.failures.is_empty());
    (report, wrong)
}

#[test]
fn a_wrong_bit_is_found_by_every_suite() {
    let (report, wrong) = found(|tiles, pool, _| {
        for tile in tiles {
            pool[index(tile.dst) + tile.len as usize - 1] ^= 1;
        }
        Ok(())
    });
    let row = &report.rows[wrong];
    for suite in [
        Suite::Vectors,
        Suite::Reference,
        Suite::Libgcrypt,
        Suite::OpenSsl,
    ] {
        let cell = row.cell(suite);
        assert!(cell.failures > 0 && cell.failures < cell.cases, "{suite}");
    }
    assert_eq!(row.tiles, row.proven);
    let first = &report.failures[0];
    assert!(first.what.contains("differs from byte"), "{first:?}");
}

#[test]
fn a_write_beside_the_output_is_found() {
    for how in [
        |tiles: &[Tile], pool: &mut [u8], _: &mut [u32]| {
            let first = tiles.iter().min_by_key(|tile| tile.dst).unwrap();
            pool[index(first.dst) - 1] ^= 1;
            Ok(())
        },
        |tiles: &[Tile], pool: &mut [u8], _: &mut [u32]| {
            let last = tiles.iter().max_by_key(|tile| tile.dst).unwrap();
            pool[index(last.dst) + last.len as usize] = 0;
            Ok(())
        },
    ] {
        let (report, _) = found(how);
        let told = |what: &str| what.contains("was written to") || what.contains("differs");
        assert!(report.failures.iter().all(|failed| told(&failed.what)));
        assert!(
            report
                .failures
                .iter()
                .any(|failed| failed.what.contains("was written to"))
        );
    }
}

#[test]
fn right_bytes_from_another_backend_are_no_proof() {
    let (report, wrong) = found(|_, _, computed| {
        computed[0] = 0;
        Ok(())
    });
    let row = &report.rows[wrong];
    assert!(row.cells.iter().all(|cell| cell.failures == 0));
    assert!(row.proven < row.tiles);
    assert!(report.failures[0].what.contains("tiles are proven"));
}

#[test]
fn a_launch_that_fails_fails_all_its_requests() {
    let (report, _) = found(|_, _, _| Err("out of order".into()));
    assert!(
        report
            .failures
            .iter()
            .all(|failed| failed.what.contains("out of order"))
    );
}

#[test]
fn one_case_can_be_run_again() {
    let cbc = by_name("cbc(aes)").unwrap();
    let decrypts = |number: &u64| request(1, cbc, *number).shape.op == Op::Decrypt;
    let number = (70..).find(decrypts).unwrap();
    let only = Settings {
        only: Some(number),
        algorithms: vec![cbc],
        ..settings(0)
    };
    let report = run(only.clone(), CpuPath);
    assert!(report.passed());
    assert_eq!(report.rows[0].requests, 1);
    let how = |_: &[Tile], _: &mut [u8], _: &mut [u32]| Err("no".into());
    let report = run(only, Wrong { cpu: CpuPath, how });
    assert_eq!(report.failed(), 1);
    assert_eq!(report.failures[0].name, Name::Random(number));
}

/// Random requests are those of their seed, algorithm and number; they are valid; and all kinds come.
#[test]
fn random_requests_are_many_and_repeatable() {
    for &algorithm in all() {
        let (mut lens, mut seen) = (HashSet::new(), HashSet::new());
        let (mut bytes, mut largest, mut partial) = (0u64, 0, 0);
        for number in 0..2000 {
            let made = request(5, algorithm, number);
            made.shape.check(algorithm).unwrap();
            assert!(made.shape.len <= BYTES_MAX && made.tiles() <= TILES_MAX);
            assert!(algorithm.key_sizes.contains(made.key.len()));
            assert!(Layout::all(algorithm).contains(&made.layout));
            let iv = &made.shape.iv[algorithm.iv_size()..];
            assert!(iv.iter().all(|byte| *byte == 0));
            lens.insert(made.key.len());
            let in_place = made.layout == Layout::InPlace;
            seen.insert((made.shape.op, made.shape.iv_step, in_place));
            bytes += u64::from(made.shape.len);
            largest = largest.max(made.shape.len);
            partial += u32::from(!made.shape.len.is_multiple_of(made.shape.data_unit_size));
        }
        let steps = IvStep::ALL.iter().filter(|step| algorithm.steps(**step));
        let kinds = algorithm.ops().len() * steps.count() * Layout::all(algorithm).len();
        assert_eq!(seen.len(), kinds, "{}", algorithm.name);
        assert!(lens.len() * 10 >= algorithm.key_sizes.iter().count() * 8);
        assert!((1200..7000).contains(&(bytes / 2000)), "{}", bytes / 2000);
        assert!(largest > 32 << 10);
        assert_eq!(partial > 0, algorithm.partial_last_unit());
        let (one, same) = (request(5, algorithm, 9), request(5, algorithm, 9));
        assert_eq!((one.key, one.input), (same.key, same.input));
        assert_ne!(one.seed, request(6, algorithm, 9).seed);
    }
}

/// Counters wrap at every width inside requests.
#[test]
fn counters_wrap() {
    let ctr = by_name("ctr(aes)").unwrap();
    let mut wraps = [0; 4];
    for number in 0..2000 {
        let made = request(5, ctr, number);
        let blocks = u128::from(made.shape.len.min(made.shape.data_unit_size).div_ceil(16));
        let first = u128::from_be_bytes(made.shape.iv);
        for (count, bits) in wraps.iter_mut().zip([32, 64, 96, 128]) {
            let low = first & (u128::MAX >> (128 - bits));
            *count += u32::from(
                low.checked_add(blocks - 1)
                    .is_none_or(|sum| bits < 128 && sum >> bits != 0),
            );
        }
    }
    assert!(wraps.iter().all(|count| *count > 20), "{wraps:?}");
}
