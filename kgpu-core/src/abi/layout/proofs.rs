//! Proofs of the layout. No bounds: every value of every size, and of every field of a header that
//! is compared.

use super::{Layout, LayoutError, PAGE, RingSizes};
use crate::abi::{Features, KeyEntry, Reflect};
use crate::keytable;
use crate::proof::Source;
use crate::prove;

fn sizes(source: &mut impl Source) -> RingSizes {
    // Half of the values are near what is accepted, so that random ones get there.
    if source.bool() {
        return RingSizes {
            entries: source.u32(),
            tiles: source.u32(),
            keys: source.u32(),
            pool_bytes: source.u64(),
        };
    }
    RingSizes {
        entries: 1 << source.below(18),
        tiles: crate::num::low32(source.below((1 << 20) + 2)),
        keys: crate::num::low32(source.below((1 << 16) + 2)),
        pool_bytes: source.below((1 << 20) + 1) * PAGE,
    }
}

/// Parts of an accepted layout begin on pages, hold what they must and end before the next one.
fn parts_lie_apart(source: &mut impl Source) -> bool {
    let Ok(layout) = Layout::new(sizes(source)) else {
        return false;
    };
    let sizes = layout.sizes;
    assert!(sizes.entries.is_power_of_two());
    assert!(sizes.pool_bytes < 1 << 32 && sizes.pool_bytes.is_multiple_of(PAGE));
    let parts = [
        (0, 4096, layout.sq_offset),
        (
            layout.sq_offset,
            u64::from(sizes.entries) * 32,
            layout.tile_offset,
        ),
        (
            layout.tile_offset,
            u64::from(sizes.tiles) * 64,
            layout.key_offset,
        ),
        (
            layout.key_offset,
            u64::from(sizes.keys) * 128,
            layout.control_bytes,
        ),
        (0, 192, layout.cq_offset),
        (
            layout.cq_offset,
            u64::from(sizes.entries) * 32,
            layout.helper_bytes,
        ),
    ];
    for (at, bytes, next) in parts {
        assert!(at.is_multiple_of(PAGE) && next.is_multiple_of(PAGE));
        assert!(at.checked_add(bytes).is_some_and(|end| end <= next));
    }
    // Mappings lie at multiples of 4 GiB in the file: none reaches the next one.
    assert!(layout.control_bytes < 1 << 32 && layout.helper_bytes < 1 << 32);
    let slot = source.u32();
    let entry = keytable::entry_at(&layout, slot);
    assert_eq!(entry.is_some(), slot < sizes.keys);
    if let Some(at) = entry {
        assert!(at >= layout.key_offset && at + KeyEntry::SIZE as u64 <= layout.control_bytes);
    }
    true
}

/// A header is believed only where every offset is the computed one.
fn headers_are_compared(source: &mut impl Source) -> bool {
    let Ok(layout) = Layout::new(sizes(source)) else {
        return false;
    };
    let mut header = layout.header(source.u32(), Features::empty(), source.u64());
    assert_eq!(Layout::from_header(&header), Ok(layout));
    let value = source.u64();
    let field = match source.below(6) {
        0 => &mut header.sq_offset,
        1 => &mut header.tile_offset,
        2 => &mut header.key_offset,
        3 => &mut header.cq_offset,
        4 => &mut header.control_bytes,
        _ => &mut header.helper_bytes,
    };
    let same = *field == value;
    *field = value;
    match Layout::from_header(&header) {
        Ok(found) => assert!(same && found == layout),
        Err(error) => assert!(!same && matches!(error, LayoutError::Offset { .. })),
    }
    true
}

prove!(layout_parts: parts_lie_apart, unwind 8, 20_000 cases);
prove!(layout_headers: headers_are_compared, unwind 8, 20_000 cases);
