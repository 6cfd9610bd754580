//! MixColumns and its inverse with AddRoundKey, as networks of three-input XORs over planes by rows.
//!
//! # How they were found
//!
//! By local search over sums of three: a sum may be replaced by any other of the same value, and what is no
//! longer used goes; now and then a sum is added. A sum of two has a place for a third operand, at no cost: the
//! round key is added there, not behind. Where 32 such places reach the outputs by an invertible matrix, each
//! round key has a form (a linear image of it) that makes the network add just that key: the tables. The
//! operations are ordered so that few values are live at a time.

use kgpu_kernels::gpu::lop3;

use crate::planes::Planes;

/// Bit `b` of a round key's column adds word `b` to the column's bits for [`mix`].
pub const MIX_KEYS: [u32; 32] = [
    0x1a80_0002,
    0xffff_ffff,
    0x8070_0201,
    0x0042_0000,
    0x0076_8005,
    0x0001_8000,
    0x0000_6100,
    0x0d0b_edbe,
    0xeff0_0201,
    0x078f_fdfe,
    0x4000_0000,
    0x0040_0000,
    0x006e_0001,
    0x0001_0000,
    0x0011_08a0,
    0xf4c0_1209,
    0x008f_fdfe,
    0x1c00_0000,
    0x8000_0000,
    0x0060_0000,
    0x007e_0001,
    0x0011_8080,
    0x0000_4900,
    0x0d1a_901e,
    0xe27f_ffff,
    0xf3ff_ffff,
    0x2000_0000,
    0x0012_0001,
    0x0008_0000,
    0x0011_c080,
    0x0011_49a0,
    0x0d0b_fdbe,
];

/// The same for [`unmix`].
pub const UNMIX_KEYS: [u32; 32] = [
    0x000e_1a64,
    0x0080_0000,
    0x0d8b_17e6,
    0x9bbd_cbae,
    0x0e28_0000,
    0x0800_0000,
    0x6000_0000,
    0x0040_0000,
    0x0000_0281,
    0x0d1a_55e6,
    0x0002_9004,
    0x0d97_cbe2,
    0x0300_0000,
    0x1020_0000,
    0x7fff_ffff,
    0x0000_2000,
    0x0000_0800,
    0x0d04_4e02,
    0x0000_c000,
    0x0d9f_dbe2,
    0x0200_0000,
    0x2400_0000,
    0xc000_0000,
    0x0004_2040,
    0x0d04_0f00,
    0x0090_0000,
    0x0003_1004,
    0x9b2a_0048,
    0x9908_0048,
    0x3000_0000,
    0xffff_ffff,
    0x0044_0000,
];

#[inline(always)]
fn xor(a: u32, b: u32, c: u32) -> u32 {
    lop3::<0x96>(a, b, c)
}

/// MixColumns (5.1.3) and AddRoundKey on planes by rows: 66 operations. `keys(q)` is the `q`th four of the
/// round key's 32 planes in the form that [`MIX_KEYS`] makes.
#[inline(always)]
#[must_use]
pub fn mix(p: &Planes, keys: impl Fn(usize) -> [u32; 4]) -> Planes {
    let k = keys(0);
    let n0 = xor(p[11], p[19], k[0]);
    let n1 = xor(p[8], p[16], k[1]);
    let n2 = xor(p[12], p[20], k[2]);
    let n3 = xor(p[15], p[23], k[3]);
    let k = keys(1);
    let n4 = xor(p[7], p[15], k[0]);
    let n5 = xor(p[21], p[29], k[1]);
    let n6 = xor(p[7], p[31], k[2]);
    let n7 = xor(p[2], p[18], n3);
    let n8 = xor(p[4], p[20], k[3]);
    let k = keys(2);
    let n9 = xor(p[5], p[21], k[0]);
    let n10 = xor(p[14], p[31], n3);
    let n11 = xor(p[3], p[11], n4);
    let n12 = xor(p[16], n3, n6);
    let n13 = xor(p[24], n4, n1);
    let n14 = xor(p[2], p[10], k[1]);
    let n15 = xor(p[14], p[30], k[2]);
    let n16 = xor(p[6], p[14], k[3]);
    let k = keys(3);
    let n17 = xor(p[6], n10, k[0]);
    let n18 = xor(p[22], n4, n10);
    let n19 = xor(p[30], n5, n16);
    let n20 = xor(p[5], p[13], n15);
    let n21 = xor(p[22], n20, k[1]);
    let n22 = xor(n21, n16, n9);
    let n23 = xor(n5, n20, n22);
    let n24 = xor(p[13], p[28], n9);
    let n25 = xor(p[4], n24, k[2]);
    let n26 = xor(n8, n5, n25);
    let n27 = xor(n2, n5, k[3]);
    let n28 = xor(p[13], n8, n27);
    let k = keys(4);
    let n29 = xor(p[5], n27, k[0]);
    let n30 = xor(p[27], n14, n0);
    let n31 = xor(p[10], p[26], n30);
    let n32 = xor(n4, n30, k[1]);
    let n33 = xor(n6, n31, k[2]);
    let n34 = xor(p[3], p[27], n33);
    let n35 = xor(n2, n31, n34);
    let n36 = xor(p[28], n2, n11);
    let n37 = xor(p[4], n35, k[3]);
    let k = keys(5);
    let n38 = xor(p[28], n0, k[0]);
    let n39 = xor(n3, n8, n38);
    let n40 = xor(n11, n39, n35);
    let n41 = xor(n7, n11, k[1]);
    let n42 = xor(n0, n41, n33);
    let n43 = xor(n32, n41, k[2]);
    let n44 = xor(n13, n12, k[3]);
    let k = keys(6);
    let n45 = xor(p[0], n44, k[0]);
    let n46 = xor(n3, n15, n18);
    let n47 = xor(n6, n15, n17);
    let n48 = xor(n1, n44, k[1]);
    let n49 = xor(n6, n48, n45);
    let n50 = xor(n4, n44, n49);
    let n51 = xor(p[25], n48, k[2]);
    let n52 = xor(p[1], n51, k[3]);
    let n53 = xor(n1, n3, n52);
    let n54 = xor(n44, n53, n7);
    let n55 = xor(p[17], n48, n53);
    let k = keys(7);
    let n56 = xor(p[9], n52, k[0]);
    let n57 = xor(p[10], n54, k[1]);
    let n58 = xor(p[9], p[17], n54);
    let n59 = xor(p[25], p[26], n58);
    let n60 = xor(p[1], n59, k[2]);
    let n61 = xor(p[17], n14, n59);
    let n62 = xor(p[17], n50, n56);
    let n63 = xor(n12, n51, n62);
    let n64 = xor(n58, n61, k[3]);
    let n65 = n53 ^ n63;
    [
        n13, n65, n61, n32, n36, n28, n21, n17, n50, n55, n60, n43, n39, n29, n22, n18, n45, n56,
        n64, n42, n40, n26, n19, n46, n49, n63, n57, n34, n37, n25, n23, n47,
    ]
}

/// InvMixColumns (5.3.3), then AddRoundKey, on planes by rows: 66 operations. `keys` as for [`mix`], in the
/// form that [`UNMIX_KEYS`] makes.
#[inline(always)]
#[must_use]
pub fn unmix(p: &Planes, keys: impl Fn(usize) -> [u32; 4]) -> Planes {
    let n0 = xor(p[5], p[21], p[29]);
    let k = keys(0);
    let n1 = xor(p[16], p[24], k[0]);
    let n2 = xor(p[9], p[25], k[1]);
    let n3 = xor(p[11], p[19], k[2]);
    let n4 = xor(p[12], p[20], k[3]);
    let n5 = xor(p[4], p[28], n4);
    let n6 = xor(p[13], p[29], n5);
    let k = keys(1);
    let n7 = xor(p[13], n0, k[0]);
    let n8 = xor(p[6], p[22], n7);
    let n9 = xor(p[14], p[30], n7);
    let n10 = xor(p[7], p[31], n9);
    let n11 = xor(p[15], p[23], n9);
    let n12 = xor(p[14], p[22], n6);
    let n13 = xor(p[15], n10, k[1]);
    let n14 = xor(p[7], n13, n8);
    let n15 = xor(n13, n12, k[2]);
    let n16 = xor(n1, n10, k[3]);
    let n17 = xor(p[0], n1, n11);
    let n18 = xor(p[0], p[8], p[24]);
    let n19 = xor(p[8], n16, n14);
    let k = keys(2);
    let n20 = xor(n16, n18, k[0]);
    let n21 = xor(n14, n20, n2);
    let n22 = xor(p[1], p[9], n21);
    let n23 = xor(p[1], n16, n2);
    let n24 = xor(n17, n22, k[1]);
    let n25 = xor(p[17], n16, n24);
    let n26 = xor(n14, n11, k[2]);
    let n27 = xor(p[24], n21, n26);
    let n28 = xor(p[2], p[26], n27);
    let n29 = xor(p[10], p[18], n27);
    let n30 = xor(p[3], n3, n28);
    let n31 = xor(n18, n26, k[3]);
    let n32 = xor(p[26], n24, n29);
    let n33 = xor(p[11], n11, n30);
    let k = keys(3);
    let n34 = xor(n29, n33, k[0]);
    let n35 = xor(n11, n15, k[1]);
    let n36 = xor(p[10], n25, n23);
    let n37 = xor(p[27], n28, n34);
    let n38 = xor(n28, n36, k[2]);
    let n39 = xor(n29, n38, k[3]);
    let k = keys(4);
    let n40 = xor(n32, n28, k[0]);
    let n41 = xor(n3, n39, n40);
    let n42 = xor(p[12], n26, n41);
    let n43 = xor(n14, n41, n37);
    let n44 = xor(n10, n30, k[1]);
    let n45 = xor(n43, n4, n44);
    let n46 = xor(n26, n15, k[2]);
    let n47 = xor(p[4], n34, n45);
    let n48 = xor(n41, n45, k[3]);
    let k = keys(5);
    let n49 = xor(n27, n25, k[0]);
    let n50 = xor(n10, n34, n43);
    let n51 = xor(n0, n48, k[1]);
    let n52 = xor(n10, n46, k[2]);
    let n53 = xor(n24, n49, k[3]);
    let n54 = xor(n5, n47, n48);
    let n55 = xor(p[21], n54, n42);
    let k = keys(6);
    let n56 = xor(n5, n42, k[0]);
    let n57 = xor(n48, n56, k[1]);
    let n58 = xor(n7, n55, k[2]);
    let n59 = xor(n6, n55, k[3]);
    let k = keys(7);
    let n60 = xor(n6, n51, k[0]);
    let n61 = xor(n9, n58, k[1]);
    let n62 = xor(p[22], n60, n61);
    let n63 = xor(n8, n62, k[2]);
    let n64 = xor(n12, n63, k[3]);
    let n65 = n9 ^ n64;
    [
        n19, n53, n32, n50, n54, n59, n62, n52, n17, n25, n39, n37, n56, n51, n64, n35, n31, n23,
        n38, n43, n57, n58, n63, n15, n20, n49, n40, n44, n47, n60, n65, n46,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::times;
    use crate::planes::{slice, to_columns, unslice};
    use crate::schedule::image;

    /// FIPS 197, (5.8) and (5.15): each column by a circulant matrix, of which `first` is the first row.
    fn columns(cell: [u32; 4], first: [u8; 4]) -> [u32; 4] {
        cell.map(|column| {
            let bytes = column.to_le_bytes();
            let row =
                |r: usize| (0..4).fold(0, |sum, c| sum ^ times(first[(4 + c - r) % 4], bytes[c]));
            u32::from_le_bytes(core::array::from_fn(row))
        })
    }

    fn check(
        network: impl Fn(&Planes, &dyn Fn(usize) -> [u32; 4]) -> Planes,
        keys: &[u32; 32],
        first: [u8; 4],
    ) {
        // Every bit by itself, in the state and in the key.
        for bit in 0..128 {
            let at = |word: u32| if bit / 32 == word { 1 << (bit % 32) } else { 0 };
            let cell: [u32; 4] = core::array::from_fn(|c| at(u32::try_from(c).unwrap()));
            // Planes by columns, taken as rows, of the transposed state.
            let rows = to_columns(&slice(&[cell; 8]));
            let mixed = unslice(&to_columns(&network(&rows, &|_| [0; 4])));
            assert_eq!(mixed, [columns(cell, first); 8], "bit {bit} of the state");

            let key = cell.map(|column| image(keys, column));
            let plane = |i: usize| {
                let byte = |c: usize| {
                    if key[c] >> i & 1 == 1 {
                        0xff << (8 * c)
                    } else {
                        0
                    }
                };
                byte(0) | byte(1) | byte(2) | byte(3)
            };
            let four = |q: usize| core::array::from_fn(|i| plane(4 * q + i));
            let added = unslice(&to_columns(&network(&[0; 32], &four)));
            assert_eq!(added, [cell; 8], "bit {bit} of the key");
        }
    }

    #[test]
    fn mixes_by_the_definition() {
        check(|p, keys| mix(p, keys), &MIX_KEYS, [2, 3, 1, 1]);
    }

    #[test]
    fn unmixes_by_the_definition() {
        check(|p, keys| unmix(p, keys), &UNMIX_KEYS, [14, 11, 13, 9]);
    }
}
