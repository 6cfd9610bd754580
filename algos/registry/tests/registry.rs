//! What must hold of every algorithm in the registry.
// Tests: a panic is a failure.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;

use kgpu_algos::{COUNT, all, by_id, by_name, vectors};
use kgpu_core::abi::{AlgorithmId, KEY_BYTES_MAX};
use kgpu_core::algorithm::{Fallback, IV_BYTES_MAX, KeySizes, Load, Mode, Output};
use kgpu_verify::known::check_known_answers;
use kgpu_verify::vectors::{Vector, parse};

/// The golden lists, one in each cipher's folder, by rising id.
fn listed() -> Vec<(u16, String)> {
    let mut listed = Vec::new();
    for folder in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap() {
        let Ok(text) = fs::read_to_string(folder.unwrap().path().join("ids.txt")) else {
            continue;
        };
        listed.extend(
            text.lines()
                .filter(|line| !line.starts_with('#'))
                .map(|line| {
                    let (id, _) = line.split_once(' ').unwrap();
                    (id.parse().unwrap(), line.to_owned())
                }),
        );
    }
    listed.sort();
    listed
}

#[test]
fn ids_and_names_are_those_of_the_lists() {
    let registered: Vec<_> = all()
        .iter()
        .map(|a| (a.id.0, format!("{} {} {}", a.id.0, a.name, a.driver)))
        .collect();
    assert_eq!(
        registered,
        listed(),
        "each cipher's ids.txt: add lines, never change any"
    );
}

/// Every algorithm's folder brings published vectors, and the program carries them.
#[test]
fn vectors_are_carried() {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap();
    let files =
        files.filter_map(|folder| fs::read_dir(folder.unwrap().path().join("tests/data")).ok());
    assert_eq!(vectors().len(), files.flatten().count());
    let found: Vec<Vector> = vectors()
        .iter()
        .flat_map(|file| parse(file).unwrap())
        .collect();
    for algorithm in all() {
        let own = found
            .iter()
            .any(|vector| vector.algorithm == algorithm.name);
        assert!(own, "{}: no vector in tests/data", algorithm.name);
    }
    assert!(
        found
            .iter()
            .all(|vector| by_name(&vector.algorithm).is_some())
    );
}

#[test]
fn ids_names_and_drivers_are_unique() {
    assert_eq!(all().len(), COUNT);
    let ids: HashSet<_> = all().iter().map(|a| a.id).collect();
    let names: HashSet<_> = all().iter().flat_map(|a| [a.name, a.driver]).collect();
    assert_eq!((ids.len(), names.len()), (COUNT, 2 * COUNT));
    assert!(all().iter().all(|a| a.id.0 != 0), "0 is no id");
}

#[test]
fn lookups_find_what_is_there() {
    for algorithm in all() {
        assert_eq!(by_id(algorithm.id).unwrap().name, algorithm.name);
        assert_eq!(by_name(algorithm.name).unwrap().id, algorithm.id);
        assert_eq!(by_name(algorithm.driver).unwrap().id, algorithm.id);
    }
    assert!(by_id(AlgorithmId(0)).is_none());
    assert!(by_id(AlgorithmId(u16::MAX)).is_none());
    assert!(by_name("rot(13)").is_none());
}

#[test]
fn descriptors_are_sound() {
    for a in all() {
        let name = a.name;
        assert!(a.driver.ends_with("-kgpu"), "{name}");
        assert!(
            a.driver.len() < 128 && name.len() < 128,
            "{name}: CRYPTO_MAX_ALG_NAME"
        );
        assert!(usize::from(a.key_sizes.max) <= KEY_BYTES_MAX, "{name}");
        assert!(a.iv_size() <= IV_BYTES_MAX, "{name}");
        assert!(a.block_size > 0 && a.crossover > 0, "{name}");
        let service = a.mode == Mode::Digest;
        assert_eq!(service, !a.has_key(), "{name}");
        assert_eq!(service, matches!(a.output, Output::PerUnit(_)), "{name}");
        assert_eq!(service, matches!(a.fallback, Fallback::Shash(_)), "{name}");
        // A cipher may have an empty key; a service has none at all.
        assert_eq!(a.key_sizes == KeySizes::NONE, service, "{name}");
    }
}

#[test]
fn launches_have_a_lane_and_a_tile() {
    for a in all() {
        for load in [
            (0, 0, 0),
            (1, 1, 1),
            (1, 1 << 30, 256),
            (1 << 20, 1 << 36, 16),
        ] {
            let (tiles, bytes, lanes) = load;
            let launch = (a.launch)(&Load {
                tiles,
                bytes,
                lanes,
            });
            assert!(
                launch.lanes >= 1 && launch.lanes <= lanes.max(1),
                "{} {load:?}",
                a.name
            );
            assert!(launch.tiles_per_lane >= 1, "{} {load:?}", a.name);
        }
    }
}

#[test]
fn cpu_paths_take_exactly_the_described_keys() {
    let key: Vec<u8> = (0..100).collect();
    for a in all() {
        for len in 0..key.len() {
            let expanded = (a.cpu)(&key[..len]);
            assert_eq!(
                expanded.is_ok(),
                a.key_sizes.contains(len),
                "{} {len}",
                a.name
            );
            match expanded {
                Ok(expanded) => assert!(!format!("{expanded:?}").contains("1, 2"), "{}", a.name),
                Err(error) => assert_eq!(error.len, len),
            }
        }
    }
}

#[test]
fn known_answers_are_requests() {
    for a in all() {
        for answer in a.known_answers {
            let name = format!("{}: {}", a.name, answer.source);
            assert!(a.key_sizes.contains(answer.key.len()), "{name}");
            assert!(
                answer.iv.iter().skip(a.iv_size()).all(|byte| *byte == 0),
                "{name}"
            );
            // They live in the kernel's memory for good.
            assert!(answer.input.len() <= 512, "{name}");
            for op in a.ops() {
                let shape = Vector::of(a, answer).shape(*op).unwrap();
                shape
                    .check(a)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                let output = usize::try_from(shape.output_len(a).unwrap()).unwrap();
                assert_eq!(output, answer.output.len(), "{name}");
            }
        }
    }
}

#[test]
fn known_answers_cover_keys_and_steps() {
    use kgpu_core::abi::IvStep;
    for a in all() {
        let keys: HashSet<_> = a.known_answers.iter().map(|k| k.key.len()).collect();
        let wanted = a.key_sizes.iter().count().min(3);
        assert!(keys.len() >= wanted, "{}: {wanted} key lengths", a.name);
        for step in IvStep::ALL.iter().filter(|step| a.steps(**step)) {
            let covered = a.known_answers.iter().any(|answer| {
                let units = answer.input.len().div_ceil(answer.data_unit_size as usize);
                answer.iv_step == *step && units > 1
            });
            assert!(covered, "{}: several units that step as {step}", a.name);
        }
    }
}

#[test]
fn known_answers_are_right_on_the_cpu() {
    for algorithm in all() {
        check_known_answers(algorithm).unwrap_or_else(|failure| panic!("{failure}"));
    }
}
