//! The answers a helper must give for `ecb(aes)`.

use kgpu_core::abi::IvStep;
use kgpu_core::algorithm::KnownAnswer;
use kgpu_core::hex::hex;

/// All three key sizes, and data units.
pub(crate) const ECB: &[KnownAnswer] = &[
    KnownAnswer {
        source: "SP 800-38A, F.1.1",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf \
             43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4",
        ),
    },
    KnownAnswer {
        source: "SP 800-38A, F.1.3",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef \
             ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e",
        ),
    },
    KnownAnswer {
        source: "SP 800-38A, F.1.5",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870 \
             b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: two data units",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<96>(
            "00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9 \
             e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969da4abb2b9 \
             c0c7ced5dce3eaf1f8ff060d141b222930373e454c535a61686f767d848b9299",
        ),
        output: &hex::<96>(
            "e9f2a6deb138a49d84afdbf9c253c6f9ad6d0a8ddfaeb49375cac64947d02ff4 \
             c48354f6789499fec83235382acbe9478a33d3d3fd8f77377d6a5d08ea7ab0a3 \
             3349a1149616a3421a23285280c671184e1b997cb25abeee77006bc47fd6b7a9",
        ),
    },
];
