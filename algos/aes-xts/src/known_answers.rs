//! The answers a helper must give for `xts(aes)`.

use kgpu_core::abi::IvStep;
use kgpu_core::algorithm::KnownAnswer;
use kgpu_core::hex::hex;

/// All three key sizes, and data units with every IV step.
pub(crate) const XTS: &[KnownAnswer] = &[
    KnownAnswer {
        source: "IEEE 1619-2007, B, vector 2",
        key: &hex::<32>("1111111111111111111111111111111122222222222222222222222222222222"),
        iv: hex("33333333330000000000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<32>("4444444444444444444444444444444444444444444444444444444444444444"),
        output: &hex::<32>("c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0"),
    },
    KnownAnswer {
        source: "IEEE 1619-2007, B, vector 3",
        key: &hex::<32>("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f022222222222222222222222222222222"),
        iv: hex("33333333330000000000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 32,
        input: &hex::<32>("4444444444444444444444444444444444444444444444444444444444444444"),
        output: &hex::<32>("af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89"),
    },
    KnownAnswer {
        source: "IEEE 1619-2007, B, vector 10, first 128 bytes",
        key: &hex::<64>(
            "2718281828459045235360287471352662497757247093699959574966967627 \
             3141592653589793238462643383279502884197169399375105820974944592",
        ),
        iv: hex("ff000000000000000000000000000000"),
        iv_step: IvStep::None,
        data_unit_size: 128,
        input: &hex::<128>(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f \
             202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f \
             404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f \
             606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f",
        ),
        output: &hex::<128>(
            "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b \
             5d31e276f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd \
             5776926c49a3095eb108fd1098baec70aaa66999a72a82f27d848b21d4a741b0 \
             c5cd4d5fff9dac89aeba122961d03a757123e9870f8acf1000020887891429ca",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: 192-bit key",
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
            "a04add6785128368726d5504222a11777b644b86c5e475390d3427d749e23256 \
             198fd84805579a6b4ee451ef8825be4bb4aa8d75312ad9e238daf2aa9dc21e24",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps none",
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
            "0bbb78605ddd6dd5e11614ff0df12063f5ef77a50a0e0ce636cdf0579960eea1 \
             5c15c467d77572fc967717670a792c6d2072a6d0dfeaa9202731a5a037948e09 \
             c8450375e92b8d6124b5aa3788b25a797ce6d984cb10242071a1a9186ce8024f",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps le64",
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
            "325b16fd0556e85418d84c47f7a6f7ad628f1cb44c2350ac364a18c220ed6b30 \
             10be88621a8c9047af20c6d29b8883273220a1deaf44f58896871d903158473f \
             d5a0397ff8e57b6c6c4f61bbe6afd5392414a2f322fb2eb88e2af866b775e468",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps be64",
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
            "7bfbd0997c4bef95f2a460f2861b0a6fe806f9b934264545c41f3c58024396af \
             4707db4cd1d7f6ef425eaf5cbb25ff5f752ef3ed3e5e2e5bcc10c0ae2f2c1330 \
             9c6d168e46f58dab696a2a9f84c4b9bf1293f4d89ceb5e8255e2be7c20c4b1ea",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps le128",
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
            "23a9112f2e242182ccadcfebef476e0c58cecb66ea22383c84949350a4038fde \
             978dceaf5f0e7785623385650979bfc29eefa2402102e5cde4e4fcc6951d2568 \
             43890bed5a6cf297d0d0fae08654ee680b5b7c57c6d5f24ce291b3f0bb329310",
        ),
    },
    KnownAnswer {
        source: "computed from OpenSSL's AES-ECB: IV steps be128",
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
            "1ad8a419c6eb4157bba463fc73d5c1d2ebf33e56374a6674028d092f93715ed4 \
             3f1aaafde73865064cecdf9206c498ec93a7c34c57c26b8a3a0cc24b2024539e \
             bd3689332abd03715b3199fcd8c8da25650ff7b8aafe5258eab08e0332c1ab8b",
        ),
    },
];
