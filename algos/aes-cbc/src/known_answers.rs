//! The answers a helper must give for `cbc(aes)`.

use kgpu_core::abi::IvStep;
use kgpu_core::algorithm::KnownAnswer;
use kgpu_core::hex::hex;

/// All three key sizes, and data units with every IV step.
pub(crate) const CBC: &[KnownAnswer] = &[
    KnownAnswer {
        source: "SP 800-38A, F.2.1",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2 \
             73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
        ),
    },
    KnownAnswer {
        source: "SP 800-38A, F.2.3",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a \
             571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
        ),
    },
    KnownAnswer {
        source: "SP 800-38A, F.2.5",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d \
             39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps none",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("101112131415161718191a1b1c1d1e1f"),
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<96>(
            "00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9 \
             e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969da4abb2b9 \
             c0c7ced5dce3eaf1f8ff060d141b222930373e454c535a61686f767d848b9299",
        ),
        output: &hex::<96>(
            "5acd3744e12aad1bfea2a7395312e0e66062e8d258508dae938fc7dce5467b68 \
             714092af57228e3d448f05f8cb2c1a2167aa637f8129a08c9da73ef759b7652c \
             6b2d28ff299a30ecd8292056e13eb626d6164b05f096900302576b8c4b0c96ca",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps le64",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("feffffffffffffff0102030405060708"),
        iv_step: IvStep::Le64,
        data_unit_size: 32,
        input: &hex::<96>(
            "01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da \
             e1e8eff6fd040b121920272e353c434a51585f666d747b828990979ea5acb3ba \
             c1c8cfd6dde4ebf2f900070e151c232a31383f464d545b626970777e858c939a",
        ),
        output: &hex::<96>(
            "c5bae54056ae8e1248cb895a3930a8a53f5691d9755ff4944c308a0cadbcc8a2 \
             7cc3ac159f3cdbf599ed7368652c1dd6bdee24eaaee5956cd53b588e54d61f16 \
             348188e3037d72caf95c69654097cad3db7d638117421a0e1d9a6e0a75541cb5",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps be64",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("0102030405060708fffffffffffffffe"),
        iv_step: IvStep::Be64,
        data_unit_size: 32,
        input: &hex::<96>(
            "020910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4db \
             e2e9f0f7fe050c131a21282f363d444b525960676e757c838a91989fa6adb4bb \
             c2c9d0d7dee5ecf3fa01080f161d242b323940474e555c636a71787f868d949b",
        ),
        output: &hex::<96>(
            "e76c447d5955433414a19e96b596e526b9022a02e40a6a8d3fefbc831677c8fd \
             16f42c6f71996987ad861b759210b3e58af6ba45461d93d1131f40941e6c8d6a \
             1b72142876ad222dbc77a76c2fbcc81720962e55fc4c3e4a0e2b1e02c8a7290d",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps le128",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("feffffffffffffffffffffffffffff01"),
        iv_step: IvStep::Le128,
        data_unit_size: 32,
        input: &hex::<96>(
            "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc \
             e3eaf1f8ff060d141b222930373e454c535a61686f767d848b9299a0a7aeb5bc \
             c3cad1d8dfe6edf4fb020910171e252c333a41484f565d646b727980878e959c",
        ),
        output: &hex::<96>(
            "a78c76267e0630c0264c3056f651aa000eb3962b4772684bb430c366cdc82b89 \
             98e3f170d7274d5a54e983dea6c281749eb75dc7f8d06efb771d52a9d731d673 \
             8b0f50f58ca5dcf01b2611814ec32a762c60e0c6e07d4a59da97b8f9966dde06",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps be128",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("01fffffffffffffffffffffffffffffe"),
        iv_step: IvStep::Be128,
        data_unit_size: 32,
        input: &hex::<96>(
            "040b121920272e353c434a51585f666d747b828990979ea5acb3bac1c8cfd6dd \
             e4ebf2f900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd \
             c4cbd2d9e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969d",
        ),
        output: &hex::<96>(
            "cb724bbd361aece57478c6f173e3137fe230988bd0eeb71ebb95b66cbf1064a4 \
             fe7f179e76f0a9c1323c58f469779d35e2db3b52d559e22cc8fad7729db57a73 \
             75497f892692ebef22864cb8f175000e40b9efeb28f4d807f42cbd65f9f43346",
        ),
    },
];
