//! What the bundle consists of: the lists to extend when it is to bring something else.

/// Where a file of the bundle comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A program of this workspace, built in release mode with its default features, and stripped:
    /// package and binary.
    Program(&'static str, &'static str),
    /// Tests of a package that run against programs beside them, built likewise: package and name.
    Tests(&'static str, &'static str),
    /// A file of this repository.
    Repository(&'static str),
    /// A file of one of this machine's Debian packages: path and package. The package's copyright file
    /// comes along.
    Debian(&'static str, &'static str),
}

/// A file of the bundle.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// Its path in the bundle.
    pub to: &'static str,
    /// Where it comes from.
    pub from: Source,
    /// Whether it is to be run.
    pub runs: bool,
}

const fn item(to: &'static str, from: Source, runs: bool) -> Item {
    Item { to, from, runs }
}

/// Every file but copyright files and the list of crates, which come by themselves.
pub const ITEMS: &[Item] = &[
    item("kgpu", Source::Program("kgpu-userhelper", "kgpu"), true),
    // A guest that lies, for the step `attack`.
    item(
        "guest-tests",
        Source::Tests("kgpu-userhelper", "guest"),
        true,
    ),
    // The guest's disks, for benchmarks.
    item("ram-disk", Source::Program("kgpu-guest", "ram-disk"), true),
    item("run.sh", Source::Repository("xtask/bundle/run.sh"), true),
    item("README", Source::Repository("xtask/bundle/README"), false),
    item(
        "licences/kgpu-MIT",
        Source::Repository("LICENSE-MIT"),
        false,
    ),
    item(
        "licences/kgpu-APACHE",
        Source::Repository("LICENSE-APACHE"),
        false,
    ),
    // What `kgpu` measures and checks itself against; it looks in `lib` beside itself first.
    item(
        "lib/libgcrypt.so.20",
        Source::Debian("/usr/lib/x86_64-linux-gnu/libgcrypt.so.20", "libgcrypt20"),
        false,
    ),
    item(
        "lib/libgpg-error.so.0",
        Source::Debian(
            "/usr/lib/x86_64-linux-gnu/libgpg-error.so.0",
            "libgpg-error0",
        ),
        false,
    ),
    item(
        "lib/libcrypto.so.3",
        Source::Debian("/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "libssl3"),
        false,
    ),
    item(
        "lib/ossl-modules/legacy.so",
        Source::Debian(
            "/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so",
            "libssl3",
        ),
        false,
    ),
];

/// Libraries that every host has which has the GNU C library: all that programs and libraries of the
/// bundle may need besides each other.
pub const HOST_LIBRARIES: &[&str] = &[
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
];

/// The newest GNU C library that anything in the bundle may ask for: Debian 12's.
pub const GLIBC: (u32, u32) = (2, 36);

/// Programs of this workspace in the bundle's guest.
pub const GUEST_PROGRAMS: &[&str] = &["kgpu", "kgpu-guest", "evil-helper"];

/// Bytes of the whole bundle but its guest, unpacked, that must not be reached.
pub const LIMIT: u64 = 40 << 20;

/// Bytes of the guest in it, that must not be reached.
pub const GUEST_LIMIT: u64 = 64 << 20;
