//! The ABI against its golden files: nothing that another build relies on moves without a new
//! version, and everything of an older minor version still holds in this one.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests, too, may panic.

mod support;

use std::fmt::Write as _;
use std::path::PathBuf;

use kgpu_core::abi::{self, Reflect};

/// Set to write the golden file of a new version.
const WRITE: &str = "KGPU_WRITE_GOLDEN";

fn golden_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden_name(major: u16, minor: u16) -> String {
    format!("abi-v{major}.{minor}.txt")
}

fn structure<T: Reflect>(out: &mut String) {
    writeln!(out, "struct {} size {}", T::NAME, T::SIZE).unwrap();
    for field in T::FIELDS {
        writeln!(
            out,
            "field {}.{} offset {} size {} type {}",
            T::NAME,
            field.name,
            field.offset,
            field.size,
            field.ty
        )
        .unwrap();
    }
}

/// The ABI as text. Each line stands for itself, so that versions can be compared line by line.
fn describe() -> String {
    let mut text = format!("kgpu ABI {}.{}\n", abi::MAJOR, abi::MINOR);
    for (name, value) in [
        ("MAGIC", abi::MAGIC),
        ("MAP_CONTROL", abi::MAP_CONTROL),
        ("MAP_HELPER", abi::MAP_HELPER),
        ("MAP_POOL", abi::MAP_POOL),
        ("PAGE", abi::PAGE),
        ("HEADER_BYTES", u64::from(abi::HEADER_BYTES)),
        ("KEY_BYTES_MAX", abi::KEY_BYTES_MAX as u64),
        ("BACKEND_NAME_BYTES", abi::BACKEND_NAME_BYTES as u64),
        ("IV_BYTES_MAX", kgpu_core::algorithm::IV_BYTES_MAX as u64),
        ("word::SQ_TAIL", abi::word::SQ_TAIL),
        ("word::CQ_HEAD", abi::word::CQ_HEAD),
        ("word::STATE", abi::word::STATE),
        ("word::KICK_NEEDED", abi::word::KICK_NEEDED),
        ("word::SQ_HEAD", abi::word::SQ_HEAD),
        ("word::CQ_TAIL", abi::word::CQ_TAIL),
        ("word::HEARTBEAT", abi::word::HEARTBEAT),
        ("word::ASLEEP", abi::word::ASLEEP),
        ("word::SOURCES", abi::word::SOURCES),
    ] {
        writeln!(text, "const {name} {value:#x}").unwrap();
    }
    writeln!(text, "const DEVICE_PATH {}", abi::DEVICE_PATH).unwrap();
    for state in support::session_states() {
        writeln!(text, "code SessionState::{state:?} {}", state.code()).unwrap();
    }
    for op in abi::Op::ALL {
        writeln!(text, "code Op::{op:?} {}", op.code()).unwrap();
    }
    for step in abi::IvStep::ALL {
        writeln!(text, "code IvStep::{step:?} {}", step.code()).unwrap();
    }
    for status in abi::Status::ALL {
        writeln!(text, "code Status::{status:?} {}", status.code()).unwrap();
    }
    for (set, flag, bits) in support::flags() {
        writeln!(text, "flag {set}::{flag} {bits:#x}").unwrap();
    }
    for ioctl in abi::Ioctl::ALL {
        writeln!(text, "ioctl {} {:#010x}", ioctl.name, ioctl.request).unwrap();
    }
    macro_rules! emit {
        ($ty:ty) => {
            structure::<$ty>(&mut text)
        };
    }
    kgpu_core::for_each_abi_struct!(emit);
    text
}

/// Lines of `old` that `new` must still hold: all but the version and the reserved fields, which a
/// minor version may give a meaning.
fn broken<'a>(old: &'a str, new: &str) -> Vec<&'a str> {
    let held: Vec<&str> = new.lines().collect();
    old.lines()
        .skip(1)
        .filter(|line| !line.contains(".reserved") || !line.starts_with("field "))
        .filter(|line| !held.contains(line))
        .collect()
}

#[test]
fn the_layout_is_that_of_its_version() {
    let name = golden_name(abi::MAJOR, abi::MINOR);
    let path = golden_dir().join(&name);
    let now = describe();
    if std::env::var_os(WRITE).is_some() && !path.exists() {
        std::fs::write(&path, &now).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let (lost, gained): (Vec<&str>, Vec<&str>) = (
        golden
            .lines()
            .filter(|line| !now.lines().any(|l| l == *line))
            .collect(),
        now.lines()
            .filter(|line| !golden.lines().any(|l| l == *line))
            .collect(),
    );
    assert!(
        golden == now,
        "the ABI differs from tests/golden/{name}\n  gone: {lost:#?}\n  new: {gained:#?}\n\
         A change of the layout comes with a new version: raise MINOR in kgpu-core/src/abi/mod.rs \
         if only reserved fields or unused codes gained a meaning, else MAJOR, and write the new \
         version's file (existing files are never rewritten):\n\
         \n    {WRITE}=1 cargo test -p kgpu-core --test golden_layout\n\
         \nThen write the C header anew:\n\
         \n    {}\n",
        support::HEADER_COMMAND
    );
}

#[test]
fn older_minor_versions_still_hold() {
    let now = describe();
    for entry in std::fs::read_dir(golden_dir()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let version = name
            .strip_prefix("abi-v")
            .and_then(|rest| rest.strip_suffix(".txt"))
            .and_then(|rest| rest.split_once('.'))
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        let (major, minor): (u16, u16) =
            version.unwrap_or_else(|| panic!("tests/golden/{name}: not abi-vMAJOR.MINOR.txt"));
        assert!(
            (major, minor) <= (abi::MAJOR, abi::MINOR),
            "tests/golden/{name} is of a version after {}.{}",
            abi::MAJOR,
            abi::MINOR
        );
        if major == abi::MAJOR {
            let old = std::fs::read_to_string(golden_dir().join(&name)).unwrap();
            let broken = broken(&old, &now);
            assert!(
                broken.is_empty(),
                "{}.{} breaks what {name} promised: {broken:#?}\nRaise MAJOR instead of MINOR.",
                abi::MAJOR,
                abi::MINOR
            );
        }
    }
}

#[test]
fn compatibility_is_judged_line_by_line() {
    let old = "kgpu ABI 1.0\nfield A.x offset 0 size 4 type u32\nfield A.reserved offset 4 size 4 type u32\n";
    let minor =
        "kgpu ABI 1.1\nfield A.x offset 0 size 4 type u32\nfield A.y offset 4 size 4 type u32\n";
    let major = "kgpu ABI 1.1\nfield A.x offset 4 size 4 type u32\n";
    assert!(broken(old, minor).is_empty());
    assert_eq!(broken(old, major), ["field A.x offset 0 size 4 type u32"]);
}

#[test]
fn parts_of_the_abi_agree_with_each_other() {
    fn offset<T: Reflect>(name: &str) -> u64 {
        T::FIELDS
            .iter()
            .find(|field| field.name == name)
            .unwrap_or_else(|| panic!("{}.{name}", T::NAME))
            .offset as u64
    }
    assert_eq!(offset::<abi::HelperWords>("sq_head"), abi::word::SQ_HEAD);
    assert_eq!(offset::<abi::HelperWords>("cq_tail"), abi::word::CQ_TAIL);
    assert_eq!(
        offset::<abi::HelperWords>("heartbeat"),
        abi::word::HEARTBEAT
    );

    assert_eq!(offset::<abi::HelperWords>("asleep"), abi::word::ASLEEP);

    // The areas: behind the helper's words, in the same page.
    let areas = abi::word::SOURCES..abi::word::SOURCES + abi::guest::SourceAreas::SIZE as u64;
    assert!(areas.start.is_multiple_of(64) && areas.start >= abi::HelperWords::SIZE as u64);
    assert!(areas.end <= abi::PAGE);
    assert_eq!(
        abi::guest::SourceAreas::NONE.areas.len(),
        abi::guest::AREAS_MAX
    );

    // The module's words: behind the header, in its page, each in a cache line of its own.
    let words = [
        abi::word::SQ_TAIL,
        abi::word::CQ_HEAD,
        abi::word::STATE,
        abi::word::KICK_NEEDED,
    ];
    for (i, word) in words.into_iter().enumerate() {
        assert!(word >= abi::Header::SIZE as u64);
        assert!(word + 8 <= u64::from(abi::HEADER_BYTES));
        assert!(word.is_multiple_of(64));
        assert!(!words[..i].contains(&word));
    }

    // Fields follow each other without holes, and entries are whole words that a ring can move.
    macro_rules! check {
        ($ty:ty) => {{
            let mut end = 0;
            for field in <$ty>::FIELDS {
                assert_eq!(field.offset, end, "{}.{}", <$ty>::NAME, field.name);
                end += field.size;
            }
            assert_eq!(end, <$ty>::SIZE);
            assert_eq!(end % 8, 0, "{}", <$ty>::NAME);
        }};
    }
    kgpu_core::for_each_abi_struct!(check);

    assert_eq!(
        abi::IOC_ATTACH.request >> 16 & 0x3fff,
        u32::try_from(abi::Attach::SIZE).unwrap()
    );
    let attach = abi::Attach::request(
        abi::Features::empty(),
        abi::AttachFlags::empty(),
        0,
        "golden",
    );
    let sizes = [
        abi::Submission::SIZE,
        abi::Completion::SIZE,
        abi::Tile::SIZE,
        abi::KeyEntry::SIZE,
    ];
    assert_eq!(attach.struct_sizes.map(usize::from), sizes);
}
