//! Twofish's constants: the permutations q0 and q1, and multiplication by the MDS and RS matrices
//! (paper, sections 4.3.1 to 4.3.5). All tables are computed at build time from the definitions.

/// The 4-bit tables of q0 and q1 (section 4.3.5).
const NIBBLES: [[[u8; 16]; 4]; 2] = [
    [
        [8, 1, 7, 13, 6, 15, 3, 2, 0, 11, 5, 9, 14, 12, 10, 4],
        [14, 12, 11, 8, 1, 2, 3, 5, 15, 4, 10, 6, 7, 0, 9, 13],
        [11, 10, 5, 14, 6, 13, 9, 0, 12, 8, 15, 3, 2, 4, 7, 1],
        [13, 7, 15, 4, 1, 2, 6, 14, 9, 11, 3, 0, 8, 5, 12, 10],
    ],
    [
        [2, 8, 11, 13, 15, 7, 6, 14, 3, 1, 9, 4, 0, 10, 12, 5],
        [1, 14, 2, 11, 4, 12, 3, 7, 6, 13, 10, 5, 15, 9, 0, 8],
        [4, 12, 7, 5, 1, 6, 9, 10, 0, 14, 13, 8, 2, 11, 3, 15],
        [11, 9, 5, 1, 12, 3, 13, 14, 6, 4, 7, 15, 2, 0, 8, 10],
    ],
];

/// Both halves of a byte mixed, then through two 4-bit tables.
const fn half(a: u8, b: u8, tables: &[[u8; 16]; 4], first: usize) -> (u8, u8) {
    let left = a ^ b;
    let right = (a ^ (b >> 1 | b << 3) ^ a << 3) & 15;
    (
        tables[first][left as usize],
        tables[first + 1][right as usize],
    )
}

/// One permutation of bytes.
const fn permutation(tables: &[[u8; 16]; 4]) -> [u8; 256] {
    let mut out = [0; 256];
    let mut x = 0_u8;
    loop {
        let (a, b) = half(x >> 4, x & 15, tables, 0);
        let (a, b) = half(a, b, tables, 2);
        out[x as usize] = b << 4 | a;
        if x == u8::MAX {
            return out;
        }
        x += 1;
    }
}

/// q0 and q1.
pub(crate) const Q: [[u8; 256]; 2] = [permutation(&NIBBLES[0]), permutation(&NIBBLES[1])];

/// The product in GF(2^8) modulo x^8 plus `poly`. Branches on no operand.
const fn multiply(mut a: u8, b: u8, poly: u8) -> u8 {
    let mut product = 0;
    let mut bit = 0;
    while bit < 8 {
        product ^= a & (b >> bit & 1).wrapping_neg();
        a = a << 1 ^ poly & (a >> 7).wrapping_neg();
        bit += 1;
    }
    product
}

/// The MDS matrix, by columns.
const MDS_COLUMNS: [[u8; 4]; 4] = [
    [0x01, 0x5b, 0xef, 0xef],
    [0xef, 0xef, 0x5b, 0x01],
    [0x5b, 0xef, 0x01, 0xef],
    [0x5b, 0x01, 0xef, 0x5b],
];

/// A column of the MDS matrix times each byte (modulo x^8 + x^6 + x^5 + x^3 + 1).
const fn mds_column(column: [u8; 4]) -> [u32; 256] {
    let mut out = [0; 256];
    let mut x = 0_u8;
    loop {
        out[x as usize] = u32::from_le_bytes([
            multiply(column[0], x, 0x69),
            multiply(column[1], x, 0x69),
            multiply(column[2], x, 0x69),
            multiply(column[3], x, 0x69),
        ]);
        if x == u8::MAX {
            return out;
        }
        x += 1;
    }
}

/// The columns of the MDS matrix times each byte.
pub(crate) static MDS: [[u32; 256]; 4] = [
    mds_column(MDS_COLUMNS[0]),
    mds_column(MDS_COLUMNS[1]),
    mds_column(MDS_COLUMNS[2]),
    mds_column(MDS_COLUMNS[3]),
];

/// The RS matrix, by rows.
const RS: [[u8; 8]; 4] = [
    [0x01, 0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e],
    [0xa4, 0x56, 0x82, 0xf3, 0x1e, 0xc6, 0x68, 0xe5],
    [0x02, 0xa1, 0xfc, 0xc1, 0x47, 0xae, 0x3d, 0x19],
    [0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e, 0x03],
];

/// The RS matrix times 8 bytes of key (modulo x^8 + x^6 + x^3 + x^2 + 1).
pub(crate) fn rs(key: &[u8; 8]) -> [u8; 4] {
    RS.map(|row| {
        let products = row.iter().zip(key).map(|(a, b)| multiply(*a, *b, 0x4d));
        products.fold(0, |sum, product| sum ^ product)
    })
}
