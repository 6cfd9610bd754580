//! The module's whole engine over its mock glue: the input decides who submits, what the helper
//! answers, when it lies, dies or hangs, and how time goes. The schedule itself holds the checks:
//! every request answered once with the right bytes, and books that add up.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|rolls: &[u8]| kgpu_kmod::mock::schedule(rolls));
