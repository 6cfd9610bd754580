//! Proof of what the pool lends. No bounds: any offset, any length, a pool of any size.

use kgpu_core::abi::guest::PageRun;
use kgpu_core::proof::Source;
use kgpu_core::prove;

use super::{Source as From, Span};

/// A span that is lent lies inside the pool, its two ranges the same or apart; all such spans of
/// pools below 4 GiB are lent.
fn spans_are_bounded(source: &mut impl Source) -> bool {
    // Half of the pools and spans are small, so that random ones fit.
    let pool = if source.bool() {
        source.u64()
    } else {
        source.below(1 << 32)
    };
    let mut at = || {
        if source.bool() {
            source.u64()
        } else {
            source.below(1 << 16)
        }
    };
    let (src, dst) = (at(), at());
    let len = source.u32();
    let dst_len = if source.bool() { len } else { source.u32() };
    let span = Span {
        src: From::Pool(src),
        dst: if source.bool() { src } else { dst },
        len,
        dst_len,
    };
    let range = |at: u64, len: u32| (u128::from(at), u128::from(at) + u128::from(len));
    let (from, to) = (range(src, span.len), range(span.dst, span.dst_len));
    let most = u128::from(pool.min(u64::from(u32::MAX)));
    let inside = |range: (u128, u128)| range.0 < range.1 && range.1 <= most;
    let apart = from.1 <= to.0 || to.1 <= from.0;
    let fits = inside(from) && inside(to) && (from == to || apart);
    assert_eq!(span.check(kgpu_core::num::index(pool), &[]).is_ok(), fits);
    source.assume(fits)
}

/// A span with a guest's source is lent when the source is whole in one area and its result inside the pool, whatever
/// the numbers of either.
fn guest_spans_are_bounded(source: &mut impl Source) -> bool {
    let mut near = || {
        let base = if source.bool() {
            u64::MAX - (1 << 14)
        } else {
            0
        };
        base + source.below(1 << 14)
    };
    let (address, at, bytes) = (near(), near(), near());
    let dst = near();
    let area = PageRun { address: at, bytes };
    let len = source.u32() % (1 << 14);
    let span = Span {
        src: From::Guest(address),
        dst,
        len,
        dst_len: len,
    };
    let end = |at: u64| u128::from(at) + u128::from(len);
    let held = at <= address && end(address) <= u128::from(at) + u128::from(bytes);
    let fits = len > 0 && held && end(dst) <= 1 << 15;
    assert_eq!(span.check(1 << 15, &[area]).is_ok(), fits);
    assert!(span.check(1 << 15, &[]).is_err());
    source.assume(fits)
}

prove!(guest_span_checks: guest_spans_are_bounded, unwind 2, 5_000 cases);
prove!(span_checks: spans_are_bounded, unwind 2, 5_000 cases);
