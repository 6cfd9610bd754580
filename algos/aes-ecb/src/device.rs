//! The kernels: bitsliced AES of kgpu-aes-device.

use kgpu_aes_device::{EcbDecrypt, EcbEncrypt};

kgpu_kernels::kernels! {
    /// ECB encryption, eight blocks a thread.
    ENCRYPT: kgpu_ecb_aes_encrypt = EcbEncrypt,
        op: Encrypt, threads: 128, blocks: 5, shared: EcbEncrypt::shared_bytes(128), bytes_per_key: 0;
    /// ECB decryption, eight blocks a thread.
    DECRYPT: kgpu_ecb_aes_decrypt = EcbDecrypt,
        op: Decrypt, threads: 128, blocks: 5, shared: EcbDecrypt::shared_bytes(128), bytes_per_key: 0;
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
