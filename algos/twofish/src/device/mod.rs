//! Twofish's kernels: each mode, direction and layout of the tables, and the device side of the
//! descriptors.
//!
//! # Which kernel, which shape
//!
//! Of an operation's kernels the first is taken that fits the card and the load. R32: two cells for each
//! thread, fetched ahead, round keys read as they go, and as many threads as there are registers for (768;
//! 640 where tweaks or neighbours are kept). On an H200 that is faster than 512 threads with
//! round keys in registers: more warps hide more of the look-ups' latency. Under many keys S8 has three small
//! blocks on a multiprocessor, each with another key, while others wait for memory.
//!
//! To try another shape: the types below say where round keys are (`Registers<QUADS>` or `Shared`) and
//! whether a thread has registers to spare for fetching ahead; the number behind them in a kernel is the
//! cells of a thread (1, 2, 4), and `threads` times `blocks` the threads of a multiprocessor, which
//! share 65,536 registers.
//!
//! # Timing
//!
//! Independent of keys and data: all look-ups of an instruction go to different banks, and nothing
//! branches on secrets.

mod cipher;
#[cfg(not(kgpu_kernel))]
mod schedule;

use cipher::{QUADS, Twofish};
use kgpu_kernels::tables::{R32, Registers, S8, S16, Shared};
use kgpu_kernels::{CbcDecrypt, CbcEncrypt, Ctr, EcbDecrypt, EcbEncrypt, XtsDecrypt, XtsEncrypt};

/// The cipher on each layout.
type OnR32 = Twofish<R32, Shared, true>;
type OnS16 = Twofish<S16, Registers<QUADS>, true>;
/// With fewer registers, for CBC decryption, which fetches two more cells ahead.
type OnS16Lean = Twofish<S16, Shared, true>;
type OnS8 = Twofish<S8, Shared, false>;

kgpu_kernels::kernels! {
    /// ECB encryption, R32.
    ECB_ENCRYPT_R32: kgpu_ecb_twofish_encrypt_r32 = EcbEncrypt<OnR32, 2>,
        op: Encrypt, threads: 768, blocks: 1, shared: OnR32::SHARED, bytes_per_key: 32 << 10;
    /// ECB encryption, S16.
    ECB_ENCRYPT_S16: kgpu_ecb_twofish_encrypt_s16 = EcbEncrypt<OnS16, 2>,
        op: Encrypt, threads: 512, blocks: 1, shared: OnS16::SHARED, bytes_per_key: 8 << 10;
    /// ECB encryption, S8.
    ECB_ENCRYPT_S8: kgpu_ecb_twofish_encrypt_s8 = EcbEncrypt<OnS8, 2>,
        op: Encrypt, threads: 256, blocks: 3, shared: OnS8::SHARED, bytes_per_key: 0;
    /// ECB decryption, R32.
    ECB_DECRYPT_R32: kgpu_ecb_twofish_decrypt_r32 = EcbDecrypt<OnR32, 2>,
        op: Decrypt, threads: 768, blocks: 1, shared: OnR32::SHARED, bytes_per_key: 32 << 10;
    /// ECB decryption, S16.
    ECB_DECRYPT_S16: kgpu_ecb_twofish_decrypt_s16 = EcbDecrypt<OnS16, 2>,
        op: Decrypt, threads: 512, blocks: 1, shared: OnS16::SHARED, bytes_per_key: 8 << 10;
    /// ECB decryption, S8.
    ECB_DECRYPT_S8: kgpu_ecb_twofish_decrypt_s8 = EcbDecrypt<OnS8, 2>,
        op: Decrypt, threads: 256, blocks: 3, shared: OnS8::SHARED, bytes_per_key: 0;
    /// CBC encryption, R32.
    CBC_ENCRYPT_R32: kgpu_cbc_twofish_encrypt_r32 = CbcEncrypt<OnR32, 1>,
        op: Encrypt, threads: 768, blocks: 1, shared: OnR32::SHARED, bytes_per_key: 32 << 10;
    /// CBC encryption, S16.
    CBC_ENCRYPT_S16: kgpu_cbc_twofish_encrypt_s16 = CbcEncrypt<OnS16, 1>,
        op: Encrypt, threads: 512, blocks: 1, shared: OnS16::SHARED, bytes_per_key: 8 << 10;
    /// CBC encryption, S8.
    CBC_ENCRYPT_S8: kgpu_cbc_twofish_encrypt_s8 = CbcEncrypt<OnS8, 1>,
        op: Encrypt, threads: 256, blocks: 3, shared: OnS8::SHARED, bytes_per_key: 0;
    /// CBC decryption, R32.
    CBC_DECRYPT_R32: kgpu_cbc_twofish_decrypt_r32 = CbcDecrypt<OnR32, 2>,
        op: Decrypt, threads: 640, blocks: 1, shared: OnR32::SHARED, bytes_per_key: 32 << 10;
    /// CBC decryption, S16.
    CBC_DECRYPT_S16: kgpu_cbc_twofish_decrypt_s16 = CbcDecrypt<OnS16Lean, 2>,
        op: Decrypt, threads: 512, blocks: 1, shared: OnS16::SHARED, bytes_per_key: 8 << 10;
    /// CBC decryption, S8.
    CBC_DECRYPT_S8: kgpu_cbc_twofish_decrypt_s8 = CbcDecrypt<OnS8, 2>,
        op: Decrypt, threads: 256, blocks: 2, shared: OnS8::SHARED, bytes_per_key: 0;
    /// CTR, R32.
    CTR_ENCRYPT_R32: kgpu_ctr_twofish_encrypt_r32 = Ctr<OnR32, 2>,
        op: Encrypt, threads: 768, blocks: 1, shared: OnR32::SHARED, bytes_per_key: 32 << 10;
    /// CTR, S16.
    CTR_ENCRYPT_S16: kgpu_ctr_twofish_encrypt_s16 = Ctr<OnS16, 2>,
        op: Encrypt, threads: 512, blocks: 1, shared: OnS16::SHARED, bytes_per_key: 8 << 10;
    /// CTR, S8.
    CTR_ENCRYPT_S8: kgpu_ctr_twofish_encrypt_s8 = Ctr<OnS8, 2>,
        op: Encrypt, threads: 256, blocks: 3, shared: OnS8::SHARED, bytes_per_key: 0;
    /// XTS encryption, R32.
    XTS_ENCRYPT_R32: kgpu_xts_twofish_encrypt_r32 = XtsEncrypt<OnR32, 2>,
        op: Encrypt, threads: 640, blocks: 1, shared: OnR32::SHARED, bytes_per_key: 32 << 10;
    /// XTS encryption, S16.
    XTS_ENCRYPT_S16: kgpu_xts_twofish_encrypt_s16 = XtsEncrypt<OnS16, 2>,
        op: Encrypt, threads: 512, blocks: 1, shared: OnS16::SHARED, bytes_per_key: 8 << 10;
    /// XTS encryption, S8.
    XTS_ENCRYPT_S8: kgpu_xts_twofish_encrypt_s8 = XtsEncrypt<OnS8, 2>,
        op: Encrypt, threads: 256, blocks: 2, shared: OnS8::SHARED, bytes_per_key: 0;
    /// XTS decryption, R32.
    XTS_DECRYPT_R32: kgpu_xts_twofish_decrypt_r32 = XtsDecrypt<OnR32, 2>,
        op: Decrypt, threads: 640, blocks: 1, shared: OnR32::SHARED, bytes_per_key: 32 << 10;
    /// XTS decryption, S16.
    XTS_DECRYPT_S16: kgpu_xts_twofish_decrypt_s16 = XtsDecrypt<OnS16, 2>,
        op: Decrypt, threads: 512, blocks: 1, shared: OnS16::SHARED, bytes_per_key: 8 << 10;
    /// XTS decryption, S8.
    XTS_DECRYPT_S8: kgpu_xts_twofish_decrypt_s8 = XtsDecrypt<OnS8, 2>,
        op: Decrypt, threads: 256, blocks: 2, shared: OnS8::SHARED, bytes_per_key: 0;
}

#[cfg(not(kgpu_kernel))]
mod code {
    use kgpu_core::abi::Op;
    use kgpu_core::device::{Code, Entry};

    use super::*;

    /// Counter mode decrypts as it encrypts.
    const fn decrypting(entry: Entry) -> Entry {
        Entry {
            op: Op::Decrypt,
            ..entry
        }
    }

    /// ECB's.
    pub(crate) static ECB: Code = Code {
        schedule_words: schedule::SINGLE,
        schedule: schedule::single,
        entries: &[
            ECB_ENCRYPT_R32,
            ECB_ENCRYPT_S16,
            ECB_ENCRYPT_S8,
            ECB_DECRYPT_R32,
            ECB_DECRYPT_S16,
            ECB_DECRYPT_S8,
        ],
    };

    /// CBC's.
    pub(crate) static CBC: Code = Code {
        schedule_words: schedule::SINGLE,
        schedule: schedule::single,
        entries: &[
            CBC_ENCRYPT_R32,
            CBC_ENCRYPT_S16,
            CBC_ENCRYPT_S8,
            CBC_DECRYPT_R32,
            CBC_DECRYPT_S16,
            CBC_DECRYPT_S8,
        ],
    };

    /// CTR's.
    pub(crate) static CTR: Code = Code {
        schedule_words: schedule::SINGLE,
        schedule: schedule::single,
        entries: &[
            CTR_ENCRYPT_R32,
            CTR_ENCRYPT_S16,
            CTR_ENCRYPT_S8,
            decrypting(CTR_ENCRYPT_R32),
            decrypting(CTR_ENCRYPT_S16),
            decrypting(CTR_ENCRYPT_S8),
        ],
    };

    /// XTS's.
    pub(crate) static XTS: Code = Code {
        schedule_words: schedule::DOUBLE,
        schedule: schedule::double,
        entries: &[
            XTS_ENCRYPT_R32,
            XTS_ENCRYPT_S16,
            XTS_ENCRYPT_S8,
            XTS_DECRYPT_R32,
            XTS_DECRYPT_S16,
            XTS_DECRYPT_S8,
        ],
    };
}
#[cfg(not(kgpu_kernel))]
pub(crate) use code::{CBC, CTR, ECB, XTS};
