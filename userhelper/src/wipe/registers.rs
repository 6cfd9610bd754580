//! The vector registers: ciphers keep round keys in them, copies of keys pass through them. When the kernel takes the
//! processor away it saves them in memory of its own, and they stay there until the thread's next switch, or, where the
//! thread ends, until that memory is used again.
#![allow(unsafe_code)]

/// Overwrites all of them, with ones: zeroes would be their initial state, which a processor need not write when the
/// kernel saves it (`XSAVES`, `XSAVEOPT`), so that what was saved before would stay.
#[cfg(target_arch = "x86_64")]
pub fn overwrite() {
    // Ones in one register, then a copy of it to each by its number.
    macro_rules! copy {
        ($ones:literal, $to:literal, $from:literal: $($number:literal)*) => {
            // SAFETY: writes vector registers, which the processor has and the kernel lets it use by the caller's test,
            // and nothing else. Every one of them is one that a function may change; the compiler is told so.
            unsafe {
                std::arch::asm!(
                    $ones,
                    $(concat!($to, $number, $from),)*
                    clobber_abi("sysv64"),
                    options(nomem, nostack, preserves_flags),
                );
            }
        };
    }
    if std::arch::is_x86_feature_detected!("avx512f") {
        copy!("vpternlogd zmm31, zmm31, zmm31, 255", "vmovdqa64 zmm", ", zmm31":
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30);
    } else if std::arch::is_x86_feature_detected!("avx") {
        copy!("vpcmpeqd xmm15, xmm15, xmm15", "vinsertf128 ymm", ", ymm15, xmm15, 1":
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    } else {
        copy!("pcmpeqd xmm15, xmm15", "movdqa xmm", ", xmm15": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }
}

/// There is no such code for this processor.
#[cfg(not(target_arch = "x86_64"))]
pub fn overwrite() {}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    /// What a cipher leaves in the low halves, and in the high ones where the processor has them.
    #[test]
    fn nothing_is_left_in_any_register() {
        let secret = [0x5a_u8; 16];
        let mut left = [[0u8; 64]; 32];
        macro_rules! leave {
            ($load:literal, $store:literal, $bytes:literal: $($number:literal)*) => {{
                // SAFETY: loads 16 bytes of `secret` into each register that the processor has.
                unsafe {
                    std::arch::asm!(
                        $(concat!($load, $number, ", [{at}]"),)*
                        at = in(reg) secret.as_ptr(),
                        clobber_abi("sysv64"),
                    );
                }
                super::overwrite();
                // SAFETY: stores each register to its own 64 bytes of `left`, which are as long as it or longer.
                unsafe {
                    std::arch::asm!(
                        $(concat!("v", $store, " [{at} + 64 * ", $number, "], ", $bytes, $number),)*
                        at = in(reg) left.as_mut_ptr(),
                    );
                }
            }};
        }
        if std::arch::is_x86_feature_detected!("avx512f") {
            leave!("vbroadcasti32x4 zmm", "movdqu64", "zmm":
                0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        } else if std::arch::is_x86_feature_detected!("avx") {
            leave!("vbroadcastf128 ymm", "movdqu", "ymm": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        } else {
            return;
        }
        for (number, register) in left.iter().enumerate() {
            let parts = register.as_chunks::<16>().0;
            assert!(
                parts.iter().all(|part| *part != secret),
                "register {number}: {register:x?}"
            );
        }
    }
}
