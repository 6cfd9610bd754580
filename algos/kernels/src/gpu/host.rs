//! The operations on the host: a launch runs block by block, a phase thread by thread. What one phase
//! leaves in registers is lost to the next, as kernels must be written anyway.

use core::cell::{Cell, RefCell};
use std::thread_local;
use std::vec::Vec;

/// Where the host's shared memory begins: not at 0, so that a forgotten base is noticed.
const SHARED_BASE: u32 = 0x400;

thread_local! {
    static THREAD: Cell<u32> = const { Cell::new(0) };
    static THREADS: Cell<u32> = const { Cell::new(1) };
    static BLOCK: Cell<u32> = const { Cell::new(0) };
    static BLOCKS: Cell<u32> = const { Cell::new(1) };
    static SHARED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Runs `kernel` as a launch of `blocks` blocks of `threads` threads with `shared` bytes of shared
/// memory each.
pub fn launch(blocks: u32, threads: u32, shared: u32, kernel: impl Fn()) {
    BLOCKS.set(blocks);
    THREADS.set(threads);
    let words = usize::try_from(shared.div_ceil(4)).unwrap_or(0);
    SHARED.with_borrow_mut(|memory| {
        memory.clear();
        memory.resize(words, 0);
    });
    kernel();
}

/// The thread's number in its block.
#[must_use]
pub fn thread() -> u32 {
    THREAD.get()
}

/// Threads of a block.
#[must_use]
pub fn threads() -> u32 {
    THREADS.get()
}

/// The block's number in the grid.
#[must_use]
pub fn block() -> u32 {
    BLOCK.get()
}

/// Blocks of the grid.
#[must_use]
pub fn blocks() -> u32 {
    BLOCKS.get()
}

/// Runs the kernel's body for each block, its shared memory poisoned.
pub fn grid(body: impl Fn()) {
    for block in 0..blocks() {
        BLOCK.set(block);
        SHARED.with_borrow_mut(|memory| memory.fill(0xdead_beef));
        body();
    }
}

/// Runs one phase of the block, thread by thread.
pub fn phase(body: impl Fn()) {
    for thread in 0..threads() {
        THREAD.set(thread);
        body();
    }
    THREAD.set(0);
}

/// Runs `body` for all lanes of the calling thread's warp; each thread of the warp will do so again.
pub fn each_lane(body: impl Fn(u32)) {
    for lane in 0..32 {
        body(lane);
    }
}

/// Any function of three words, bit by bit: `TABLE` is its value for a = 0xf0, b = 0xcc, c = 0xaa.
#[inline(always)]
#[must_use]
pub fn lop3<const TABLE: u32>(a: u32, b: u32, c: u32) -> u32 {
    let mut out = 0;
    // Unrolled by the compiler; most terms vanish, because TABLE is a constant.
    if TABLE & 0x01 != 0 {
        out |= !a & !b & !c;
    }
    if TABLE & 0x02 != 0 {
        out |= !a & !b & c;
    }
    if TABLE & 0x04 != 0 {
        out |= !a & b & !c;
    }
    if TABLE & 0x08 != 0 {
        out |= !a & b & c;
    }
    if TABLE & 0x10 != 0 {
        out |= a & !b & !c;
    }
    if TABLE & 0x20 != 0 {
        out |= a & !b & c;
    }
    if TABLE & 0x40 != 0 {
        out |= a & b & !c;
    }
    if TABLE & 0x80 != 0 {
        out |= a & b & c;
    }
    out
}

/// Four bytes chosen from the eight of `a` (0 to 3) and `b` (4 to 7) by the digits of `SELECT`.
#[inline(always)]
#[must_use]
pub fn prmt<const SELECT: u32>(a: u32, b: u32) -> u32 {
    prmt_by(a, b, SELECT)
}

/// [`prmt`] by a selector that is not known when compiling.
#[inline(always)]
#[must_use]
pub fn prmt_by(a: u32, b: u32, select: u32) -> u32 {
    let bytes = u64::from(b) << 32 | u64::from(a);
    let byte = |i: u32| {
        let digit = select >> (4 * i) & 7;
        (kgpu_core::num::low32(bytes >> (8 * digit)) & 0xff) << (8 * i)
    };
    byte(0) | byte(1) | byte(2) | byte(3)
}

/// `a * b + c`, modulo 2^32.
#[inline(always)]
#[must_use]
pub fn mad(a: u32, b: u32, c: u32) -> u32 {
    a.wrapping_mul(b).wrapping_add(c)
}

/// Address of the block's dynamic shared memory; a multiple of 16.
#[must_use]
pub fn shared_base() -> u32 {
    SHARED_BASE
}

fn word(address: u32) -> usize {
    assert!(
        address.is_multiple_of(4) && address >= SHARED_BASE,
        "shared address {address:#x}"
    );
    usize::try_from((address - SHARED_BASE) / 4).unwrap_or(usize::MAX)
}

/// The word at a shared address plus `OFFSET`.
#[must_use]
pub fn lds<const OFFSET: u32>(address: u32) -> u32 {
    SHARED.with_borrow(|memory| memory[word(address + OFFSET)])
}

/// Four words at a shared address plus `OFFSET`, a multiple of 16.
#[must_use]
pub fn lds4<const OFFSET: u32>(address: u32) -> [u32; 4] {
    assert!(
        (address + OFFSET).is_multiple_of(16),
        "shared address {address:#x}"
    );
    SHARED.with_borrow(|memory| core::array::from_fn(|i| memory[word(address + OFFSET) + i]))
}

/// Stores a word at a shared address.
pub fn sts(address: u32, value: u32) {
    SHARED.with_borrow_mut(|memory| memory[word(address)] = value);
}

/// Stores four words at a shared address, a multiple of 16.
pub fn sts4(address: u32, words: [u32; 4]) {
    assert!(address.is_multiple_of(16), "shared address {address:#x}");
    SHARED
        .with_borrow_mut(|memory| memory[word(address)..word(address) + 4].copy_from_slice(&words));
}

fn pointer<T>(address: u64) -> *mut T {
    let address = kgpu_core::num::index(address);
    assert!(
        address.is_multiple_of(align_of::<T>()),
        "global address {address:#x}"
    );
    core::ptr::with_exposed_provenance_mut(address)
}

/// 16 bytes at an address, a multiple of 16.
///
/// # Safety
/// They must be readable.
#[must_use]
pub unsafe fn load16(address: u64) -> [u32; 4] {
    assert!(address.is_multiple_of(16), "global address {address:#x}");
    // SAFETY: the caller's promise; alignment was checked.
    unsafe { pointer::<[u32; 4]>(address).read() }
}

/// 16 bytes at an address, a multiple of 16, that nothing writes during the launch.
///
/// # Safety
/// They must be readable.
#[must_use]
pub unsafe fn load16_constant(address: u64) -> [u32; 4] {
    // SAFETY: the caller's promise.
    unsafe { load16(address) }
}

/// A word at an address, a multiple of 4, that nothing writes during the launch.
///
/// # Safety
/// It must be readable.
#[must_use]
pub unsafe fn load4_constant(address: u64) -> u32 {
    // SAFETY: the caller's promise; alignment is checked.
    unsafe { pointer::<u32>(address).read() }
}

/// A byte at an address.
///
/// # Safety
/// It must be readable.
#[must_use]
pub unsafe fn load1(address: u64) -> u32 {
    // SAFETY: the caller's promise.
    u32::from(unsafe { pointer::<u8>(address).read() })
}

/// Stores 16 bytes at an address, a multiple of 16.
///
/// # Safety
/// They must be writable.
pub unsafe fn store16(address: u64, words: [u32; 4]) {
    assert!(address.is_multiple_of(16), "global address {address:#x}");
    // SAFETY: the caller's promise; alignment was checked.
    unsafe { pointer::<[u32; 4]>(address).write(words) }
}

/// Stores a word at an address, a multiple of 4.
///
/// # Safety
/// It must be writable.
pub unsafe fn store4(address: u64, word: u32) {
    // SAFETY: the caller's promise; alignment is checked.
    unsafe { pointer::<u32>(address).write(word) }
}

/// Stores the low byte of a word at an address.
///
/// # Safety
/// It must be writable.
pub unsafe fn store1(address: u64, byte: u32) {
    let [low, ..] = byte.to_le_bytes();
    // SAFETY: the caller's promise.
    unsafe { pointer::<u8>(address).write(low) }
}

/// Adds to a word at an address.
///
/// # Safety
/// It must be writable.
pub unsafe fn add4(address: u64, value: u32) {
    let word = pointer::<u32>(address);
    // SAFETY: the caller's promise; alignment is checked. One launch runs on one thread.
    unsafe { word.write(word.read().wrapping_add(value)) }
}
