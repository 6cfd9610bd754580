//! The answers a helper must give for Blowfish in its three modes.

use kgpu_core::abi::IvStep;
use kgpu_core::algorithm::KnownAnswer;
use kgpu_core::hex::hex;

/// Key lengths from 4 to 56 bytes, and data units.
pub(crate) const ECB: &[KnownAnswer] = &[
    KnownAnswer {
        source: "Schneier, vectors.txt, set_key, 4-byte key",
        key: &hex::<4>("f0e1d2c3"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 8,
        input: &hex::<8>("fedcba9876543210"),
        output: &hex::<8>("be1e639408640f05"),
    },
    KnownAnswer {
        source: "Schneier, vectors.txt, set_key, 8-byte key",
        key: &hex::<8>("f0e1d2c3b4a59687"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 8,
        input: &hex::<8>("fedcba9876543210"),
        output: &hex::<8>("e87a244e2cc85e82"),
    },
    KnownAnswer {
        source: "Schneier, vectors.txt, set_key, 24-byte key",
        key: &hex::<24>("f0e1d2c3b4a5968778695a4b3c2d1e0f0011223344556677"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 8,
        input: &hex::<8>("fedcba9876543210"),
        output: &hex::<8>("05044b62fa52d080"),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: 5-byte key, two data units",
        key: &hex::<5>("0102030405"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 24,
        input: &hex::<48>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52ef",
        ),
        output: &hex::<48>(
            "86903c8637b15626a2c3b2aad84e48b39a4e0d44845c7da727110b9e26194e60 \
             2cb5352fe2321e4741f358d813f41f11",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: 16-byte key, two data units",
        key: &hex::<16>("0123456789abcdeff0e1d2c3b4a59687"),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 24,
        input: &hex::<48>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52ef",
        ),
        output: &hex::<48>(
            "00445a6b1b94fa20493a6abb6f5a92f38a21f62c831fb2e89472774c54e48bab \
             926249f113f7949e95e5b87c1ac67b84",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: 56-byte key, two data units",
        key: &hex::<56>(
            "01060b10151a1f24292e33383d42474c51565b60656a6f74797e83888d92979c \
             a1a6abb0b5babfc4c9ced3d8dde2e7ecf1f6fb00050a0f14",
        ),
        iv: [0; 16],
        iv_step: IvStep::None,
        data_unit_size: 24,
        input: &hex::<48>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52ef",
        ),
        output: &hex::<48>(
            "b00a88675f2904f129bc9700eac5b0eea684d825e1317c801d97dca4a828df3a \
             f3eecd79d3fcefdf4ba067a8dc75fb38",
        ),
    },
];

/// Key lengths from 5 to 56 bytes, and data units with every IV step of 8 bytes.
pub(crate) const CBC: &[KnownAnswer] = &[
    KnownAnswer {
        source: "Schneier, vectors.txt, CBC",
        key: &hex::<16>("0123456789abcdeff0e1d2c3b4a59687"),
        iv: hex("fedcba98765432100000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<32>("37363534333231204e6f77206973207468652074696d6520666f722000000000"),
        output: &hex::<32>("6b77b4d63006dee605b156e27403979358deb9e7154616d959f1652bd5ff92cc"),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: 40-bit key",
        key: &hex::<5>("0102030405"),
        iv: hex("00010203040506070000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "d966342db097f260f919991285b16ea786cf8e44b1a18e904ee817a63884dc9b \
             feaf2a62f332939a868721f8ca26db2cfc02c2504b4cff44ebeb5e3383925ac4",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: 256-bit key",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("00010203040506070000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "4684c19cbb5111cb2540c92b97ff88b38261b0783c3abc74f2bdebe7f565b745 \
             42e5bdf3c6c45c691614c09245609428e247502d67e45becdd37f7311f687be1",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: 448-bit key",
        key: &hex::<56>(
            "01060b10151a1f24292e33383d42474c51565b60656a6f74797e83888d92979c \
             a1a6abb0b5babfc4c9ced3d8dde2e7ecf1f6fb00050a0f14",
        ),
        iv: hex("00010203040506070000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "24719b614e28969d82b4acc6a8fb4ab9da4cb0b2ecf779101f75845af382df43 \
             eb6f1e803c1232b37df31fbb7e22db85d789155a8ece85bc4b287b57d7f743cc",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: IV steps none",
        key: &hex::<16>("0123456789abcdeff0e1d2c3b4a59687"),
        iv: hex("10111213141516170000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 16,
        input: &hex::<48>(
            "00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9 \
             e0e7eef5fc030a11181f262d343b4249",
        ),
        output: &hex::<48>(
            "749e408d2e6cb3f7b611acc4fa7e6abd7d553313ee228667d66c2a6a54390395 \
             0ab7c082c86df3a6265ec6a68e0c851a",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: IV steps le64",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("feffffffffffffff0000000000000000"),
        iv_step: IvStep::Le64,
        data_unit_size: 16,
        input: &hex::<48>(
            "01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da \
             e1e8eff6fd040b121920272e353c434a",
        ),
        output: &hex::<48>(
            "6e75a5f15d8aa88271ebcd30fbfc45727febca53861c07f95b4ae07bd64caf92 \
             1c13a57e1e38868636d996ef663e9a27",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: IV steps be64",
        key: &hex::<56>(
            "01060b10151a1f24292e33383d42474c51565b60656a6f74797e83888d92979c \
             a1a6abb0b5babfc4c9ced3d8dde2e7ecf1f6fb00050a0f14",
        ),
        iv: hex("fffffffffffffffe0000000000000000"),
        iv_step: IvStep::Be64,
        data_unit_size: 16,
        input: &hex::<48>(
            "020910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4db \
             e2e9f0f7fe050c131a21282f363d444b",
        ),
        output: &hex::<48>(
            "1f841217f509b13d721de7c080bcbacf374dba4760b98534bb8744992973c5d0 \
             405ccbab0e572680c0da2318eea3311b",
        ),
    },
];

/// Key lengths from 5 to 56 bytes, counter carries, a partial last block, and data units with every IV step of 8 bytes.
pub(crate) const CTR: &[KnownAnswer] = &[
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: 40-bit key",
        key: &hex::<5>("0102030405"),
        iv: hex("f8f9fafbfcfdfeff0000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 61,
        input: &hex::<61>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be6",
        ),
        output: &hex::<61>(
            "f0ff032710ba368c596d0381aafd0c13d19e7a721b9ceadd9f54314f126a95ca \
             7f56e8c98c0b2d75675e4d2efe85a85371b7f02c19b92479638b4d7bde",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: 128-bit key",
        key: &hex::<16>("0123456789abcdeff0e1d2c3b4a59687"),
        iv: hex("f8f9fafbfcfdfeff0000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 61,
        input: &hex::<61>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be6",
        ),
        output: &hex::<61>(
            "8a98761c64846d1b4066a0e66638b90b83a9f1fd9f167984b6d58c1a2297f2a1 \
             5ae60ac434534ef5f27d0d2cdd84c1f9a4f14364ceba7b91e70e8fb2a3",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: 448-bit key",
        key: &hex::<56>(
            "01060b10151a1f24292e33383d42474c51565b60656a6f74797e83888d92979c \
             a1a6abb0b5babfc4c9ced3d8dde2e7ecf1f6fb00050a0f14",
        ),
        iv: hex("f8f9fafbfcfdfeff0000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 61,
        input: &hex::<61>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be6",
        ),
        output: &hex::<61>(
            "7e01a8d69d05ce9df638bfbe7420a30b1fb69d70bb7b86dcc03053ce1c135f14 \
             708bd322ca61c882b3e35df7003d5df8c4bc9fd09ceae4994fcb4fbb57",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: counter carries out of 32 bits",
        key: &hex::<16>("0123456789abcdeff0e1d2c3b4a59687"),
        iv: hex("00000000ffffffff0000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 24,
        input: &hex::<24>("0910171e252c333a41484f565d646b727980878e959ca3aa"),
        output: &hex::<24>("2df25d0362c42a8dab2bd6ad78052b74626cc6160c61620c"),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: counter carries out of the whole block",
        key: &hex::<16>("0123456789abcdeff0e1d2c3b4a59687"),
        iv: hex("fffffffffffffffe0000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 24,
        input: &hex::<24>("0910171e252c333a41484f565d646b727980878e959ca3aa"),
        output: &hex::<24>("3648212d54ed5dee409dfb972e0444677e707ca017933b1a"),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: IV steps none",
        key: &hex::<16>("0123456789abcdeff0e1d2c3b4a59687"),
        iv: hex("10111213141516170000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 16,
        input: &hex::<43>(
            "00070e151c232a31383f464d545b626970777e858c939aa1a8afb6bdc4cbd2d9 \
             e0e7eef5fc030a11181f26",
        ),
        output: &hex::<43>(
            "e575faa186cf2d394ec954249b52580195058a31167f9da9de59a4d40bc2e8b1 \
             05951a4166ef0d196ee934",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: IV steps le64",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("feffffffffffffff0000000000000000"),
        iv_step: IvStep::Le64,
        data_unit_size: 16,
        input: &hex::<43>(
            "01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da \
             e1e8eff6fd040b12192027",
        ),
        output: &hex::<43>(
            "e4bee89ecb576c158d980064a741b00893552114f014f6369905157faaba2c9f \
             d15d4d379272f457152677",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's Blowfish-ECB: IV steps be64",
        key: &hex::<56>(
            "01060b10151a1f24292e33383d42474c51565b60656a6f74797e83888d92979c \
             a1a6abb0b5babfc4c9ced3d8dde2e7ecf1f6fb00050a0f14",
        ),
        iv: hex("fffffffffffffffe0000000000000000"),
        iv_step: IvStep::Be64,
        data_unit_size: 16,
        input: &hex::<43>(
            "020910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4db \
             e2e9f0f7fe050c131a2128",
        ),
        output: &hex::<43>(
            "61e0b0ec1a3ebc6d4e123e41cda1c082062af6891569384aab89cfb353a31ba6 \
             e3d187fb6b6bc36ec9f0c7",
        ),
    },
];
