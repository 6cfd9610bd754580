//! Bit planes: eight blocks of a thread, sliced so that one word operation does one bit of all of them.
//!
//! A plane is a word whose bit `j` of each byte is one bit of block `j`. There are 32 planes in either of
//! two layouts, by *columns* (word `8 c + i` is bit `i` of column `c`, its byte `r` that of row `r`; a cell
//! is sliced to this by exchanges inside words' bytes alone) or by *rows* (word `8 r + i`, its byte `c` that
//! of column `c`; ShiftRows is a rotation of words here). FIPS 197, 3.4, says what rows and columns are.

use kgpu_kernels::gpu::{lop3, mad, prmt};

/// 32 planes, by rows or by columns.
pub type Planes = [u32; 32];

/// Exchanges the bits of `b` under `MASK` with those of `a` that are `SHIFT` higher; `SCALE` is
/// 2^`SHIFT`.
#[inline(always)]
fn exchange<const SHIFT: u32, const SCALE: u32, const MASK: u32>(a: &mut u32, b: &mut u32) {
    // Left by the multiply-add unit, which is idle else.
    let (up, down) = (mad(*b, SCALE, 0), *a >> SHIFT);
    *a = lop3::<0xe4>(*a, up, MASK);
    *b = lop3::<0xe4>(down, *b, MASK);
}

/// Transposes the 8x8 bits that eight words have in each of their bytes; its own inverse.
#[inline(always)]
fn transpose(mut w: [u32; 8]) -> [u32; 8] {
    let [a, b, c, d, e, f, g, h] = &mut w;
    exchange::<4, 16, 0x0f0f_0f0f>(a, e);
    exchange::<4, 16, 0x0f0f_0f0f>(b, f);
    exchange::<4, 16, 0x0f0f_0f0f>(c, g);
    exchange::<4, 16, 0x0f0f_0f0f>(d, h);
    exchange::<2, 4, 0x3333_3333>(a, c);
    exchange::<2, 4, 0x3333_3333>(b, d);
    exchange::<2, 4, 0x3333_3333>(e, g);
    exchange::<2, 4, 0x3333_3333>(f, h);
    exchange::<1, 2, 0x5555_5555>(a, b);
    exchange::<1, 2, 0x5555_5555>(c, d);
    exchange::<1, 2, 0x5555_5555>(e, f);
    exchange::<1, 2, 0x5555_5555>(g, h);
    w
}

/// The planes, by columns, of eight blocks.
#[inline(always)]
#[must_use]
pub fn slice(cells: &[[u32; 4]; 8]) -> Planes {
    let column = |c: usize| transpose([0, 1, 2, 3, 4, 5, 6, 7].map(|j: usize| cells[j][c]));
    join([column(0), column(1), column(2), column(3)])
}

/// The blocks of planes by columns.
#[inline(always)]
#[must_use]
pub fn unslice(planes: &Planes) -> [[u32; 4]; 8] {
    let [a, b, c, d] = split(planes).map(transpose);
    [0, 1, 2, 3, 4, 5, 6, 7].map(|j: usize| [a[j], b[j], c[j], d[j]])
}

/// The four rows, or columns, of planes.
#[inline(always)]
#[must_use]
pub fn split(p: &Planes) -> [[u32; 8]; 4] {
    let part = |at: usize| [0, 1, 2, 3, 4, 5, 6, 7].map(|i: usize| p[at + i]);
    [part(0), part(8), part(16), part(24)]
}

/// Planes from their four rows or columns.
#[inline(always)]
#[must_use]
pub fn join(parts: [[u32; 8]; 4]) -> Planes {
    let mut planes = [0; 32];
    let (first, last) = planes.split_at_mut(16);
    let (a, b) = first.split_at_mut(8);
    let (c, d) = last.split_at_mut(8);
    a.copy_from_slice(&parts[0]);
    b.copy_from_slice(&parts[1]);
    c.copy_from_slice(&parts[2]);
    d.copy_from_slice(&parts[3]);
    planes
}

/// Applies `f` to the four words of each bit.
#[inline(always)]
fn each_bit(p: &Planes, f: impl Fn([u32; 4]) -> [u32; 4]) -> Planes {
    let [a, b, c, d] = split(p);
    let bits = [0, 1, 2, 3, 4, 5, 6, 7].map(|i: usize| f([a[i], b[i], c[i], d[i]]));
    join([0, 1, 2, 3].map(|part: usize| bits.map(|words| words[part])))
}

/// ShiftRows, from columns to rows.
#[inline(always)]
#[must_use]
pub fn shift_to_rows(p: &Planes) -> Planes {
    each_bit(p, |[a, b, c, d]| {
        let (low_ab, high_ab) = (prmt::<0x5140>(a, b), prmt::<0x7362>(a, b));
        let (low_cd, high_cd) = (prmt::<0x5140>(c, d), prmt::<0x7362>(c, d));
        [
            prmt::<0x5410>(low_ab, low_cd),
            prmt::<0x2763>(low_ab, low_cd),
            prmt::<0x1054>(high_ab, high_cd),
            prmt::<0x6327>(high_ab, high_cd),
        ]
    })
}

/// InvShiftRows, from columns to rows.
#[inline(always)]
#[must_use]
pub fn unshift_to_rows(p: &Planes) -> Planes {
    each_bit(p, |[a, b, c, d]| {
        let (low_ab, high_ab) = (prmt::<0x5140>(a, b), prmt::<0x7362>(a, b));
        let (low_cd, high_cd) = (prmt::<0x5140>(c, d), prmt::<0x7362>(c, d));
        [
            prmt::<0x5410>(low_ab, low_cd),
            prmt::<0x6327>(low_ab, low_cd),
            prmt::<0x1054>(high_ab, high_cd),
            prmt::<0x2763>(high_ab, high_cd),
        ]
    })
}

/// ShiftRows, from rows to columns.
#[inline(always)]
#[must_use]
pub fn shift_to_columns(p: &Planes) -> Planes {
    each_bit(p, |[a, b, c, d]| {
        // Rows 0 and 1, then rows 2 and 3, of columns 0 and 1, and of columns 2 and 3.
        let (ab_left, ab_right) = (prmt::<0x6150>(a, b), prmt::<0x4372>(a, b));
        let (cd_left, cd_right) = (prmt::<0x4372>(c, d), prmt::<0x6150>(c, d));
        [
            prmt::<0x5410>(ab_left, cd_left),
            prmt::<0x7632>(ab_left, cd_left),
            prmt::<0x5410>(ab_right, cd_right),
            prmt::<0x7632>(ab_right, cd_right),
        ]
    })
}

/// InvShiftRows, from rows to columns.
#[inline(always)]
#[must_use]
pub fn unshift_to_columns(p: &Planes) -> Planes {
    each_bit(p, |[a, b, c, d]| {
        let (ab_left, ab_right) = (prmt::<0x4170>(a, b), prmt::<0x6352>(a, b));
        let (cd_left, cd_right) = (prmt::<0x6352>(c, d), prmt::<0x4170>(c, d));
        [
            prmt::<0x5410>(ab_left, cd_left),
            prmt::<0x7632>(ab_left, cd_left),
            prmt::<0x5410>(ab_right, cd_right),
            prmt::<0x7632>(ab_right, cd_right),
        ]
    })
}

/// From rows to columns.
#[inline(always)]
#[must_use]
pub fn to_columns(p: &Planes) -> Planes {
    each_bit(p, |[a, b, c, d]| {
        let (low_ab, high_ab) = (prmt::<0x5140>(a, b), prmt::<0x7362>(a, b));
        let (low_cd, high_cd) = (prmt::<0x5140>(c, d), prmt::<0x7362>(c, d));
        [
            prmt::<0x5410>(low_ab, low_cd),
            prmt::<0x7632>(low_ab, low_cd),
            prmt::<0x5410>(high_ab, high_cd),
            prmt::<0x7632>(high_ab, high_cd),
        ]
    })
}

/// ShiftRows, in planes by rows.
#[inline(always)]
#[must_use]
pub fn shift_rows(p: &Planes) -> Planes {
    let [a, b, c, d] = split(p);
    join([
        a,
        b.map(|w| prmt::<0x0321>(w, 0)),
        c.map(|w| prmt::<0x1032>(w, 0)),
        d.map(|w| prmt::<0x2103>(w, 0)),
    ])
}

/// InvShiftRows, in planes by rows.
#[inline(always)]
#[must_use]
pub fn unshift_rows(p: &Planes) -> Planes {
    let [a, b, c, d] = split(p);
    join([
        a,
        b.map(|w| prmt::<0x2103>(w, 0)),
        c.map(|w| prmt::<0x1032>(w, 0)),
        d.map(|w| prmt::<0x0321>(w, 0)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight blocks of which no two bytes, nor two bits of one place, are all alike.
    fn blocks() -> [[u32; 4]; 8] {
        let mut state = 1u32;
        core::array::from_fn(|_| {
            core::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state ^ state >> 15
            })
        })
    }

    /// Moves the byte at row `r`, column `c + by * r` of each block to column `c`.
    fn shifted(cells: [[u32; 4]; 8], by: usize) -> [[u32; 4]; 8] {
        cells.map(|cell| {
            let bytes = cell.map(u32::to_le_bytes);
            core::array::from_fn(|c| {
                u32::from_le_bytes(core::array::from_fn(|r| bytes[(c + by * r) % 4][r]))
            })
        })
    }

    #[test]
    fn planes_are_bits() {
        let (cells, planes) = (blocks(), slice(&blocks()));
        for (n, plane) in planes.iter().enumerate() {
            let (column, bit) = (n / 8, n % 8);
            for (row, byte) in plane.to_le_bytes().into_iter().enumerate() {
                for (j, cell) in cells.iter().enumerate() {
                    let expected = cell[column].to_le_bytes()[row] >> bit & 1;
                    assert_eq!(byte >> j & 1, expected, "plane {n}, row {row}, block {j}");
                }
            }
        }
        assert_eq!(unslice(&planes), cells);
    }

    #[test]
    fn rows_shift() {
        let planes = slice(&blocks());
        let to_cells = |rows: &Planes| unslice(&to_columns(rows));
        // By the definitions (FIPS 197, 5.1.2 and 5.3.1): columns turn left, or right.
        let (left, right) = (shifted(blocks(), 1), shifted(blocks(), 3));
        assert_eq!(to_cells(&shift_to_rows(&planes)), left);
        assert_eq!(to_cells(&unshift_to_rows(&planes)), right);
        // Transposing is its own inverse, so this is the state by rows.
        let rows = to_columns(&planes);
        assert_eq!(to_cells(&shift_rows(&rows)), left);
        assert_eq!(to_cells(&unshift_rows(&rows)), right);
        assert_eq!(unslice(&shift_to_columns(&rows)), left);
        assert_eq!(unslice(&unshift_to_columns(&rows)), right);
    }
}
