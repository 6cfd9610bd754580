//! What the module's Rust core is compiled for: the flags of each kind of kernel, and what its object may need there.

use anyhow::Result;
use object::elf;

use crate::images::Image;

/// A kind of kernel, as far as the compiler is concerned.
#[derive(Debug)]
pub struct Target {
    /// Names the folder below `target/kmod` where it is built, but for the usual one.
    pub name: Option<&'static str>,
    /// What is said of it.
    pub what: &'static str,
    /// Flags for rustc.
    pub flags: &'static [&'static str],
    /// Names, and starts of names (`…*`), that the object may leave to the kernel beside our glue's.
    pub symbols: &'static [&'static str],
    /// Relocation types that the kernel's loader can apply wherever module and kernel lie.
    pub relocations: &'static [(u32, &'static str)],
    /// Kbuild's `ARCH`, where it is not the machine's.
    pub arch: Option<&'static str>,
}

/// Flags of every target.
const COMMON: &str = concat!(
    "-Cjump-tables=n -Cforce-unwind-tables=n -Zplt=yes -Zfunction-sections=n -Csymbol-mangling-version=v0 ",
    "--cfg kgpu_kernel ",
    // The aes crate must not look for vector instructions, should it be reached.
    "--cfg aes_backend=\"soft\"",
);

/// What makes code fit a stock x86 kernel's mitigations; proven on 6.1, 6.12 and 7.3.
const MITIGATIONS: &str = "-Zretpoline-external-thunk -Zcf-protection=branch -Zfunction-return=thunk-extern \
                           -Zpatchable-function-entry=16,16";

/// Every access through a function of the kernel's that checks it, but for the stack and the globals, whose checks need
/// what our object has not; frame pointers, as a kernel with KASAN unwinds by them.
const KASAN_CHECKS: &str = concat!(
    "-Zsanitizer=kernel-address -Zsanitizer-recover=kernel-address -Cforce-frame-pointers=yes ",
    "-Cllvm-args=-asan-mapping-offset=0xdffffc0000000000 -Cllvm-args=-asan-instrumentation-with-call-threshold=0 ",
    "-Cllvm-args=-asan-stack=0 -Cllvm-args=-asan-globals=0 -Cllvm-args=-asan-kernel-mem-intrinsic-prefix=1",
);

/// The compiler calls these by itself.
const MEMORY: &[&str] = &["memcpy", "memmove", "memset", "bcmp"];

/// Of code in the kernel's own range of addresses.
const NEAR: &[(u32, &str)] = &[
    (elf::R_X86_64_64, "64"),
    (elf::R_X86_64_32S, "32S"),
    (elf::R_X86_64_PC32, "PC32"),
    (elf::R_X86_64_PLT32, "PLT32"),
];

const STOCK: &Target = &Target {
    name: None,
    what: "",
    flags: &[COMMON, MITIGATIONS],
    symbols: &["__x86_return_thunk", "__x86_indirect_thunk_*"],
    relocations: NEAR,
    arch: None,
};

const KASAN: &Target = &Target {
    name: Some("kasan"),
    what: ", with KASAN",
    flags: &[COMMON, MITIGATIONS, KASAN_CHECKS],
    symbols: &["__x86_return_thunk", "__x86_indirect_thunk_*", "__asan_*"],
    relocations: NEAR,
    arch: None,
};

/// A program of the host's: no mitigations of its own, and modules too far from the kernel for 32 bits.
const UML: &Target = &Target {
    name: Some("uml"),
    what: ", for User-Mode Linux",
    flags: &[COMMON, "-Ccode-model=large"],
    symbols: &[],
    relocations: &[(elf::R_X86_64_64, "64")],
    arch: Some("um"),
};

impl Target {
    /// The kind that `image` is of.
    pub fn of(image: &Image) -> Result<&'static Self> {
        Ok(if image.is_uml() {
            UML
        } else if image.has_kasan()? {
            KASAN
        } else {
            STOCK
        })
    }

    /// Whether an object may leave `name` to the kernel.
    pub fn allows(&self, name: &str) -> bool {
        let listed = |entry: &&str| match entry.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *entry,
        };
        name.starts_with("kgpu_glue_") || MEMORY.iter().chain(self.symbols).any(listed)
    }

    /// What may be left to the kernel, for messages.
    pub fn allowed(&self) -> String {
        let mut names = vec!["kgpu_glue_*"];
        names.extend(MEMORY);
        names.extend(self.symbols);
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glue_and_thunks_are_allowed_and_nothing_else() {
        for name in [
            "memcpy",
            "kgpu_glue_log",
            "__x86_indirect_thunk_rax",
            "__x86_return_thunk",
        ] {
            assert!(STOCK.allows(name), "{name}");
        }
        for name in [
            "__udivti3",
            "kmalloc",
            "memcmp",
            "memcpy_fast",
            "__asan_load8_noabort",
        ] {
            assert!(!STOCK.allows(name), "{name}");
        }
        assert!(KASAN.allows("__asan_load8_noabort"));
        assert!(UML.allows("memset") && !UML.allows("__x86_return_thunk"));
    }
}
