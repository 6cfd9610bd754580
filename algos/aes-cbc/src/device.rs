//! The kernels: bitsliced AES of kgpu-aes-device.

use kgpu_aes_device::{CbcDecrypt, CbcEncrypt};

kgpu_kernels::kernels! {
    /// CBC encryption, eight data units a thread.
    ENCRYPT: kgpu_cbc_aes_encrypt = CbcEncrypt,
        op: Encrypt, threads: 128, blocks: 5, shared: CbcEncrypt::shared_bytes(128), bytes_per_key: 0;
    /// CBC decryption, eight blocks a thread.
    DECRYPT: kgpu_cbc_aes_decrypt = CbcDecrypt,
        op: Decrypt, threads: 128, blocks: 4, shared: CbcDecrypt::shared_bytes(128), bytes_per_key: 0;
}

#[cfg(not(target_arch = "nvptx64"))]
pub(crate) use code::CODE;

#[cfg(not(target_arch = "nvptx64"))]
mod code {
    use kgpu_aes_device::{WORDS, schedule};
    use kgpu_core::device::{Code, HEADER_WORDS};

    /// The device side of the algorithm.
    pub(crate) static CODE: Code = Code {
        // CAST: a small constant.
        schedule_words: HEADER_WORDS + WORDS as usize,
        schedule,
        entries: &[super::ENCRYPT, super::DECRYPT],
    };
}
