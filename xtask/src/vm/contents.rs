//! What the guest consists of: the lists to extend when a suite needs another program or kernel module.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Programs of this machine, copied with their shared libraries.
pub const PROGRAMS: &[&str] = &[
    "/usr/bin/dash",
    "/usr/bin/kmod",
    // Not busybox's, which hands options of its command line on to the file system: newer kernels' eCryptfs refuses them.
    "/usr/bin/mount",
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
pub const WORKSPACE_PROGRAMS: &[(&str, &str)] = &[
    ("kgpu-userhelper", "kgpu"),
    ("kgpu-guest", "kgpu-guest"),
    ("kgpu-guest", "evil-helper"),
    ("kgpu-guest", "ram-disk"),
];

/// Those of them that run on the guest's host alone.
pub const HOST_PROGRAMS: &[&str] = &["ram-disk"];

/// Names under which the guest finds kmod(8): the real one, as the kernel's module loading relies on its rules.
pub const KMOD_NAMES: &[&str] = &["modprobe", "insmod", "rmmod", "lsmod", "modinfo", "depmod"];

/// Kernel modules, which come with those they depend on. No cipher is among them.
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
    // The ciphers' stock drivers are those of the algorithms' names: see `stock_drivers`.
    "essiv",
];

/// More of them, which a kernel may lack: what the stock drivers rest on where they are asynchronous, the hash of
/// eCryptfs's headers, which is built in elsewhere, what guest devices rest on, and disks that the host has for the benchmark.
pub const OPTIONAL_MODULES: &[&str] = &[
    "cryptd",
    "crypto_simd",
    "libcrc32c",
    "md5",
    "virtio_pci",
    "virtio_blk",
];

/// Suites that have eCryptfs with our change to it beside the stock one.
pub const WITH_ECRYPTFS: &[&str] = &["ecryptfs", "bench"];

/// Where they find it: not where modprobe does, which loads the stock one.
pub const CHANGED_ECRYPTFS: &str = "/usr/lib/kgpu/ecryptfs.ko";

/// The names under which the kernel loads the stock drivers of every algorithm, `crypto-xts` and
/// `crypto-NAME` for `xts(NAME)`: from the lists of ids in the algorithms' folders.
pub fn stock_drivers(algos: &Path) -> Result<BTreeSet<String>> {
    let mut aliases = BTreeSet::new();
    for folder in fs::read_dir(algos).with_context(|| format!("cannot list {}", algos.display()))? {
        // A folder without a list is not an algorithm's.
        let Ok(ids) = fs::read_to_string(folder?.path().join("ids.txt")) else {
            continue;
        };
        let names = ids
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split(' ').nth(1));
        for name in names {
            let parts = name.split(['(', ')']).filter(|part| !part.is_empty());
            aliases.extend(parts.map(|part| format!("crypto-{part}")));
        }
    }
    if aliases.is_empty() {
        bail!(
            "no algorithm's folder in {} has an ids.txt",
            algos.display()
        );
    }
    Ok(aliases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_drivers_are_those_of_modes_and_ciphers() {
        let algos = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../algos"));
        let aliases = stock_drivers(algos).unwrap();
        assert!(aliases.contains("crypto-xts"), "{aliases:?}");
        assert!(aliases.contains("crypto-aes"), "{aliases:?}");
        assert!(
            aliases.iter().all(|a| !a.contains(['(', ')', ' '])),
            "{aliases:?}"
        );
    }
}
