//! The answers a helper must give for `ctr(aes)`.

use kgpu_core::abi::IvStep;
use kgpu_core::algorithm::KnownAnswer;
use kgpu_core::hex::hex;

/// All three key sizes, counter carries, a partial last block, and data units with every IV step.
pub(crate) const CTR: &[KnownAnswer] = &[
    KnownAnswer {
        source: "SP 800-38A, F.5.1",
        key: &hex::<16>("2b7e151628aed2a6abf7158809cf4f3c"),
        iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff \
             5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        ),
    },
    KnownAnswer {
        source: "SP 800-38A, F.5.3",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94 \
             1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
        ),
    },
    KnownAnswer {
        source: "SP 800-38A, F.5.5",
        key: &hex::<32>("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        iv: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        iv_step: IvStep::None,
        data_unit_size: 64,
        input: &hex::<64>(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51 \
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        ),
        output: &hex::<64>(
            "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5 \
             2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
        ),
    },
    KnownAnswer {
        source: "RFC 3686, test vector 3",
        key: &hex::<16>("7691be035e5020a8ac6e618529f9a0dc"),
        iv: hex("00e0017b27777f3f4a1786f000000001"),
        iv_step: IvStep::None,
        data_unit_size: 36,
        input: &hex::<36>(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f \
             20212223",
        ),
        output: &hex::<36>(
            "c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef31053 \
             25b2072f",
        ),
    },
    KnownAnswer {
        source: "RFC 3686, test vector 9",
        key: &hex::<32>("ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d"),
        iv: hex("001cc5b751a51d70a1c1114800000001"),
        iv_step: IvStep::None,
        data_unit_size: 36,
        input: &hex::<36>(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f \
             20212223",
        ),
        output: &hex::<36>(
            "eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f \
             1ec0e6b8",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: counter carries out of 32 bits",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("000000000000000000000000ffffffff"),
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "0910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2 \
             e9f0f7fe050c131a21282f363d444b52",
        ),
        output: &hex::<48>(
            "b4a5905c0127fc1f0d1386e2842576d40cc130fd01685f2c6d6bd1f3ee21ac6d \
             e9ab8e22ee26bc8eabc99b2a043cad08",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: counter carries out of 64 bits",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("0000000000000000ffffffffffffffff"),
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "0910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2 \
             e9f0f7fe050c131a21282f363d444b52",
        ),
        output: &hex::<48>(
            "06471a08e180ec9bc71f6596cc80b36887152db65ac6a1bbf03648439af1c5d9 \
             ee7dbc922bbe5e1f92b5f050bf1428bb",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: counter carries out of the whole block",
        key: &hex::<24>("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        iv: hex("fffffffffffffffffffffffffffffffe"),
        iv_step: IvStep::None,
        data_unit_size: 48,
        input: &hex::<48>(
            "0910171e252c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2 \
             e9f0f7fe050c131a21282f363d444b52",
        ),
        output: &hex::<48>(
            "eadb8fb2a34a8d4c54c9529bf7972eea4e82b6c78b6a905b8447dfacbf690350 \
             cbb5da704ca4b689be5b0ef8d7291a19",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps none",
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
            "c84dfea30f60776ca9bdc657cf8250625b5bae681637861ece7cb67538826103 \
             28ad1e43ef40574c899da637afe270427b7b8e88f6d7663eee5c965558e20163 \
             088d3e63cfa0b7ac697d86178fc210221b1bee",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps le64",
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
            "b29529727ab4ea0658be85e4e7ff38c224373dbafcbaeb04852164732d9f990e \
             58f3edcbd3b130fd0057c503190a3470a076042f287e627ce87e8b03932fcd13 \
             fc554680a57f23ac5dca040d158ba66c1bb1ff",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps be64",
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
            "251a1fde0347c076f9b3733e3f4fad58befaae25cc3c18706e7560b75ac19818 \
             2e6ade55bcac88c0dee5f027aa31088844a3794054bbfb7032a7997f84e845f6 \
             c2254f8d12bd297e12da5e4b742cade77a2a2e",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps le128",
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
            "89ba3e1f88829faaa1d0b4763bb1fd11d6f426adbbe2c10937165e756df83063 \
             8c5d4b0e93546031872a75de06da6c54fdadc4da946b08e29ffc799dd2abc7eb \
             54f5ff2b979f0ff684153d2028ec3aa575a63e",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps be128",
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
            "f030190dccd4a6b82503a8286f679edc1602becca4ea5e4a1aa0edd4e9d9e02d \
             8692cebc347acefaaa307d24192970bd6cc65527c5ff232ba1746c5becc8b819 \
             fc56e597556fb35bd1e4fceb5c78288902ab83",
        ),
    },
];
