//! Serpent's kernels: each mode and direction, and the device side of the descriptors.
//!
//! # Shape
//!
//! 58 functions of three words for the S-boxes of eight rounds, 12 operations of the linear transformation
//! and 4 for the key in each round: about 750 for a block. Two cells in each thread share the loads of a
//! round key.
//!
//! # Timing
//!
//! Constant: no tables, no branches on data.

mod cipher;
#[cfg(not(kgpu_kernel))]
mod schedule;

use cipher::{SHARED, Serpent};
use kgpu_kernels::{CbcDecrypt, CbcEncrypt, Ctr, EcbDecrypt, EcbEncrypt, XtsDecrypt, XtsEncrypt};

kgpu_kernels::kernels! {
    /// ECB encryption.
    ECB_ENCRYPT: kgpu_ecb_serpent_encrypt = EcbEncrypt<Serpent, 2>,
        op: Encrypt, threads: 256, blocks: 4, shared: SHARED, bytes_per_key: 0;
    /// ECB decryption.
    ECB_DECRYPT: kgpu_ecb_serpent_decrypt = EcbDecrypt<Serpent, 2>,
        op: Decrypt, threads: 256, blocks: 4, shared: SHARED, bytes_per_key: 0;
    /// CBC encryption.
    CBC_ENCRYPT: kgpu_cbc_serpent_encrypt = CbcEncrypt<Serpent, 1>,
        op: Encrypt, threads: 128, blocks: 8, shared: SHARED, bytes_per_key: 0;
    /// CBC decryption.
    CBC_DECRYPT: kgpu_cbc_serpent_decrypt = CbcDecrypt<Serpent, 2>,
        op: Decrypt, threads: 256, blocks: 4, shared: SHARED, bytes_per_key: 0;
    /// CTR.
    CTR_ENCRYPT: kgpu_ctr_serpent_encrypt = Ctr<Serpent, 2>,
        op: Encrypt, threads: 256, blocks: 4, shared: SHARED, bytes_per_key: 0;
    /// XTS encryption.
    XTS_ENCRYPT: kgpu_xts_serpent_encrypt = XtsEncrypt<Serpent, 2>,
        op: Encrypt, threads: 256, blocks: 3, shared: SHARED, bytes_per_key: 0;
    /// XTS decryption.
    XTS_DECRYPT: kgpu_xts_serpent_decrypt = XtsDecrypt<Serpent, 2>,
        op: Decrypt, threads: 256, blocks: 3, shared: SHARED, bytes_per_key: 0;
}

#[cfg(not(kgpu_kernel))]
mod code {
    use kgpu_core::abi::Op;
    use kgpu_core::device::{Code, Entry};

    use super::*;

    /// Counter mode decrypts as it encrypts.
    const CTR_DECRYPT: Entry = Entry {
        op: Op::Decrypt,
        ..CTR_ENCRYPT
    };

    /// ECB's.
    pub(crate) static ECB: Code = Code {
        schedule_words: schedule::SINGLE,
        schedule: schedule::single,
        entries: &[ECB_ENCRYPT, ECB_DECRYPT],
    };

    /// CBC's.
    pub(crate) static CBC: Code = Code {
        schedule_words: schedule::SINGLE,
        schedule: schedule::single,
        entries: &[CBC_ENCRYPT, CBC_DECRYPT],
    };

    /// CTR's.
    pub(crate) static CTR: Code = Code {
        schedule_words: schedule::SINGLE,
        schedule: schedule::single,
        entries: &[CTR_ENCRYPT, CTR_DECRYPT],
    };

    /// XTS's.
    pub(crate) static XTS: Code = Code {
        schedule_words: schedule::DOUBLE,
        schedule: schedule::double,
        entries: &[XTS_ENCRYPT, XTS_DECRYPT],
    };
}
#[cfg(not(kgpu_kernel))]
pub(crate) use code::{CBC, CTR, ECB, XTS};
