//! The operations on the device, as PTX instructions (PTX ISA 6.3 and up).

use core::arch::{asm, global_asm, nvptx};

global_asm!(".extern .shared .align 16 .b8 KGPU_SHARED[];");

// CAST: the special registers below are 32-bit values that the intrinsics give as i32, never negative.

/// The thread's number in its block.
#[inline(always)]
#[allow(clippy::cast_sign_loss)]
#[must_use]
pub fn thread() -> u32 {
    // SAFETY: reads a special register.
    unsafe { nvptx::_thread_idx_x() as u32 }
}

/// Threads of a block.
#[inline(always)]
#[allow(clippy::cast_sign_loss)]
#[must_use]
pub fn threads() -> u32 {
    // SAFETY: reads a special register.
    unsafe { nvptx::_block_dim_x() as u32 }
}

/// The block's number in the grid.
#[inline(always)]
#[allow(clippy::cast_sign_loss)]
#[must_use]
pub fn block() -> u32 {
    // SAFETY: reads a special register.
    unsafe { nvptx::_block_idx_x() as u32 }
}

/// Blocks of the grid.
#[inline(always)]
#[allow(clippy::cast_sign_loss)]
#[must_use]
pub fn blocks() -> u32 {
    // SAFETY: reads a special register.
    unsafe { nvptx::_grid_dim_x() as u32 }
}

/// Runs the kernel's body: each block is its own.
#[inline(always)]
pub fn grid(body: impl Fn()) {
    body();
}

/// Runs one phase of the block: all threads do it, and all have done it afterwards. Control must be
/// the same in all threads of the block.
#[inline(always)]
pub fn phase(body: impl Fn()) {
    body();
    // SAFETY: the caller's control flow is the same in all threads, so all of them come here. Not
    // `nomem`: what a thread wrote before is read by others after.
    unsafe { asm!("bar.sync 0;", options(nostack)) }
}

/// Runs `body` for the calling lane, with all lanes of the warp: what it wrote can be read by the
/// others afterwards. Control must be the same in all lanes of the warp.
#[inline(always)]
pub fn each_lane(body: impl Fn(u32)) {
    // SAFETY: as for `phase`, with the warp's lanes.
    unsafe { asm!("bar.warp.sync 0xffffffff;", options(nostack)) }
    body(thread() & 31);
    // SAFETY: as above.
    unsafe { asm!("bar.warp.sync 0xffffffff;", options(nostack)) }
}

/// Any function of three words, bit by bit: `TABLE` is its value for a = 0xf0, b = 0xcc, c = 0xaa.
#[inline(always)]
#[must_use]
pub fn lop3<const TABLE: u32>(a: u32, b: u32, c: u32) -> u32 {
    let d: u32;
    // SAFETY: one instruction on registers.
    unsafe {
        asm!("lop3.b32 {0}, {1}, {2}, {3}, {4};", lateout(reg32) d, in(reg32) a, in(reg32) b,
            in(reg32) c, const TABLE, options(pure, nomem, nostack));
    }
    d
}

/// Four bytes chosen from the eight of `a` (0 to 3) and `b` (4 to 7) by the digits of `SELECT`.
#[inline(always)]
#[must_use]
pub fn prmt<const SELECT: u32>(a: u32, b: u32) -> u32 {
    let d: u32;
    // SAFETY: one instruction on registers.
    unsafe {
        asm!("prmt.b32 {0}, {1}, {2}, {3};", lateout(reg32) d, in(reg32) a, in(reg32) b,
            const SELECT, options(pure, nomem, nostack));
    }
    d
}

/// [`prmt`] by a selector that is not known when compiling.
#[inline(always)]
#[must_use]
pub fn prmt_by(a: u32, b: u32, select: u32) -> u32 {
    let d: u32;
    // SAFETY: one instruction on registers.
    unsafe {
        asm!("prmt.b32 {0}, {1}, {2}, {3};", lateout(reg32) d, in(reg32) a, in(reg32) b,
            in(reg32) select, options(pure, nomem, nostack));
    }
    d
}

/// `a * b + c`, modulo 2^32, by the multiply-add unit.
#[inline(always)]
#[must_use]
pub fn mad(a: u32, b: u32, c: u32) -> u32 {
    let d: u32;
    // SAFETY: one instruction on registers.
    unsafe {
        asm!("mad.lo.u32 {0}, {1}, {2}, {3};", lateout(reg32) d, in(reg32) a, in(reg32) b,
            in(reg32) c, options(pure, nomem, nostack));
    }
    d
}

/// Address of the block's dynamic shared memory; a multiple of 16.
#[inline(always)]
#[must_use]
pub fn shared_base() -> u32 {
    let a: u32;
    // SAFETY: the symbol is declared above.
    unsafe { asm!("mov.u32 {0}, KGPU_SHARED;", out(reg32) a, options(pure, nomem, nostack)) }
    a
}

/// The word at a shared address plus `OFFSET`. May be moved, but not over a barrier.
#[inline(always)]
#[must_use]
pub fn lds<const OFFSET: u32>(address: u32) -> u32 {
    let d: u32;
    // SAFETY: shared memory, see the module's documentation.
    unsafe {
        asm!("ld.shared.u32 {0}, [{1}+{2}];", out(reg32) d, in(reg32) address, const OFFSET,
            options(pure, readonly, nostack));
    }
    d
}

/// Four words at a shared address plus `OFFSET`, a multiple of 16.
#[inline(always)]
#[must_use]
pub fn lds4<const OFFSET: u32>(address: u32) -> [u32; 4] {
    let (a, b, c, d): (u32, u32, u32, u32);
    // SAFETY: shared memory, see the module's documentation.
    unsafe {
        asm!("ld.shared.v4.u32 {{{0}, {1}, {2}, {3}}}, [{4}+{5}];", out(reg32) a, out(reg32) b,
            out(reg32) c, out(reg32) d, in(reg32) address, const OFFSET,
            options(pure, readonly, nostack));
    }
    [a, b, c, d]
}

/// Stores a word at a shared address.
#[inline(always)]
pub fn sts(address: u32, word: u32) {
    // SAFETY: shared memory, see the module's documentation.
    unsafe {
        asm!("st.shared.u32 [{0}], {1};", in(reg32) address, in(reg32) word, options(nostack));
    }
}

/// Stores four words at a shared address, a multiple of 16.
#[inline(always)]
pub fn sts4(address: u32, words: [u32; 4]) {
    let [a, b, c, d] = words;
    // SAFETY: shared memory, see the module's documentation.
    unsafe {
        asm!("st.shared.v4.u32 [{0}], {{{1}, {2}, {3}, {4}}};", in(reg32) address, in(reg32) a,
            in(reg32) b, in(reg32) c, in(reg32) d, options(nostack));
    }
}

/// 16 bytes at a global address, a multiple of 16.
///
/// # Safety
/// They must be readable.
#[inline(always)]
#[must_use]
pub unsafe fn load16(address: u64) -> [u32; 4] {
    let (a, b, c, d): (u32, u32, u32, u32);
    // SAFETY: the caller's promise. Not `pure`: data may be written in place.
    unsafe {
        asm!("ld.global.v4.u32 {{{0}, {1}, {2}, {3}}}, [{4}];", out(reg32) a, out(reg32) b,
            out(reg32) c, out(reg32) d, in(reg64) address, options(readonly, nostack));
    }
    [a, b, c, d]
}

/// 16 bytes at a global address, a multiple of 16, that nothing writes during the launch.
///
/// # Safety
/// They must be readable.
#[inline(always)]
#[must_use]
pub unsafe fn load16_constant(address: u64) -> [u32; 4] {
    let (a, b, c, d): (u32, u32, u32, u32);
    // SAFETY: the caller's promise.
    unsafe {
        asm!("ld.global.nc.v4.u32 {{{0}, {1}, {2}, {3}}}, [{4}];", out(reg32) a, out(reg32) b,
            out(reg32) c, out(reg32) d, in(reg64) address, options(pure, readonly, nostack));
    }
    [a, b, c, d]
}

/// A word at a global address, a multiple of 4, that nothing writes during the launch.
///
/// # Safety
/// It must be readable.
#[inline(always)]
#[must_use]
pub unsafe fn load4_constant(address: u64) -> u32 {
    let d: u32;
    // SAFETY: the caller's promise.
    unsafe {
        asm!("ld.global.nc.u32 {0}, [{1}];", out(reg32) d, in(reg64) address,
            options(pure, readonly, nostack));
    }
    d
}

/// A byte at a global address.
///
/// # Safety
/// It must be readable.
#[inline(always)]
#[must_use]
pub unsafe fn load1(address: u64) -> u32 {
    let d: u32;
    // SAFETY: the caller's promise.
    unsafe {
        asm!("ld.global.u8 {0}, [{1}];", out(reg32) d, in(reg64) address,
            options(readonly, nostack));
    }
    d
}

/// Stores 16 bytes at a global address, a multiple of 16.
///
/// # Safety
/// They must be writable.
#[inline(always)]
pub unsafe fn store16(address: u64, words: [u32; 4]) {
    let [a, b, c, d] = words;
    // SAFETY: the caller's promise.
    unsafe {
        asm!("st.global.v4.u32 [{0}], {{{1}, {2}, {3}, {4}}};", in(reg64) address, in(reg32) a,
            in(reg32) b, in(reg32) c, in(reg32) d, options(nostack));
    }
}

/// Stores a word at a global address, a multiple of 4.
///
/// # Safety
/// It must be writable.
#[inline(always)]
pub unsafe fn store4(address: u64, word: u32) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("st.global.u32 [{0}], {1};", in(reg64) address, in(reg32) word, options(nostack));
    }
}

/// Stores the low byte of a word at a global address.
///
/// # Safety
/// It must be writable.
#[inline(always)]
pub unsafe fn store1(address: u64, byte: u32) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("st.global.u8 [{0}], {1};", in(reg64) address, in(reg32) byte, options(nostack));
    }
}

/// Adds to a word at a global address, which other threads may add to as well.
///
/// # Safety
/// It must be writable.
#[inline(always)]
pub unsafe fn add4(address: u64, value: u32) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("red.global.add.u32 [{0}], {1};", in(reg64) address, in(reg32) value,
            options(nostack));
    }
}
