//! The answers a helper must give for Serpent in its four modes.

use kgpu_core::abi::IvStep;
use kgpu_core::algorithm::KnownAnswer;
use kgpu_core::hex::hex;

/// The three usual key sizes, an empty key and an odd one, and data units.
pub(crate) const ECB: &[KnownAnswer] = &[
    KnownAnswer {
        source: "NESSIE, Serpent with 128-bit keys, set 1, vector 0",
        key: &hex::<16>("80000000000000000000000000000000"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 16,
        input: &hex::<16>("00000000000000000000000000000000"),
        output: &hex::<16>("264e5481eff42a4606abda06c0bfda3d"),
    },
    KnownAnswer {
        source: "NESSIE, Serpent with 192-bit keys, set 1, vector 0",
        key: &hex::<24>("800000000000000000000000000000000000000000000000"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 16,
        input: &hex::<16>("00000000000000000000000000000000"),
        output: &hex::<16>("9e274ead9b737bb21efcfca548602689"),
    },
    KnownAnswer {
        source: "NESSIE, Serpent with 256-bit keys, set 1, vector 0",
        key: &hex::<32>("8000000000000000000000000000000000000000000000000000000000000000"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 16,
        input: &hex::<16>("00000000000000000000000000000000"),
        output: &hex::<16>("a223aa1288463c0e2be38ebd825616c0"),
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
            "f7a721e6c756b655cbdf533fc3b31ac44bc604293a81a6a6e4cba78d1a32a29e \
             cfc28e5097dd6b49a938b1515ebc5aacfed2c49592f91c0c9f17cd86386529eb",
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
            "0dfb53231f1f3515b9519133e67cec9e291862d808d8c8ef47497e0941b94823 \
             54b0129554dd954e09b09cbe0142449dc72b88487cb1636f4a31a92ecb05b24b",
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
            "78e5848ed9d5de2d4db02f53616afdf2505df16892408ef69c3b9ea667d9ddb8 \
             b95fc82076521dce60e4fcace3d39151092262de626dc57b4c870c65e71fc713",
        ),
    },
    KnownAnswer {
        source: "computed with nettle: empty key",
        key: &[],
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<32>("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        output: &hex::<32>("1207fcce9bd0d6476ae98fbed143a0e2a9793772916bb57d9829933f2a0c9cf0"),
    },
    KnownAnswer {
        source: "computed with nettle: 104-bit key",
        key: &hex::<13>("c0c1c2c3c4c5c6c7c8c9cacbcc"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<32>("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        output: &hex::<32>("a515962ad91cf76d7136f1edca75464c0f7e5325ab76588dced1b0167891a34d"),
    },
];

/// All three key sizes, and data units with every IV step.
pub(crate) const CBC: &[KnownAnswer] = &[
    KnownAnswer {
        source: "computed from nettle's Serpent: 128-bit key",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "dd73691ab566b638e3b96236c8c8a1dda9b5d9db20fb8b825140bfe64df21ca8 \
             5f48bc29ff6227da097caa22756f43ff31d83e834d9248eb491cf826804eb902",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: 192-bit key",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "3c37e8cffbd84fefee71c8e57fd8d271f3f31a7aa93ff9506a697882adea3d3c \
             1cbb3f2b2c0a89f3400e18b1b38c167852dfb349c903b9a261052bd1b19b9802",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: 256-bit key",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "b893c8dec5c85f0301ac3274dfc6719d3761c5f8344de91091d3878042cc7095 \
             4095a32cdb38e26f0391f5d3517e52b08a1c2d7f0459139331a982c94ed9110c",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps none",
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
            "0656649c4b27642b8347faaa3b042d30f25fc108c3f8144c4d6bed7f8942b99a \
             e0333b8fecb2881ac2c123e20ac3740b4cc2cbb81ce90c00437510ba9bcc22f9 \
             08b0cfe6e7c99fdaff480a2232ac50c37458fff0132c9a4bda065023e649ab94",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps le64",
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
            "29d6cc333f6c0fae43e9279019d3ef9edff266367546731a472f75d1c5d12723 \
             10e56b0d5f5f47e4edfd671344f42927d853c366ec2b2fa560f7fba5641a09b2 \
             045996f17066a2b88652a27b613ff430a6c8cecd70f36e22f1cd5e0a67b0aed7",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps be64",
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
            "2833f8e6ddd03223cc32263d3fa0cc76b398de6ea7851dacc8a96f01762806a7 \
             efd220b8ed6e34152acc82d731ec2359943c9fe9fbca1497b08f9bd6971d54d0 \
             1ad52d8ba6f4d1c38bbedfec28aada978ddb85440d78f8d58313eaa01ad6f5ea",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps le128",
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
            "bf8dbc08a276fc8d314ccac6603cdd3bce050d7145a01036aef67a696bed3caf \
             db5a88d9d13c8edc4856bf8b8ed8cc70f297b9110e78cc8bb70770b36cce97a0 \
             003b1f42a919677149591316c6cbf90e3d9be30062c11dc195e31f41bf169a3a",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps be128",
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
            "1003594a0ae3438a143afd4c93afc055a297473faf0be8b07dd623981ea6ca59 \
             7dc5c9c109fb2a3773521fb2f36ba62e44d9bf92255470078b391a6623eab2fd \
             8c0e236111539ed5e90276347e5598948779302701960a8a83009f4628faecd1",
        ),
    },
];

/// All three key sizes, counter carries, a partial last block, and data units with every IV step.
pub(crate) const CTR: &[KnownAnswer] = &[
    KnownAnswer {
        source: "computed from nettle's Serpent: 128-bit key",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "7c2a0d213f7784c3b7f774d0dd49ca0b04b517cc8e99a17a958d3500b3b25b2b \
             d7c758e49137220383d83b3e85313173b5e5a2fa7066aa3a18225f41e9be127f",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: 192-bit key",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "c0f8a6352b94fff89e91722481e267c3459bb30a41eb177c36b66d4f49ef7933 \
             6df1e8360327e14a66d35b11df6a5da451943e1b9d7f11af9de90d101a7eaf9c",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: 256-bit key",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "0c635289d413349ba893b9ba150916bbd08c12fcdba79e1157e9b2521cc1a751 \
             059226503a378b951d59ed7a415994d6fb2fd6cf1c4b9752dcf46b82e5620478",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: counter carries out of 32 bits",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("000000000000000000000000ffffffff"),
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "0910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2 \
             e9f0f7fe050c131a21282f363d444b52",
        ),
        output: &hex::<48>(
            "4e89224e39d087da69e7360026a5e447ba3e2618dcf12c21348de933e479a7b4 \
             64ac7da22ef3abd5fe6aa72385341fb8",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: counter carries out of 64 bits",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("0000000000000000ffffffffffffffff"),
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "0910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2 \
             e9f0f7fe050c131a21282f363d444b52",
        ),
        output: &hex::<48>(
            "20adecbed654b8f5d12bb72b725888b0c0cf4a41067a9ffe7c48320f5119ed72 \
             8237f3b1395d5f3799048945bb1206b5",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: counter carries out of the whole block",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("fffffffffffffffffffffffffffffffe"),
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "0910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2 \
             e9f0f7fe050c131a21282f363d444b52",
        ),
        output: &hex::<48>(
            "db6267fa9bb8e40b6a195fb5dd91c570ef053771d517a1dbc6d847dee34bed5d \
             00e8eb4e38ab6d48180b6068472b30db",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps none",
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
            "27343033363f1c82477391293b19d9df220bc666694f336d3de07f13739002bf \
             c7d4d0d3d61f3ca26753f1495b79f9ff022be68689afd34d1dc05f3313f062df \
             e7f4f0f3f6ffdc4287b3d1697b59999f624b86",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps le64",
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
            "7a973e7ff7148a74c1756ce02d71e8ca66e68278cca75d26f20a77e371b05454 \
             12bd73d046f8bcddb95fd9aafd3b000915a4b80fde1b2b32c2615d1c70008d58 \
             5bf91746917df568410d5e0f7c6467f01f58e2",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps be64",
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
            "2640648ad4fe2fe5d359bcb7475b4fe928dcdb2b1b14d0e3c677dbc9a7bd0e66 \
             b84cab5b6b84405376e74b59574d9ef6b6ea0a028ced92f4bde327ae0266d28e \
             bbc4d9f23908c4502253413638bed4751eaa15",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps le128",
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
            "df4364bee6d5f9108b396c89fb8c138d8634c886dc5e4881847e56608b7ac347 \
             80ad12ddc8f3008200901dde3e50fefb16802bf9efb419ce602233595d6b809e \
             cba895fa5cb8676fcdd3fba9ce0e91a08275df",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps be128",
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
            "04f72da4dca2d28f2d0f4f4349b028764378fb7c4a042bcea6460377d26b44e4 \
             d3e88b0cda94bb7e16d69387229bd4741a72a899c9ad94417bc64bf2ee4c98cd \
             8ae21829593d04310b56db425efc085d3d2d5d",
        ),
    },
];

/// All three key sizes, and data units with every IV step. XTS: two keys of an odd length too.
pub(crate) const XTS: &[KnownAnswer] = &[
    KnownAnswer {
        source: "computed from nettle's Serpent: 256-bit key",
        key: &hex::<32>("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        iv: hex("000102030405060708090a0b0c0d0e0f"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "93b336dabbe43fc6c6c7f1ba89bb62fb9d7f8ba910a61852223b7a66d6cd82de \
             7b25ce36b45a988fd4d021943a12f775ae2a04a2014ad9b2ca5c0b668ed29324",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: 384-bit key",
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
            "834df71a49ce8858155888dc67e80f07840d9bb3a4f7f40a971a51f0054f146e \
             5bc47acdbb8260fad6779afd2a91a725002d3d5ad2c079e03ffac7409a987da0",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: 512-bit key",
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
            "f17a8fc2ab6170772156fd9330033d3bceac6d934687322e8b4ca556bedbc6d8 \
             a105f7396b54c4809ac3d9ce2a141c93cfc30fd7da838f4bec60359c1e17d869",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps none",
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
            "99ced9e7cc94a7aaa6fb9c36e4ec7ae7aba4cf9abb3810ca0d490b2f4446e5f0 \
             05f6f0b35f9993aec078104b2182a0b074b788b02fb0d7844291d776ea005877 \
             9319530f96629121a0e137fcf123d42bcc8561ec3c523d1257e6d9cefc2f5346",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps le64",
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
            "1f4e0ab731328feb19e1c1ef9851b1029c3e32e7c7f204968887aa46f7d153da \
             c0572af5c5b19ed4ba4ae1220fa1623eac30781925a2d18d1da5bf50afd26a24 \
             b71958504afa29ec1b6c2806b99994fa5f41b842e5c7dd35a2a9fb8cac3cb04e",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps be64",
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
            "701f38099ff8d0cce238c68d4f0d8374e0d5513639017f84539f8f003c8a4fac \
             1955dd9c599376b944bc44bcb8250cee3b58fcfec3cb690ec1f8b7d8137e772d \
             7b4e6f8961a8d8c0be6ea259df600ee1eb565e73547cb065778b5477f9d2fd36",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps le128",
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
            "8a3629327246ee0c7949a403bb135b307353f8a78b9f42cab23f5cdff976aad8 \
             78c626fad0eda72a7197bbe9b548347b5bc95ee8a93614be5453101871ac3beb \
             f90b59b2aaac7f5b052e2b5765fbf56b3ce56b210012c226dfa27c7129e91e61",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: IV steps be128",
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
            "7cbfea7eca454cd92c6b27256568f78238093deb96547958c5575d8f843257a0 \
             01fae0e626f3f20edf05c1e7de31f13f1e3bbc216f36bfdf40995117c0e4e312 \
             4c34082fb8dfa6bac4d121c1ae2543916e1ee564600e9eba4c2ea67da1426c45",
        ),
    },
    KnownAnswer {
        source: "computed from nettle's Serpent: two keys of 40 bits",
        key: &hex::<10>("c0c1c2c3c4c5c6c7c8c9"),
        iv: hex("feffffffffffffff0102030405060708"),
        iv_step: IvStep::Le64,
        data_unit_size: 32,
        input: &hex::<96>(
            "050c131a21282f363d444b525960676e757c838a91989fa6adb4bbc2c9d0d7de \
             e5ecf3fa01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7be \
             c5ccd3dae1e8eff6fd040b121920272e353c434a51585f666d747b828990979e",
        ),
        output: &hex::<96>(
            "2a08c454d52a5f6ce4aefc07c9488c94317e38d19757bc6a81d289d494ffcb6e \
             a94fdee3ce6aff7e0f1d7d52c72505ed8dd68aee6112b44e7a19fd3694e5b8aa \
             aa0cdc68675d5e854f81d431249db4cd8851533bf6bbd209bbe6a9667d4698d4",
        ),
    },
];
