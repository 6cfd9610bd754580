//! The answers a helper must give for `crc32c`.

use kgpu_core::abi::IvStep;
use kgpu_core::algorithm::KnownAnswer;
use kgpu_core::hex::hex;

/// One data unit, several, and a short last one.
pub(crate) const CRC32C: &[KnownAnswer] = &[
    KnownAnswer {
        source: "RFC 3720, B.4: 32 bytes of zeroes",
        key: &hex::<0>(""),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<32>("0000000000000000000000000000000000000000000000000000000000000000"),
        output: &hex::<4>("aa36918a"),
    },
    KnownAnswer {
        source: "RFC 3720, B.4: 32 bytes decrementing",
        key: &hex::<0>(""),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<32>("1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"),
        output: &hex::<4>("5cdb3f11"),
    },
    KnownAnswer {
        source: "RFC 3720, B.4: an iSCSI SCSI Read (10) command PDU",
        key: &hex::<0>(""),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "01c0000000000000000000000000000014000000000004000000001400000018 \
             28000000000000000200000000000000",
        ),
        output: &hex::<4>("563a96d9"),
    },
    KnownAnswer {
        source: "the check value of CRC-32C: 123456789",
        key: &hex::<0>(""),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 9,
        input: &hex::<9>("313233343536373839"),
        output: &hex::<4>("839206e3"),
    },
    KnownAnswer {
        source: "computed bit by bit: four data units of 32 bytes, the last of 7",
        key: &hex::<0>(""),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<103>(
            "00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9 \
             e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969da4abb2b9 \
             c0c7ced5dce3eaf1f8ff060d141b222930373e454c535a61686f767d848b9299 \
             a0a7aeb5bcc3ca",
        ),
        output: &hex::<16>("22d9198f2a00731a60cbbfe4f8b620a2"),
    },
];
