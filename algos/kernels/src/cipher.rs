//! A block cipher as the modes see it.

use crate::launch::Schedule;

/// A block cipher that works on `N` cells of 16 bytes at a time in each thread.
///
/// A cell is the four words of its bytes, little-endian: one block of 16 bytes, or two of 8.
pub trait Cipher<const N: usize>: Copy {
    /// Bytes of a block: 16 or 8.
    const BLOCK: u32;
    /// Words of one key's schedule, a multiple of 4. XTS has two, the data key's first.
    const KEY_WORDS: u32;

    /// Whether a thread has some `12 * N` registers to spare: modes then fetch the next cells before they
    /// compute these, and keep tweaks while the cipher works.
    const SPARE: bool = false;

    /// Brings the schedule into shared memory; called by all threads of a block, each of which does
    /// its share.
    fn load(schedule: &Schedule);

    /// What a thread keeps in registers, once the schedule is in shared memory.
    fn new() -> Self;

    /// Encrypts the cells in place.
    fn encrypt(self, cells: &mut [[u32; 4]; N]);

    /// Decrypts the cells in place.
    fn decrypt(self, cells: &mut [[u32; 4]; N]);
}
