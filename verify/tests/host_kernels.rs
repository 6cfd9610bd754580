//! The kernels of every algorithm that has any, compiled for the host, against the CPU path.
// Tests: a panic is a failure.
#![allow(clippy::unwrap_used)]

use kgpu_algos::all;
use kgpu_core::algorithm::Algorithm;
use kgpu_verify::host_kernels::{batches, check, check_known_answers};
use proptest::prelude::*;

/// The algorithms with kernels.
fn on_devices() -> Vec<&'static Algorithm> {
    let on_device = |algorithm: &&Algorithm| algorithm.device.is_some();
    all().iter().copied().filter(on_device).collect()
}

#[test]
fn known_answers() {
    let mut answers = 0;
    for algorithm in on_devices() {
        answers += check_known_answers(algorithm).unwrap();
    }
    assert!(answers > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any mix of requests, keys, cuts and places in one launch, on every kernel of an operation.
    #[test]
    fn kernels_do_as_the_cpu(batch in batches(&on_devices())) {
        check(&batch).unwrap();
    }
}
