//! Every algorithm of the registry on the CPU path, with random requests.
// Tests: a panic is a failure.
#![allow(clippy::unwrap_used)]

use kgpu_algos::all;
use kgpu_core::algorithm::{IV_BYTES_MAX, Mode};
use kgpu_core::iv;
use kgpu_core::num;
use kgpu_core::request::Shape;
use kgpu_verify::cases::{Case, cases, inverse};
use kgpu_verify::pool::{Layout, Plan, run};
use kgpu_verify::reference;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Runs a case whole and apart.
fn whole(case: &Case) -> Vec<u8> {
    let plan = Plan::whole(Layout::Apart);
    run(case.algorithm, &case.key, &case.shape, &case.input, plan).unwrap()
}

#[test]
fn every_cipher_has_a_reference() {
    for algorithm in all() {
        assert!(
            algorithm.mode == Mode::Digest || reference::ecb_of(algorithm, all()).is_some(),
            "{}: add the cipher's ECB, from which its reference is made",
            algorithm.name
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The CPU path computes what the standards say.
    #[test]
    fn ciphers_do_as_the_reference(case in cases(all()), in_place: bool) {
        prop_assume!(case.algorithm.mode != Mode::Digest);
        let Case { algorithm, key, shape, input } = &case;
        let ecb = reference::ecb_of(algorithm, all()).unwrap();
        let expected = reference::compute(algorithm, ecb, key, shape, input).unwrap();
        let layout = if in_place { Layout::InPlace } else { Layout::Apart };
        let got = run(algorithm, key, shape, input, Plan::whole(layout)).unwrap();
        prop_assert_eq!(got, expected, "{}", algorithm.name);
    }

    /// Cuts show nowhere: tiles of any size, in any order, in place or apart.
    #[test]
    fn tiles_compose(
        case in cases(all()),
        layout in any::<Index>(),
        tile_bytes in select(vec![8, 16, 24, 48, 64, 100, 256, 1024]),
        order: u64,
    ) {
        let Case { algorithm, key, shape, input } = &case;
        let plan = Plan {
            layout: *layout.get(Layout::all(algorithm)),
            tile_bytes,
            order,
        };
        let got = run(algorithm, key, shape, input, plan).unwrap();
        prop_assert_eq!(got, whole(&case), "{}", algorithm.name);
    }

    /// What an operation does, its inverse undoes.
    #[test]
    fn operations_invert(case in cases(all())) {
        let Some(op) = inverse(case.shape.op) else {
            return Ok(());
        };
        let input = whole(&case);
        let back = Case { input, shape: Shape { op, ..case.shape }, ..case.clone() };
        prop_assert_eq!(whole(&back), case.input, "{}", case.algorithm.name);
    }

    /// dm-crypt's view: one request over many sectors is one request for each sector.
    #[test]
    fn units_are_requests_of_their_own(case in cases(all())) {
        let Case { algorithm, key, shape, input } = &case;
        let unit = num::index(u64::from(shape.data_unit_size));
        let mut expected = Vec::new();
        for (number, sector) in (0..).zip(input.chunks(unit)) {
            let iv = iv::step(&shape.iv, algorithm.iv_size(), shape.iv_step, number);
            let alone = Shape::single(shape.op, u32::try_from(sector.len()).unwrap(), iv);
            let plan = Plan::whole(Layout::Apart);
            expected.extend(run(algorithm, key, &alone, sector, plan).unwrap());
        }
        prop_assert_eq!(whole(&case), expected, "{}", algorithm.name);
    }

    /// The crypto API's view: a request may go on where another ended, from the IV that it left.
    #[test]
    fn requests_chain(case in cases(all()), cut in any::<Index>()) {
        let Case { algorithm, key, shape, input } = &case;
        prop_assume!(matches!(algorithm.mode, Mode::Ecb | Mode::Cbc | Mode::Ctr));
        let size = usize::from(algorithm.block_size);
        let blocks = input.len() / size;
        prop_assume!(blocks > 1);
        let (first, second) = input.split_at((1 + cut.index(blocks - 1)) * size);
        if second.is_empty() {
            return Ok(());
        }
        let plan = Plan::whole(Layout::InPlace);
        let single = |iv, data: &[u8]| {
            let shape = Shape::single(shape.op, u32::try_from(data.len()).unwrap(), iv);
            run(algorithm, key, &shape, data, plan).unwrap()
        };
        let expected = single(shape.iv, input);
        let mut got = single(shape.iv, first);
        let ciphertext = if shape.op == kgpu_core::abi::Op::Encrypt { &got[..] } else { first };
        let mut last = [0; IV_BYTES_MAX];
        last[..size].copy_from_slice(&ciphertext[ciphertext.len() - size..]);
        let next = iv::after(algorithm.mode, &shape.iv, algorithm.iv_size(), first.len() as u64, &last);
        got.extend(single(next, second));
        prop_assert_eq!(got, expected, "{}", algorithm.name);
    }
}
