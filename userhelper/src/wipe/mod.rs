//! Clearing what functions that have returned left on the stack and in vector registers, and with them in the kernel.
//! Owned memory is cleared by its owners, not here.

mod registers;

use std::time::Duration;

use zeroize::Zeroize;

/// Words that are cleared: expanding a key, and computing a tile, take less.
const WORDS: usize = 4 << 10;

/// Clears what functions called before may have left of keys: the dead frames below the caller's, 32 KiB of stack, and
/// the vector registers.
#[inline(never)]
pub fn leftovers() {
    let mut frame = [0u64; WORDS];
    // Written for sure: `zeroize` can't be left out as dead.
    frame.zeroize();
    std::hint::black_box(&frame);
    registers::overwrite();
}

/// As [`leftovers`], where a thread computes no more: what the kernel saved of its registers, when it last took the
/// processor away, is replaced as well.
pub fn leftovers_at_end() {
    leftovers();
    // The kernel saves them when the thread gives the processor up, not when it ends, and frees as it is what it saved.
    std::thread::sleep(Duration::from_millis(1));
}
