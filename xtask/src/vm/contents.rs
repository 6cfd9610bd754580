//! What the guest consists of: the lists to extend when a suite needs another program or kernel module.

/// Programs of this machine, copied with their shared libraries.
pub const PROGRAMS: &[&str] = &[
    "/usr/bin/dash",
    "/usr/bin/kmod",
    "/usr/sbin/cryptsetup",
    "/usr/sbin/dmsetup",
    "/usr/bin/fio",
    "/usr/sbin/mkfs.ext4",
    "/usr/sbin/e2fsck",
    "/usr/sbin/mount.ecryptfs",
    "/usr/sbin/umount.ecryptfs",
    "/usr/bin/ecryptfs-add-passphrase",
    "/usr/bin/keyctl",
    "/usr/bin/setpriv",
    "/usr/bin/kcapi-enc",
    "/usr/bin/kcapi-dgst",
];

/// Libraries that the programs open at run time, which `ldd` does not show.
pub const LIBRARIES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1",
    // mount.ecryptfs: passphrases, and NSS for hashing them.
    "/usr/lib/x86_64-linux-gnu/ecryptfs/libecryptfs_key_mod_passphrase.so",
    "/usr/lib/x86_64-linux-gnu/libsoftokn3.so",
    "/usr/lib/x86_64-linux-gnu/libfreebl3.so",
    "/usr/lib/x86_64-linux-gnu/libfreeblpriv3.so",
];

/// Programs of this workspace, built in release mode: package and binary.
pub const WORKSPACE_PROGRAMS: &[(&str, &str)] =
    &[("kgpu-userhelper", "kgpu"), ("kgpu-guest", "kgpu-guest")];

/// Names under which the guest finds kmod(8): the real one, as the kernel's module loading relies on its rules.
pub const KMOD_NAMES: &[&str] = &["modprobe", "insmod", "rmmod", "lsmod", "modinfo", "depmod"];

/// Kernel modules, which come with those they depend on.
pub const MODULES: &[&str] = &[
    // Block devices, file systems and the users of ciphers.
    "loop",
    "brd",
    "zram",
    "dm_mod",
    "dm_crypt",
    "ext4",
    "ecryptfs",
    "algif_skcipher",
    "algif_hash",
    "af_alg",
    "crypto_user",
    // Cipher modes and helpers.
    "cryptd",
    "crypto_simd",
    "xts",
    "ecb",
    "cbc",
    "ctr",
    "essiv",
    "libcrc32c",
    "crc32c_generic",
    "crc32c_intel",
    // The ciphers' stock drivers.
    "aesni_intel",
    "twofish_generic",
    "twofish_common",
    "twofish_x86_64",
    "twofish_x86_64_3way",
    "twofish_avx_x86_64",
    "blowfish_generic",
    "blowfish_common",
    "blowfish_x86_64",
];
