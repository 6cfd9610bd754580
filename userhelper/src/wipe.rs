//! Clearing what functions that have returned left on the stack. Owned memory is cleared by its owners, not here.

use zeroize::Zeroize;

/// Words that are cleared: expanding a key, and computing a tile, take less.
const WORDS: usize = 4 << 10;

/// Clears the dead frames below the caller's: 32 KiB of stack that functions called before may have used for keys.
#[inline(never)]
pub fn dead_frames() {
    let mut frame = [0u64; WORDS];
    // Written for sure: `zeroize` can't be left out as dead.
    frame.zeroize();
    std::hint::black_box(&frame);
}
