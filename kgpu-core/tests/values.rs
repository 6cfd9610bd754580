//! Values that cross the ABI: codes, flags, handshake, layout; and the constants decoder.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests, too, may panic.

use kgpu_core::abi::{
    Attach, AttachFlags, Features, Header, InvalidCode, Ioctl, IvStep, KEY_BYTES_MAX, KeyEntry,
    Layout, LayoutError, MAJOR, MAP_HELPER, MAP_POOL, MINOR, Op, PAGE, RequestId, RingSizes,
    SessionState, Status, SubmissionFlags, TileFlags,
};
use kgpu_core::hex::hex;
use proptest::prelude::*;

const SIZES: RingSizes = RingSizes {
    entries: 64,
    tiles: 1000,
    keys: 40,
    pool_bytes: 1 << 20,
};

proptest! {
    #[test]
    fn hexadecimal_is_read_back(bytes in any::<[u8; 20]>(), upper in any::<bool>(), gap in 1usize..9) {
        let mut text = String::new();
        for (i, byte) in bytes.iter().enumerate() {
            if i % gap == 0 {
                text.push_str(if i % 2 == 0 { " " } else { "\n" });
            }
            text += &if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        }
        prop_assert_eq!(hex::<20>(&text), bytes);
    }

    #[test]
    fn request_ids_survive_the_wire(wire in any::<u64>(), slot in any::<u32>(), generation in any::<u32>()) {
        prop_assert_eq!(RequestId::from_wire(wire).to_wire(), wire);
        let id = RequestId { slot, generation };
        prop_assert_eq!(RequestId::from_wire(id.to_wire()), id);
    }

    #[test]
    fn a_layout_has_room_for_all_and_mixes_nothing(
        log in 1u32..17,
        tiles in 1u32..=1 << 20,
        keys in 1u32..=1 << 16,
        pages in 1u64..1 << 20,
    ) {
        let sizes = RingSizes { entries: 1 << log, tiles, keys, pool_bytes: pages * PAGE };
        let layout = Layout::new(sizes).unwrap();
        let entries = u64::from(sizes.entries);
        let control = [
            (0, 4096),
            (layout.sq_offset, entries * 32),
            (layout.tile_offset, u64::from(tiles) * 64),
            (layout.key_offset, u64::from(keys) * 128),
        ];
        let helper = [(0, 192), (layout.cq_offset, entries * 32)];
        for (parts, total) in [
            (&control[..], layout.control_bytes),
            (&helper[..], layout.helper_bytes),
        ] {
            let ends = parts.iter().skip(1).map(|part| part.0).chain([total]);
            for ((at, bytes), end) in parts.iter().zip(ends) {
                prop_assert!(at.is_multiple_of(PAGE) && end.is_multiple_of(PAGE));
                prop_assert!(at + bytes <= end && end - (at + bytes) < PAGE);
            }
        }
        // Every mapping ends before the file offset of the next.
        prop_assert!(layout.control_bytes <= MAP_HELPER);
        prop_assert!(MAP_HELPER + layout.helper_bytes <= MAP_POOL);

        let header = layout.header(9, Features::SERVICES, 5);
        prop_assert_eq!(header.check(), Ok(()));
        prop_assert_eq!(Layout::from_header(&header), Ok(layout));
    }

    #[test]
    fn any_header_is_a_layout_or_an_error(
        sq_entries in any::<u32>(), tile_entries in any::<u32>(), key_slots in any::<u32>(),
        pool_bytes in any::<u64>(), small in any::<bool>(),
    ) {
        let layout = Layout::new(SIZES).unwrap();
        let header = Header {
            sq_entries: if small { 1 << (sq_entries % 18) } else { sq_entries },
            tile_entries: if small { tile_entries % 2_000_000 } else { tile_entries },
            key_slots: if small { key_slots % 100_000 } else { key_slots },
            pool_bytes: if small { (pool_bytes % (1 << 33)) & !4095 } else { pool_bytes },
            ..layout.header(1, Features::empty(), 1)
        };
        if let Ok(found) = Layout::from_header(&header) {
            prop_assert_eq!(found.header(1, Features::empty(), 1), header);
        }
    }
}

#[test]
#[should_panic(expected = "not a hexadecimal digit")]
fn hexadecimal_has_no_other_digits() {
    let _ = hex::<1>("0g");
}

#[test]
#[should_panic(expected = "too few")]
fn hexadecimal_is_not_too_short() {
    let _ = hex::<2>("abc");
}

#[test]
#[should_panic(expected = "too many")]
fn hexadecimal_is_not_too_long() {
    let _ = hex::<1>("abc");
}

#[test]
fn codes_are_read_back_and_others_refused() {
    for code in 0..=u16::MAX {
        let known = Status::ALL.iter().find(|status| status.code() == code);
        let error = InvalidCode {
            what: "status",
            value: u64::from(code),
        };
        assert_eq!(Status::try_from(code), known.copied().ok_or(error));
    }
    for code in 0..=u8::MAX {
        let op = Op::ALL.iter().find(|op| op.code() == code);
        assert_eq!(Op::try_from(code).ok(), op.copied());
        let step = IvStep::ALL.iter().find(|step| step.code() == code);
        assert_eq!(IvStep::try_from(code).ok(), step.copied());
        let state = SessionState::try_from(u64::from(code));
        assert!(state.map_or(code == 0 || code > 5, |s| s.code() == u64::from(code)));
    }
    assert_eq!(
        SessionState::try_from(1 << 32 | 3).unwrap_err().to_string(),
        "invalid session state: 4294967299"
    );
    assert_eq!(format!("{:>8}|", Op::Decrypt), " decrypt|");
}

#[test]
fn unknown_flags_are_refused() {
    assert_eq!(Features::from_bits(1 << 2), None);
    assert_eq!(AttachFlags::from_bits(1 << 2), None);
    assert_eq!(SubmissionFlags::from_bits(1 << 1), None);
    assert_eq!(TileFlags::from_bits(2), None);
}

#[test]
fn a_handshake_is_checked_field_by_field() {
    let good = Attach::request(Features::SERVICES, AttachFlags::SLEEPS, 65_536, "cpu");
    assert_eq!(good.check(), Ok((AttachFlags::SLEEPS, Features::SERVICES)));
    assert_eq!(&good.backend[..4], b"cpu\0");
    let tail = |value| {
        let mut tail = [0; 4];
        tail[3] = value;
        tail
    };
    for (attach, what, value) in [
        (Attach { magic: 1, ..good }, "magic", 1),
        (
            Attach {
                major: MAJOR + 1,
                ..good
            },
            "ABI major",
            u64::from(MAJOR) + 1,
        ),
        (
            Attach {
                minor: MINOR + 1,
                ..good
            },
            "ABI minor",
            u64::from(MINOR) + 1,
        ),
        (
            Attach {
                struct_sizes: [32, 32, 60, 128],
                ..good
            },
            "structure size",
            60,
        ),
        (Attach { flags: 4, ..good }, "attach flags", 4),
        (
            Attach {
                features: 4,
                ..good
            },
            "features",
            4,
        ),
        (
            Attach {
                reserved_in: 3,
                ..good
            },
            "reserved field",
            3,
        ),
        (
            Attach {
                reserved_out: 4,
                ..good
            },
            "reserved field",
            4,
        ),
        (
            Attach {
                reserved_tail: tail(5),
                ..good
            },
            "reserved field",
            5,
        ),
        (
            Attach {
                tile_bytes: 2048,
                ..good
            },
            "tile size",
            2048,
        ),
        (
            Attach {
                tile_bytes: 12_288,
                ..good
            },
            "tile size",
            12_288,
        ),
        (
            Attach {
                tile_bytes: 1 << 21,
                ..good
            },
            "tile size",
            1 << 21,
        ),
    ] {
        assert_eq!(attach.check(), Err(InvalidCode { what, value }));
    }
    assert!(
        Attach {
            tile_bytes: 0,
            ..good
        }
        .check()
        .is_ok()
    );
    assert!(
        Attach {
            tile_bytes: 1 << 20,
            ..good
        }
        .check()
        .is_ok()
    );
    let odd = Attach::request(
        Features::empty(),
        AttachFlags::empty(),
        0,
        "a b\u{e9}\n-0123456789abcdefgh",
    );
    assert_eq!(&odd.backend, b"ab-0123456789abc");
}

#[test]
fn a_newer_module_serves_an_older_helper() {
    let header = Layout::new(SIZES).unwrap().header(1, Features::empty(), 1);
    assert_eq!(
        Header {
            minor: MINOR + 1,
            ..header
        }
        .check(),
        Ok(())
    );
    assert!(
        Header {
            major: MAJOR + 1,
            ..header
        }
        .check()
        .is_err()
    );
    assert!(Header { magic: 0, ..header }.check().is_err());
    assert!(
        Header {
            struct_sizes: [32, 32, 64, 127],
            ..header
        }
        .check()
        .is_err()
    );
}

#[test]
fn each_bound_of_a_layout_has_its_error() {
    for (sizes, error) in [
        (
            RingSizes {
                entries: 0,
                ..SIZES
            },
            LayoutError::Entries(0),
        ),
        (
            RingSizes {
                entries: 1,
                ..SIZES
            },
            LayoutError::Entries(1),
        ),
        (
            RingSizes {
                entries: 48,
                ..SIZES
            },
            LayoutError::Entries(48),
        ),
        (
            RingSizes {
                entries: 1 << 17,
                ..SIZES
            },
            LayoutError::Entries(1 << 17),
        ),
        (RingSizes { tiles: 0, ..SIZES }, LayoutError::Tiles(0)),
        (
            RingSizes {
                tiles: (1 << 20) + 1,
                ..SIZES
            },
            LayoutError::Tiles((1 << 20) + 1),
        ),
        (RingSizes { keys: 0, ..SIZES }, LayoutError::Keys(0)),
        (
            RingSizes {
                keys: (1 << 16) + 1,
                ..SIZES
            },
            LayoutError::Keys((1 << 16) + 1),
        ),
        (
            RingSizes {
                pool_bytes: 0,
                ..SIZES
            },
            LayoutError::Pool(0),
        ),
        (
            RingSizes {
                pool_bytes: 4097,
                ..SIZES
            },
            LayoutError::Pool(4097),
        ),
        (
            RingSizes {
                pool_bytes: 1 << 32,
                ..SIZES
            },
            LayoutError::Pool(1 << 32),
        ),
    ] {
        assert_eq!(Layout::new(sizes), Err(error));
    }
    let layout = Layout::new(SIZES).unwrap();
    let good = layout.header(1, Features::empty(), 1);
    for (header, what, expected, found) in [
        (
            Header {
                cq_entries: 32,
                ..good
            },
            "cq_entries",
            64,
            32,
        ),
        (
            Header {
                sq_offset: 0,
                ..good
            },
            "sq_offset",
            4096,
            0,
        ),
        (
            Header {
                tile_offset: 1,
                ..good
            },
            "tile_offset",
            layout.tile_offset,
            1,
        ),
        (
            Header {
                key_offset: 2,
                ..good
            },
            "key_offset",
            layout.key_offset,
            2,
        ),
        (
            Header {
                cq_offset: 3,
                ..good
            },
            "cq_offset",
            layout.cq_offset,
            3,
        ),
        (
            Header {
                control_bytes: 4,
                ..good
            },
            "control_bytes",
            layout.control_bytes,
            4,
        ),
        (
            Header {
                helper_bytes: 5,
                ..good
            },
            "helper_bytes",
            layout.helper_bytes,
            5,
        ),
    ] {
        let error = LayoutError::Offset {
            what,
            expected,
            found,
        };
        assert_eq!(Layout::from_header(&header), Err(error));
    }
}

#[test]
fn an_ioctl_of_another_size_is_told_from_an_unknown_one() {
    let [attach, ..] = Ioctl::ALL else {
        panic!("no ioctls");
    };
    let other_size = attach.request & !(0x3fff << 16) | 96 << 16;
    assert!(attach.same_but_for_size(other_size));
    assert!(!attach.same_but_for_size(attach.request));
    assert!(!attach.same_but_for_size(attach.request + 1));
}

#[test]
fn debug_prints_no_key() {
    let entry = KeyEntry {
        generation: 1,
        algorithm: 2,
        key_len: 32,
        reserved: 0,
        key: [0xa5; KEY_BYTES_MAX],
    };
    let text = format!("{entry:?}");
    assert!(!text.contains("165") && !text.contains("a5"), "{text}");
}
