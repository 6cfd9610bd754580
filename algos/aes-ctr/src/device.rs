//! The kernels: bitsliced AES of kgpu-aes-device.

use kgpu_aes_device::Ctr;

kgpu_kernels::kernels! {
    /// CTR encryption, eight blocks a thread; decryption is the same.
    ENCRYPT: kgpu_ctr_aes_encrypt = Ctr,
        op: Encrypt, threads: 128, blocks: 4, shared: Ctr::shared_bytes(128), bytes_per_key: 0;
}

#[cfg(not(target_arch = "nvptx64"))]
pub(crate) use code::CODE;

#[cfg(not(target_arch = "nvptx64"))]
mod code {
    use kgpu_aes_device::{WORDS, schedule};
    use kgpu_core::abi::Op;
    use kgpu_core::device::{Code, Entry, HEADER_WORDS};

    use super::ENCRYPT;

    /// Counter mode decrypts as it encrypts.
    const DECRYPT: Entry = Entry {
        op: Op::Decrypt,
        ..ENCRYPT
    };

    /// The device side of the algorithm.
    pub(crate) static CODE: Code = Code {
        // CAST: a small constant.
        schedule_words: HEADER_WORDS + WORDS as usize,
        schedule,
        entries: &[ENCRYPT, DECRYPT],
    };
}
