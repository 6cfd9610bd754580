//! The service's kernel: a thread takes a data unit, four bytes at a time by four tables in shared memory.
//! Many units keep a GPU busy; one alone takes one thread, however long it is.

#[cfg(not(kgpu_kernel))]
mod tables;

use core::marker::PhantomData;

use kgpu_core::device::{CELL_BYTES, Grain, Scratch};
use kgpu_kernels::tables::{Layout, S8, TABLE_WORDS};
use kgpu_kernels::{Kernel, Traits, Unit, Work, unroll};

/// Cells that are fetched at a time: of the lines that they lie in nothing is left to be fetched again.
const AHEAD: usize = 4;
/// Their bytes.
const AHEAD_BYTES: u32 = 4 * CELL_BYTES;

/// CRC-32C of each data unit, the tables laid out as `L`.
#[derive(Debug)]
struct Crc32c<L>(PhantomData<L>);

/// A checksum under way: the register, not inverted.
#[derive(Clone, Copy)]
struct Register<L> {
    value: u32,
    tables: L,
}

impl<L: Layout> Register<L> {
    /// Takes a byte in.
    #[inline(always)]
    fn byte(&mut self, byte: u32) {
        // The last table is the one for single bytes; the others have 0 at 0.
        let index = (self.value ^ byte) << 24;
        self.value = self.tables.sum::<0x3210>(index) ^ self.value >> 8;
    }

    /// Takes a cell in.
    #[inline(always)]
    fn cell(&mut self, cell: [u32; 4]) {
        unroll::<4>(
            #[inline(always)]
            |word| self.value = self.tables.sum::<0x3210>(self.value ^ cell[word]),
        );
    }

    /// Takes the bytes from one offset to another in.
    #[inline(always)]
    fn bytes(&mut self, unit: &Unit, from: u32, to: u32) {
        let mut at = from;
        while at < to {
            self.byte(unit.byte(at));
            at += 1;
        }
    }
}

/// The checksum of a unit.
#[inline(always)]
fn checksum<L: Layout>(tables: L, unit: &Unit) -> u32 {
    let mut register = Register {
        value: u32::MAX,
        tables,
    };
    let mut at = unit.before_cells();
    register.bytes(unit, 0, at);
    while unit.bytes() - at >= AHEAD_BYTES {
        let mut cells = [[0; 4]; AHEAD];
        let mut offset = at;
        unroll::<AHEAD>(
            #[inline(always)]
            |ahead| {
                cells[ahead] = unit.cell(offset);
                offset += CELL_BYTES;
            },
        );
        unroll::<AHEAD>(
            #[inline(always)]
            |ahead| register.cell(cells[ahead]),
        );
        at += AHEAD_BYTES;
    }
    register.bytes(unit, at, unit.bytes());
    !register.value
}

impl<L: Layout> Traits for Crc32c<L> {
    const GRAIN: Grain = Grain::Units;
    const SCRATCH: Scratch = Scratch::None;
    const IN_PLACE: bool = false;
}

impl<L: Layout> Kernel for Crc32c<L> {
    const PREPARES: bool = false;

    #[inline(always)]
    fn load(work: &Work, _preparing: bool) {
        L::load(&work.schedule(TABLE_WORDS, false), 0);
    }

    #[inline(always)]
    fn prepare(_work: &Work) {}

    #[inline(always)]
    fn compute(work: &Work) {
        let tables = L::new();
        work.units(
            #[inline(always)]
            |unit| unit.set_digest(checksum(tables, unit)),
        );
    }
}

kgpu_kernels::kernels! {
    /// A checksum for each data unit.
    COMPUTE_S8: kgpu_crc32c_compute_s8 = Crc32c<S8>,
        op: Compute, threads: 512, blocks: 2, shared: S8::BYTES, bytes_per_key: 0;
}

/// The service's code.
#[cfg(not(kgpu_kernel))]
pub(crate) static CRC32C: kgpu_core::device::Code = kgpu_core::device::Code {
    schedule_words: tables::SCHEDULE_WORDS,
    schedule: tables::schedule,
    entries: &[COMPUTE_S8],
};
