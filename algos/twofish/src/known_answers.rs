//! The answers a helper must give for Twofish in its four modes.

use kgpu_core::abi::IvStep;
use kgpu_core::algorithm::KnownAnswer;
use kgpu_core::hex::hex;

/// All three key sizes, and data units.
pub(crate) const ECB: &[KnownAnswer] = &[
    KnownAnswer {
        source: "Twofish paper, ecb_ival.txt, 128-bit key",
        key: &hex::<16>("00000000000000000000000000000000"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 16,
        input: &hex::<16>("00000000000000000000000000000000"),
        output: &hex::<16>("9f589f5cf6122c32b6bfec2f2ae8c35a"),
    },
    KnownAnswer {
        source: "Twofish paper, ecb_ival.txt, 192-bit key",
        key: &hex::<24>("0123456789abcdeffedcba98765432100011223344556677"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 16,
        input: &hex::<16>("00000000000000000000000000000000"),
        output: &hex::<16>("cfd1d2e5a9be9cdf501f13b892bd2248"),
    },
    KnownAnswer {
        source: "Twofish paper, ecb_ival.txt, 256-bit key",
        key: &hex::<32>("0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 16,
        input: &hex::<16>("00000000000000000000000000000000"),
        output: &hex::<16>("37527be0052334b89f0cfccae87cfa20"),
    },
    KnownAnswer {
        source: "computed with nettle: 128-bit key, two data units",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "291ed11a7b141a067e773959f13974df9b05aa1ecbb6650fe3080aa10c2333d3 \
             69e255a54af4617452a65ff06375ab73ec939150df26b24d377943e213332f47",
        ),
    },
    KnownAnswer {
        source: "computed with nettle: 192-bit key, two data units",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "dd250b486e904968b4495f5a110a6936bab94ee6dbb02af4502c90087ea78b4d \
             dba3ec4cf1ac94b1270f6ed948691807c05fa84d69f3dd5d16f2798faf14f833",
        ),
    },
    KnownAnswer {
        source: "computed with nettle: 256-bit key, two data units",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "e1b45f5f5bd0c9ea0de77424054222a4341a841d6fff65c96f7924f8bf481072 \
             8c03971edb3fc796f861998549b7055df8c5a1e78eba66292b59d0baaa235d07",
        ),
    },
];

/// All three key sizes, and data units with every IV step.
pub(crate) const CBC: &[KnownAnswer] = &[
    KnownAnswer {
        source: "computed from nettle's Twofish: 128-bit key",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "c2067ac0f36692c15e0fbbef48acf4ab9ac67be645e8a1626fb2ac798582524e \
             83e698c4763439f9a2cda983613011580a01da9bcea1244c0991714eed75f5cd",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: 192-bit key",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "fa2245e40a3f42b6eed643740bf56868510bd1b2866afbb1dee7fc7a38347755 \
             f546dfd8da4638a68245d2ee9b7d95b48f2754ef72f418b111e75348d75c25a1",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: 256-bit key",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "e0227c3cc80f3cb1b2ed847cc6f57d3c657b1e7960b30fb7c8d62e72ae37c3a0 \
             a8bc94f826ca277d18e958203c1a70e715677b55079333d6a0a234080801ebb6",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps none",
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
            "e1d850f72fa28e90738de930ea100f9465daa0d6fdd98a82bc8233be5d1a563d \
             818e7e932b716e620670a62ddf3a95a7214c272f757efe91f3af7b47d865df20 \
             423f0a2648e17b30349736ded0e7a1a1ca62b3a11e1b7112cfea65810bb2e1e9",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps le64",
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
            "1b1932934eddae768138d0c65542c12dadcca42a84a4c47340205ae69300f025 \
             e89e36969a487622a6f8ed067d0460e3b3b89a63ae77ca8c5110acb59e3a8d31 \
             8e35c6ad6e2a947c5afc27956cce2e05b538b8c01215965383c6db4bd8ed2834",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps be64",
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
            "efeb7878135a42350f0a1883e3da3f1a88b46cb5de7aaad702cf04590f5fe0a5 \
             f4a38559250d1e5cceca8754d9b75af28c9221080af3e80c4ef21300735e2c04 \
             5a735999d43d8846e372e5b26e39c9331eebc045811d5f5295cfb0929bf7b861",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps le128",
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
            "0367c467aa1d8a4a61a5ffb29d5e09461c5871e03574095ed2f349bebbd1bef4 \
             9c8c012ab86c94ab5c6457a89923f4a0749eba1f232784ddd65f35b03d26cfc9 \
             2cf9673df6d5ae6d97d4ea713308f0edf189ac24d2903a6e21cf5874733547d8",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps be128",
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
            "a6119c34d186f1624c9052095c0e8eb61dfe25e5eb94c7a91d8c19b76b0ba104 \
             c4b39c8e0c5665f168a545138120f293fab81a08d5e238621b0efef7c7db7778 \
             71edf53a82db0bf3aad5ed259ff647a0d19a2b7db4d4a4b130f4e8fe8f149ed7",
        ),
    },
];

/// All three key sizes, counter carries, a partial last block, and data units with every IV step.
pub(crate) const CTR: &[KnownAnswer] = &[
    KnownAnswer {
        source: "computed from nettle's Twofish: 128-bit key",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "583c411edd52a093088b838d2790ca6baf9ccb654abf72d2ded839d658eb3e9f \
             4f986b4ae85687863617f1aa599abb6ff5da8edf7561418d9b66efc0328ddcca",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: 192-bit key",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "9f3ad5311aa64dd941acc6c4ab277e374be6524822729cb8790e2681d87ef7d1 \
             e3303becff700c7df808e62d95d58bc0cf7dabd74de7165dc4d941f1e10829be",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: 256-bit key",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "511f52c93cdc341c602f6e78258566305dcc459eb6543eca37dc581fc38834e2 \
             8e7fce59c3ea482d989a71dd75e8b473477d19cc1e87512d66dd5ebcdbcacbc5",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: counter carries out of 32 bits",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("000000000000000000000000ffffffff"),
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "0910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2 \
             e9f0f7fe050c131a21282f363d444b52",
        ),
        output: &hex::<48>(
            "adedc2039cf07e9a32744e6a01e0295bd2a3c0d95076547123b11d243d3f97f7 \
             bff2d0b7db8a39969939dc5faec965fb",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: counter carries out of 64 bits",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("0000000000000000ffffffffffffffff"),
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "0910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2 \
             e9f0f7fe050c131a21282f363d444b52",
        ),
        output: &hex::<48>(
            "4aa977173249faa5a36aa106b3578bc9025d7b94d16dbeae7f97ce7f58249d81 \
             0bea52bd181d81197afee73e936d4724",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: counter carries out of the whole block",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("fffffffffffffffffffffffffffffffe"),
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "0910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2 \
             e9f0f7fe050c131a21282f363d444b52",
        ),
        output: &hex::<48>(
            "fb94341b96933887c0aea8818474e04c7266ea063446e871108fe8a0a89664cd \
             aa28bd5d46b83a93d286475bfb821f89",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps none",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("101112131415161718191a1b1c1d1e1f"),
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<83>(
            "00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9 \
             e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969da4abb2b9 \
             c0c7ced5dce3eaf1f8ff060d141b222930373e",
        ),
        output: &hex::<83>(
            "a50dee0cc8063427d595b3d0480b62a8191bae5fd74f3f83d58444b3be515718 \
             45ed0eec28261407f5b5d3b0286b4288393b8ebf37afdfa3f5a46493de313778 \
             65cd2ecc08c6f4e71555f390084b22e8595bee",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps le64",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("feffffffffffffff0102030405060708"),
        iv_step: IvStep::Le64,
        data_unit_size: 32,
        input: &hex::<83>(
            "01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da \
             e1e8eff6fd040b121920272e353c434a51585f666d747b828990979ea5acb3ba \
             c1c8cfd6dde4ebf2f900070e151c232a31383f",
        ),
        output: &hex::<83>(
            "93d6e792bc5b115d723e371a8d5ca02e2851deccd040906919a7e051768fc677 \
             80a2a5cc755001ea4dd213565c36815828c75a346cb6c232f8f949d907389199 \
             9241cf200c20cc5857928babf0a39a11603d3f",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps be64",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("0102030405060708fffffffffffffffe"),
        iv_step: IvStep::Be64,
        data_unit_size: 32,
        input: &hex::<83>(
            "020910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4db \
             e2e9f0f7fe050c131a21282f363d444b525960676e757c838a91989fa6adb4bb \
             c2c9d0d7dee5ecf3fa01080f161d242b323940",
        ),
        output: &hex::<83>(
            "dfd2bb881a89b461cd761ab07f84256361585d5723fd301d4cec8eb66ebeb62e \
             f1c82d27536da0adfc7c1e269e4e26be87637f8d46d452e31b05757723dffb2b \
             061729edcd62b76b0b28b7c22fcc6dfcf203a7",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps le128",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("feffffffffffffffffffffffffffff01"),
        iv_step: IvStep::Le128,
        data_unit_size: 32,
        input: &hex::<83>(
            "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc \
             e3eaf1f8ff060d141b222930373e454c535a61686f767d848b9299a0a7aeb5bc \
             c3cad1d8dfe6edf4fb020910171e252c333a41",
        ),
        output: &hex::<83>(
            "4a20e0fa885ec6040ebd373683d3123a96f68c153a6e1fb6cf4e3d73ba97e7ee \
             cc5dc3570ff59271d8d329f383b0301a50892967f540d3e2e44ffb6fda1b49da \
             d605edf957ef6fa42fb87f3da4ab054333e247",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps be128",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("01fffffffffffffffffffffffffffffe"),
        iv_step: IvStep::Be128,
        data_unit_size: 32,
        input: &hex::<83>(
            "040b121920272e353c434a51585f666d747b828990979ea5acb3bac1c8cfd6dd \
             e4ebf2f900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd \
             c4cbd2d9e0e7eef5fc030a11181f262d343b42",
        ),
        output: &hex::<83>(
            "abf9be5a279961b11282f33cdef16c8d601841328728b008b78abcefaafdd2e2 \
             f088314217b820b8071a2c1f5a0d42720c7924da13537b75277ea256c8af77a2 \
             9ce9946a83c3eb0557ee32e6781fe73265aa50",
        ),
    },
];

/// All three key sizes, and data units with every IV step.
pub(crate) const XTS: &[KnownAnswer] = &[
    KnownAnswer {
        source: "computed from nettle's Twofish: 256-bit key",
        key: &hex::<32>("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "09b55ea4018f6b20c264b106cf1042941133fe0f0301dc73db6fa06817ef852c \
             9fad572b5145024b89582068e59a818f8c15266cbf8bb98155c6b9997dd0dae1",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: 384-bit key",
        key: &hex::<48>(
            "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f \
             606162636465666768696a6b6c6d6e6f",
        ),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "fd5d9e9f26004a36b677a32893c4746070d8a26f79d1eaa3b57f39f90d2392fb \
             0b460efe6ef58fd898991e3aa9d385522c5313d081ca41a8e995ed6dc0b15030",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: 512-bit key",
        key: &hex::<64>(
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f \
             a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
        ),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "93282451743072f63e6dca4bcaddfe6a6d93e95ef6d270ff9e3d278fde09817d \
             5ea9d6e9c39a8189b9c884d89297f1a703b18af955978ddf93113377200984c8",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps none",
        key: &hex::<32>("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        iv: hex("101112131415161718191a1b1c1d1e1f"),
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<96>(
            "00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9 \
             e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969da4abb2b9 \
             c0c7ced5dce3eaf1f8ff060d141b222930373e454c535a61686f767d848b9299",
        ),
        output: &hex::<96>(
            "919b746762851d0647e9dc3b7b1d883122e5975c06351ec96a647fb5c56a0a93 \
             64bab512a6eb17ef7a77f33f3c9e0ef0839850f5704658054adf9ed428985550 \
             c4ec2b4568d176572f134bc8368586c55f1e78d2ec3455f6f12aef0e79825236",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps le64",
        key: &hex::<48>(
            "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f \
             606162636465666768696a6b6c6d6e6f",
        ),
        iv: hex("feffffffffffffff0102030405060708"),
        iv_step: IvStep::Le64,
        data_unit_size: 32,
        input: &hex::<96>(
            "01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da \
             e1e8eff6fd040b121920272e353c434a51585f666d747b828990979ea5acb3ba \
             c1c8cfd6dde4ebf2f900070e151c232a31383f464d545b626970777e858c939a",
        ),
        output: &hex::<96>(
            "53dae989878d0ce5e289f77df9c503426b3f7c6b95c63e78a724ebcd3db378fd \
             41552704e811c929b0da5f7f37156e9a782607d39c5c606ff3dd5040b53760d4 \
             ee7cb67c259d75fa9bf6bd191182d800b4e682ead5a902e7e2e52e39fafd9a8f",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps be64",
        key: &hex::<64>(
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f \
             a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf",
        ),
        iv: hex("0102030405060708fffffffffffffffe"),
        iv_step: IvStep::Be64,
        data_unit_size: 32,
        input: &hex::<96>(
            "020910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4db \
             e2e9f0f7fe050c131a21282f363d444b525960676e757c838a91989fa6adb4bb \
             c2c9d0d7dee5ecf3fa01080f161d242b323940474e555c636a71787f868d949b",
        ),
        output: &hex::<96>(
            "3ecfd2111fed2416ae610ee981b4ec310cf355a8b1c877461cb1cadd8777fe67 \
             62591e4065a11d326a39003d2f25d9eff0989a81201260152b37539f5e31c064 \
             de81b7c56390150aab7b4f255d37b2807b63818ceaca927032110ae148dae428",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps le128",
        key: &hex::<32>("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        iv: hex("feffffffffffffffffffffffffffff01"),
        iv_step: IvStep::Le128,
        data_unit_size: 32,
        input: &hex::<96>(
            "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc \
             e3eaf1f8ff060d141b222930373e454c535a61686f767d848b9299a0a7aeb5bc \
             c3cad1d8dfe6edf4fb020910171e252c333a41484f565d646b727980878e959c",
        ),
        output: &hex::<96>(
            "0a894d7f0b9e85fb39499426875a52cf17985bb5dcb8cfcc96e85d3f4759f484 \
             1472ba6c28d8a496fb86b3ab97d524157138a005d16b1b39c591e76f3901c1ed \
             a3365089e97f72ae9b0bcca20a1d7a07ab67ccb7f3cd56c792c1f3dd4664d15b",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Twofish: IV steps be128",
        key: &hex::<48>(
            "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f \
             606162636465666768696a6b6c6d6e6f",
        ),
        iv: hex("01fffffffffffffffffffffffffffffe"),
        iv_step: IvStep::Be128,
        data_unit_size: 32,
        input: &hex::<96>(
            "040b121920272e353c434a51585f666d747b828990979ea5acb3bac1c8cfd6dd \
             e4ebf2f900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd \
             c4cbd2d9e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969d",
        ),
        output: &hex::<96>(
            "be7f681e7a4eb36b1d3dcd04e23af71561ad3c83f879d9d68d77a443a9ed19fa \
             5bb8689af3f1d6b2d22c8d9d7d7edc1d9fcb71fb11b54366c0fb5c5836f3b596 \
             b0dce1913b009873ef583e36f8575448e198e462807ee9e5283e3f4f7553c032",
        ),
    },
];
