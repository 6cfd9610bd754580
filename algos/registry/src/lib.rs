//! The registry: the one list of algorithms, which the kernel module, the helper, the tests and the
//! benchmarks iterate over. None of them names an algorithm.
//!
//! The list is made at build time from the dependency lines of this crate's `Cargo.toml`; it is
//! constant data, usable in the kernel. Two algorithms of one id fail the build.
#![no_std]
#![forbid(unsafe_code)]

use kgpu_core::abi::AlgorithmId;
use kgpu_core::algorithm::Algorithm;

include!(concat!(env!("OUT_DIR"), "/crates.rs"));

/// How many algorithms there are.
pub const COUNT: usize = {
    let (mut count, mut at) = (0, 0);
    while at < CRATES.len() {
        count += CRATES[at].len();
        at += 1;
    }
    count
};

/// Every algorithm, by rising id.
static ALL: [&Algorithm; COUNT] = {
    let mut all = [&CRATES[0][0]; COUNT];
    let (mut count, mut at) = (0, 0);
    while at < CRATES.len() {
        let mut inside = 0;
        while inside < CRATES[at].len() {
            // Insertion sort: the new one sinks below those of higher ids.
            let mut place = count;
            all[place] = &CRATES[at][inside];
            while place > 0 && all[place - 1].id.0 >= all[place].id.0 {
                assert!(
                    all[place - 1].id.0 != all[place].id.0,
                    "two algorithms have one id"
                );
                all.swap(place - 1, place);
                place -= 1;
            }
            count += 1;
            inside += 1;
        }
        at += 1;
    }
    all
};

/// Every algorithm, by rising id.
#[must_use]
pub const fn all() -> &'static [&'static Algorithm] {
    &ALL
}

/// The published vectors of every algorithm: the files in the crates' `tests/data`, whose format
/// `kgpu-verify` reads. They go with the program, so that a user can run them on his own machine.
#[cfg(not(kgpu_kernel))]
#[must_use]
pub const fn vectors() -> &'static [&'static str] {
    include!(concat!(env!("OUT_DIR"), "/vectors.rs"))
}

/// The algorithm of a stable number.
#[must_use]
pub fn by_id(id: AlgorithmId) -> Option<&'static Algorithm> {
    ALL.binary_search_by_key(&id, |algorithm| algorithm.id)
        .ok()
        .and_then(|at| ALL.get(at).copied())
}

/// The algorithm of a name (`xts(twofish)`) or driver name (`xts-twofish-kgpu`).
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Algorithm> {
    ALL.iter()
        .copied()
        .find(|algorithm| algorithm.name == name || algorithm.driver == name)
}
