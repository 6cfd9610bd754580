//! What does not fit a mode is refused with the lengths that do not fit, and nothing panics.
// Tests: a panic is a failure.
#![allow(clippy::unwrap_used)]

use aes::Aes128;
use kgpu_core::abi::{IvStep, Op};
use kgpu_core::cpu::{CpuKey, Data, KeyError, Work, WorkError};
use kgpu_modes::{Cbc, Ctr, Ecb, Xts};

const WORK: Work = Work {
    op: Op::Encrypt,
    data_unit_size: 64,
    iv_step: IvStep::None,
    iv: [0; 16],
    first_block: 0,
};

fn modes() -> [Box<dyn CpuKey>; 4] {
    [
        Ecb::<Aes128>::boxed(&[1; 16]).unwrap(),
        Cbc::<Aes128>::boxed(&[1; 16]).unwrap(),
        Ctr::<Aes128>::boxed(&[1; 16]).unwrap(),
        Xts::<Aes128>::boxed(&[1; 32]).unwrap(),
    ]
}

/// Runs `len` zero bytes in place.
fn run(mode: &dyn CpuKey, work: Work, len: usize) -> Result<(), WorkError> {
    mode.run(&work, Data::InPlace(&mut vec![0; len]))
}

#[test]
fn keys_of_other_lengths() {
    for len in [0, 15, 17, 24, 32, 64] {
        let error = KeyError { len };
        assert_eq!(Cbc::<Aes128>::boxed(&vec![0; len]).unwrap_err(), error);
    }
    for len in [0, 16, 31, 33, 48] {
        let error = KeyError { len };
        assert_eq!(Xts::<Aes128>::boxed(&vec![0; len]).unwrap_err(), error);
    }
}

#[test]
fn operations_of_services() {
    let work = Work {
        op: Op::Compute,
        ..WORK
    };
    for mode in modes() {
        assert_eq!(
            run(&*mode, work, 64),
            Err(WorkError::Op(Op::Compute)),
            "{mode:?}"
        );
    }
}

#[test]
fn destinations_of_other_lengths() {
    for mode in modes() {
        for len in [0, 63, 65, 128] {
            let data = Data::Apart {
                src: &[0; 64],
                dst: &mut vec![0; len],
            };
            let error = WorkError::Destination { len, expected: 64 };
            assert_eq!(mode.run(&WORK, data), Err(error), "{mode:?}");
        }
    }
}

#[test]
fn partial_blocks() {
    for mode in modes() {
        let streams = format!("{mode:?}").starts_with("Ctr");
        let error = WorkError::Source { len: 63, block: 16 };
        let expected = if streams { Ok(()) } else { Err(error) };
        assert_eq!(run(&*mode, WORK, 63), expected, "{mode:?}");
    }
}

#[test]
fn units_that_end_inside_a_block() {
    let work = Work {
        data_unit_size: 24,
        ..WORK
    };
    for mode in modes() {
        let error = WorkError::Source { len: 24, block: 16 };
        assert_eq!(run(&*mode, work, 48), Err(error), "{mode:?}");
        assert_eq!(run(&*mode, work, 16), Ok(()), "{mode:?}: no unit follows");
    }
}

#[test]
fn counts_of_modes_that_do_not_count() {
    let work = Work {
        first_block: 1,
        ..WORK
    };
    for mode in modes() {
        let counts = format!("{mode:?}").starts_with("Xts");
        let error = WorkError::Source { len: 48, block: 16 };
        let expected = if counts { Ok(()) } else { Err(error) };
        assert_eq!(run(&*mode, work, 48), expected, "{mode:?}");
    }
}

#[test]
fn tiles_that_start_behind_their_unit() {
    let [.., xts] = modes();
    for first_block in [4, 5, u32::MAX] {
        let work = Work {
            first_block,
            ..WORK
        };
        let error = WorkError::Source { len: 64, block: 16 };
        assert_eq!(run(&*xts, work, 16), Err(error));
    }
}

#[test]
fn nothing_to_do_is_done() {
    for mode in modes() {
        for op in [Op::Encrypt, Op::Decrypt] {
            assert_eq!(run(&*mode, Work { op, ..WORK }, 0), Ok(()), "{mode:?}");
        }
    }
}

#[test]
fn extreme_units_are_no_trouble() {
    for mode in modes() {
        for data_unit_size in [u32::MAX, u32::MAX - 15, 1 << 31] {
            let work = Work {
                data_unit_size,
                iv_step: IvStep::Be128,
                iv: [0xff; 16],
                ..WORK
            };
            assert_eq!(run(&*mode, work, 4096), Ok(()), "{mode:?}");
        }
    }
}

#[test]
fn debug_prints_names_only() {
    let printed: Vec<String> = modes().iter().map(|mode| format!("{mode:?}")).collect();
    let expected = ["Ecb", "Cbc", "Ctr", "Xts"].map(|mode| format!("{mode}<Aes128> {{ .. }}"));
    assert_eq!(printed, expected);
}
