//! A kernel: what it does with a span, and how it is declared.
#![allow(unsafe_code)]

use kgpu_core::device::{Grain, Scratch};

use crate::gpu::{block, blocks, phase, thread};
use crate::launch::{Launch, Work};

/// What a launch must know of a kernel.
pub trait Traits {
    /// What the kernel counts as an item.
    const GRAIN: Grain;
    /// What it needs scratch memory for.
    const SCRATCH: Scratch;
    /// Whether destinations may be the sources.
    const IN_PLACE: bool;
}

/// What a block does with a span, in phases: each is run by all threads, and all have finished it before
/// the next begins.
pub trait Kernel: Traits {
    /// Whether there is a preparation.
    const PREPARES: bool;

    /// Brings the key's schedule into shared memory, for the preparation or for the computation.
    fn load(work: &Work, preparing: bool);

    /// Fills the span's scratch cells.
    fn prepare(work: &Work);

    /// Computes the span's items.
    fn compute(work: &Work);
}

/// The body of a kernel, for one block.
///
/// The closures of a kernel say that they are to be inlined: one that is called keeps its captures in
/// memory.
#[inline(always)]
pub fn run<K: Kernel>(launch: Launch) {
    // The schedule in shared memory; no schedule lies at the last cell of all.
    let mut held = u32::MAX;
    let mut index = block();
    while index < launch.span_count() {
        let work = launch.work(index);
        if work.fresh() {
            if K::PREPARES {
                phase(
                    #[inline(always)]
                    || K::load(&work, true),
                );
                phase(
                    #[inline(always)]
                    || K::prepare(&work),
                );
                held = u32::MAX;
            }
            if held != work.span().key {
                held = work.span().key;
                phase(
                    #[inline(always)]
                    || K::load(&work, false),
                );
            }
            phase(
                #[inline(always)]
                || {
                    K::compute(&work);
                    if thread() == 0 {
                        work.done();
                    }
                },
            );
        } else {
            held = u32::MAX;
            if thread() == 0 {
                launch.stale();
            }
        }
        index += blocks();
    }
}

/// Declares kernels: on the device the entry points of the PTX module, on the host their
/// `kgpu_core::device::Entry` constants.
///
/// The comment that goes into the PTX tells the linker how many threads a block has and how many blocks a
/// multiprocessor should hold, from which it makes the entry's directives.
#[macro_export]
macro_rules! kernels {
    ($(
        $(#[$meta:meta])*
        $konst:ident: $name:ident = $kernel:ty,
        op: $op:ident, threads: $threads:literal, blocks: $blocks:literal,
        shared: $shared:expr, bytes_per_key: $bytes_per_key:expr;
    )*) => {$(
        #[cfg(target_arch = "nvptx64")]
        #[allow(unsafe_code)]
        mod $name {
            use super::*;

            core::arch::global_asm!(concat!(
                "// kgpu-launch ", stringify!($name), " ", $threads, " ", $blocks
            ));

            $(#[$meta])*
            ///
            /// # Safety
            /// As for `Launch::new`.
            #[unsafe(no_mangle)]
            pub unsafe extern "ptx-kernel" fn $name(
                tiles: *const $crate::kgpu_core::device::Tile,
                spans: *const $crate::kgpu_core::device::Span,
                span_count: u32,
                keys: *const u8,
                scratch: *mut u8,
                stats: *mut u8,
            ) {
                // SAFETY: the caller's promise.
                let launch = unsafe {
                    $crate::Launch::new(tiles, spans, span_count, keys, scratch, stats)
                };
                $crate::gpu::grid(#[inline(always)] || $crate::run::<$kernel>(launch));
            }
        }

        #[cfg(not(target_arch = "nvptx64"))]
        $(#[$meta])*
        pub(crate) const $konst: $crate::kgpu_core::device::Entry = {
            #[allow(unsafe_code)]
            unsafe fn host(
                entry: &$crate::kgpu_core::device::Entry,
                blocks: u32,
                args: &$crate::kgpu_core::device::Args,
            ) {
                // SAFETY: the caller's promise.
                let launch = unsafe {
                    $crate::Launch::new(args.tiles, args.spans, args.span_count, args.keys,
                        args.scratch, args.stats.cast())
                };
                $crate::gpu::launch(blocks, entry.threads, entry.shared_bytes, || {
                    $crate::gpu::grid(|| $crate::run::<$kernel>(launch));
                });
            }
            $crate::kgpu_core::device::Entry {
                name: stringify!($name),
                op: $crate::kgpu_core::abi::Op::$op,
                grain: <$kernel as $crate::Traits>::GRAIN,
                scratch: <$kernel as $crate::Traits>::SCRATCH,
                in_place: <$kernel as $crate::Traits>::IN_PLACE,
                threads: $threads,
                blocks_per_sm: $blocks,
                shared_bytes: $shared,
                bytes_per_key: $bytes_per_key,
                host,
            }
        };
    )*};
}
