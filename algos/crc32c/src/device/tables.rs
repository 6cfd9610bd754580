//! The tables that take four bytes in at a time. They are constants, yet go to the device as the schedule
//! of the empty key: shared memory is then loaded as for any cipher.

use kgpu_core::cpu::KeyError;

/// Castagnoli's polynomial, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// What four bytes add to the register, the first in table 0; the last byte's table is that for one byte.
static TABLES: [[u32; 256]; 4] = {
    let mut tables = [[0; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        // CAST: below 256.
        #[allow(clippy::cast_possible_truncation)]
        let mut register = byte as u32;
        let mut shifted = 0;
        while shifted < 32 {
            let mut bit = 0;
            while bit < 8 {
                register = register >> 1 ^ POLYNOMIAL & (register & 1).wrapping_neg();
                bit += 1;
            }
            tables[3 - shifted / 8][byte] = register;
            shifted += 8;
        }
        byte += 1;
    }
    tables
};

/// Words of the schedule with its header.
pub(super) const SCHEDULE_WORDS: usize = kgpu_core::device::HEADER_WORDS + 4 * 256;

/// The schedule of the empty key.
pub(super) fn schedule(key: &[u8], words: &mut [u32]) -> Result<(), KeyError> {
    if !key.is_empty() {
        return Err(KeyError { len: key.len() });
    }
    for (to, from) in words.iter_mut().zip(TABLES.as_flattened()) {
        *to = *from;
    }
    Ok(())
}
