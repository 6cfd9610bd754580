//! Four tables of 256 words in shared memory, laid out so that the 32 look-ups of one instruction always
//! go to 32 different banks: fast, and with a timing that depends on no data. Here are the layouts and the
//! round keys behind them; no cipher.
//!
//! A bank is 4 bytes wide, so a word's address modulo 128 says its bank. One copy of the tables would
//! have lanes wait for each other whenever their indices meet in a bank: with keys as indices that is
//! slow and a timing channel. Copies cost shared memory:
//!
//! | layout | copies | bytes | every lane reads | choose it |
//! | --- | --- | --- | --- | --- |
//! | [`R32`] | 32 | 128 KiB | its own bank | where there is room: one instruction makes an address |
//! | [`S16`] | 16 | 64 KiB | one of two banks | else |
//! | [`S8`] | 8 | 32 KiB | one of four banks | for many keys with little under each, and on small cards |
//!
//! The `S` layouts have fewer copies than lanes: the parts of a warp take the tables in different orders,
//! so that at any moment they read different tables, which lie in different banks.

mod keys;
mod layouts;

pub use keys::{Keys, Registers, Shared, load as load_keys};
pub use layouts::{R32, S8, S16};

use crate::gpu::{shared_base, sts4, thread, threads};
use crate::launch::Schedule;
use crate::unroll;

/// Words of the four tables, one copy.
pub const TABLE_WORDS: u32 = 1024;

/// Which byte of a word indexes each table: digit `t`, from the right, is table `t`'s, and 0 is the
/// least significant byte.
pub type Order = u32;

/// A way to lay out four tables in shared memory, and what a lane needs to read them.
pub trait Layout: Copy {
    /// Copies of each table, a multiple of 4.
    const COPIES: u32;
    /// Bytes of the tables in shared memory.
    const BYTES: u32 = Self::COPIES * TABLE_WORDS * 4;

    /// Where in shared memory the copies of a word begin; `table` and `index` may be anything.
    fn place(table: u32, index: u32) -> u32;

    /// What the calling lane needs.
    fn new() -> Self;

    /// A word of each table, indexed by the bytes of `x`. Those of tables 0 and 1 may come exchanged: what
    /// is done with them must not care.
    fn look_up<const ORDER: Order>(self, x: u32) -> [u32; 4];

    /// The bitwise sum of a word of each table, indexed by the bytes of `x`.
    fn sum<const ORDER: Order>(self, x: u32) -> u32;

    /// Brings four tables from a schedule, where they begin at word `first` (a multiple of 4), to shared
    /// memory; called by all threads of the block.
    #[inline(always)]
    fn load(schedule: &Schedule, first: u32) {
        // Loads under way at a time: they take longer than all else here.
        const AHEAD: usize = 4;
        // A thread takes four words of a table, and stores four copies of each. The eight threads whose
        // stores go together fill all banks.
        let parts = Self::COPIES / 4;
        let jobs = TABLE_WORDS / 4 * parts;
        let at = |job: u32| {
            let quad = job / parts;
            (quad & 3, quad >> 2 << 2, job % parts * 16)
        };
        let mut job = thread();
        while job < jobs {
            let mut cells = [[0; 4]; AHEAD];
            unroll::<AHEAD>(
                #[inline(always)]
                |ahead| {
                    let (table, index, _) = at(job + number(ahead) * threads());
                    // Beyond the last job the cell is beyond the schedule, or not used.
                    cells[ahead] = schedule.cell(first + table * 256 + index);
                },
            );
            unroll::<AHEAD>(
                #[inline(always)]
                |ahead| {
                    if job < jobs {
                        let (table, index, part) = at(job);
                        unroll::<4>(
                            #[inline(always)]
                            |next| {
                                let place = Self::place(table, index + number(next)) + part;
                                sts4(shared_base() + place, [cells[ahead][next]; 4]);
                            },
                        );
                    }
                    job += threads();
                },
            );
        }
    }
}

/// A small count.
#[allow(clippy::cast_possible_truncation)]
#[inline(always)]
const fn number(count: usize) -> u32 {
    count as u32
}
