//! The kernels: bitsliced AES of kgpu-aes-device.

use kgpu_aes_device::{XtsDecrypt, XtsEncrypt};

kgpu_kernels::kernels! {
    /// XTS encryption, eight blocks a thread.
    ENCRYPT: kgpu_xts_aes_encrypt = XtsEncrypt,
        op: Encrypt, threads: 128, blocks: 5, shared: XtsEncrypt::shared_bytes(128), bytes_per_key: 0;
    /// XTS decryption, eight blocks a thread.
    DECRYPT: kgpu_xts_aes_decrypt = XtsDecrypt,
        op: Decrypt, threads: 128, blocks: 5, shared: XtsDecrypt::shared_bytes(128), bytes_per_key: 0;
}

#[cfg(not(target_arch = "nvptx64"))]
pub(crate) use code::CODE;

#[cfg(not(target_arch = "nvptx64"))]
mod code {
    use kgpu_aes_device::{WORDS, pair};
    use kgpu_core::device::{Code, HEADER_WORDS};

    /// The device side of the algorithm.
    pub(crate) static CODE: Code = Code {
        // CAST: a small constant.
        schedule_words: HEADER_WORDS + 2 * WORDS as usize,
        schedule: pair,
        entries: &[super::ENCRYPT, super::DECRYPT],
    };
}
