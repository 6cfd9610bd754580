//! Loops written out: an array that is indexed by a loop's variable lies in memory on the device, one that
//! is indexed by constants lies in registers.

/// Calls `body` with 0, 1, ... `N` - 1; `N` is at most 8.
#[inline(always)]
pub fn unroll<const N: usize>(mut body: impl FnMut(usize)) {
    const { assert!(N <= 8) }
    if N > 0 {
        body(0);
    }
    if N > 1 {
        body(1);
    }
    if N > 2 {
        body(2);
    }
    if N > 3 {
        body(3);
    }
    if N > 4 {
        body(4);
    }
    if N > 5 {
        body(5);
    }
    if N > 6 {
        body(6);
    }
    if N > 7 {
        body(7);
    }
}
