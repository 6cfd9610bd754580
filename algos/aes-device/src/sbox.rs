//! The S-box of FIPS 197 (5.1.1, 5.3.2) and its inverse, as networks of three-input functions.
//!
//! # How they were found
//!
//! The starting point is any network for the S-box, S(x) = A(1/x) with A affine. Since
//! 1/x = g (1/(g x^(2^k)))^(2^(8-k)) for each g and k, one network for S gives 2040 for S and as many for its
//! inverse, by affine maps before and behind it. Each of these was shortened by local search. All nodes'
//! values for the 256 inputs are known; for a node of the network, find the inputs for which its value matters
//! to any output, and all triples of nodes not depending on it of which a function agrees with it there;
//! put one of those that make the most nodes useless in its place, any of them if none does. Now and then
//! one node is added (a function of two nodes and a new one), as long as the network is not longer than the
//! best by more than one. The operations are ordered so that few values are live at a time.
//!
//! `lop3`'s number is the function's truth table. The tests compare all 256 values with the definition.

use kgpu_kernels::gpu::lop3;

/// SubBytes on eight planes, that of bit 0 first: 65 operations.
#[inline(always)]
#[must_use]
pub fn substitute(x: [u32; 8]) -> [u32; 8] {
    let [n0, n1, n2, n3, n4, n5, n6, n7] = x;
    let n8 = lop3::<0x96>(n5, n0, n6);
    let n9 = lop3::<0x3c>(n7, n2, n2);
    let n10 = lop3::<0x96>(n9, n1, n4);
    let n11 = lop3::<0x96>(n3, n10, n6);
    let n12 = lop3::<0x84>(n3, n10, n2);
    let n13 = lop3::<0x3c>(n7, n8, n8);
    let n14 = lop3::<0x69>(n2, n1, n13);
    let n15 = lop3::<0x96>(n11, n2, n5);
    let n16 = lop3::<0xc3>(n14, n9, n9);
    let n17 = lop3::<0xc3>(n13, n16, n16);
    let n18 = lop3::<0xc3>(n10, n17, n17);
    let n19 = lop3::<0x96>(n5, n18, n7);
    let n20 = lop3::<0x39>(n8, n7, n16);
    let n21 = lop3::<0x3c>(n15, n8, n8);
    let n22 = lop3::<0x96>(n15, n0, n19);
    let n23 = lop3::<0x06>(n11, n0, n22);
    let n24 = lop3::<0x78>(n23, n18, n19);
    let n25 = lop3::<0x59>(n15, n9, n23);
    let n26 = lop3::<0x9a>(n21, n14, n24);
    let n27 = lop3::<0x96>(n12, n11, n26);
    let n28 = lop3::<0x35>(n17, n22, n8);
    let n29 = lop3::<0x96>(n28, n20, n24);
    let n30 = lop3::<0x9c>(n13, n28, n22);
    let n31 = lop3::<0x96>(n25, n9, n30);
    let n32 = lop3::<0x3c>(n14, n10, n10);
    let n33 = lop3::<0x4b>(n12, n0, n32);
    let n34 = lop3::<0x96>(n15, n33, n25);
    let n35 = lop3::<0xd9>(n31, n27, n34);
    let n36 = lop3::<0x19>(n34, n35, n31);
    let n37 = lop3::<0xe8>(n29, n36, n31);
    let n38 = lop3::<0x93>(n27, n35, n29);
    let n39 = lop3::<0xb6>(n38, n31, n29);
    let n40 = lop3::<0x65>(n38, n36, n27);
    let n41 = lop3::<0x69>(n35, n37, n39);
    let n42 = lop3::<0x89>(n37, n39, n35);
    let n43 = lop3::<0x28>(n0, n21, n41);
    let n44 = lop3::<0x6c>(n0, n43, n37);
    let n45 = lop3::<0x6a>(n42, n21, n43);
    let n46 = lop3::<0xe1>(n44, n40, n17);
    let n47 = lop3::<0x14>(n22, n8, n40);
    let n48 = lop3::<0x6a>(n8, n38, n47);
    let n49 = lop3::<0xc3>(n38, n40, n40);
    let n50 = lop3::<0x6a>(n22, n49, n47);
    let n51 = lop3::<0x3c>(n49, n37, n37);
    let n52 = lop3::<0x6c>(n13, n46, n49);
    let n53 = lop3::<0x82>(n32, n13, n51);
    let n54 = lop3::<0x3c>(n38, n42, n42);
    let n55 = lop3::<0x3c>(n51, n54, n54);
    let n56 = lop3::<0x6c>(n19, n48, n55);
    let n57 = lop3::<0x6c>(n51, n56, n11);
    let n58 = lop3::<0x93>(n54, n56, n15);
    let n59 = lop3::<0x78>(n53, n18, n55);
    let n60 = lop3::<0x9a>(n42, n14, n59);
    let n61 = lop3::<0x69>(n59, n50, n46);
    let n62 = lop3::<0x6c>(n38, n61, n16);
    let n63 = lop3::<0x39>(n32, n60, n37);
    let n64 = lop3::<0x6a>(n41, n10, n60);
    let n65 = lop3::<0x6c>(n9, n57, n54);
    let n66 = lop3::<0x96>(n63, n58, n52);
    let n67 = lop3::<0x96>(n58, n65, n52);
    let n68 = lop3::<0x96>(n64, n48, n45);
    let n69 = lop3::<0x69>(n68, n57, n53);
    let n70 = lop3::<0x69>(n48, n45, n69);
    let n71 = lop3::<0x96>(n44, n50, n68);
    let n72 = lop3::<0x69>(n44, n58, n62);
    [n62, n72, n66, n71, n68, n67, n69, n70]
}

/// InvSubBytes on eight planes: 66 operations.
#[inline(always)]
#[must_use]
pub fn unsubstitute(x: [u32; 8]) -> [u32; 8] {
    let [n0, n1, n2, n3, n4, n5, n6, n7] = x;
    let n8 = lop3::<0x96>(n7, n1, n0);
    let n9 = lop3::<0x69>(n8, n6, n2);
    let n10 = lop3::<0x69>(n9, n5, n7);
    let n11 = lop3::<0xc3>(n10, n1, n1);
    let n12 = lop3::<0xc3>(n4, n1, n1);
    let n13 = lop3::<0x69>(n6, n4, n11);
    let n14 = lop3::<0x3c>(n12, n6, n6);
    let n15 = lop3::<0x3c>(n3, n10, n10);
    let n16 = lop3::<0x69>(n14, n9, n11);
    let n17 = lop3::<0x42>(n3, n16, n15);
    let n18 = lop3::<0x3c>(n15, n7, n7);
    let n19 = lop3::<0x96>(n2, n18, n10);
    let n20 = lop3::<0xc3>(n0, n19, n19);
    let n21 = lop3::<0x14>(n20, n7, n11);
    let n22 = lop3::<0x9a>(n16, n14, n21);
    let n23 = lop3::<0x3c>(n13, n19, n19);
    let n24 = lop3::<0x78>(n22, n8, n12);
    let n25 = lop3::<0x96>(n17, n11, n24);
    let n26 = lop3::<0x65>(n23, n7, n22);
    let n27 = lop3::<0xa9>(n19, n15, n26);
    let n28 = lop3::<0x3c>(n12, n18, n18);
    let n29 = lop3::<0x9a>(n28, n9, n21);
    let n30 = lop3::<0x3c>(n8, n10, n10);
    let n31 = lop3::<0x6a>(n30, n20, n9);
    let n32 = lop3::<0x96>(n31, n17, n29);
    let n33 = lop3::<0xe1>(n29, n7, n19);
    let n34 = lop3::<0x95>(n13, n15, n33);
    let n35 = lop3::<0x07>(n32, n34, n25);
    let n36 = lop3::<0x2d>(n35, n27, n25);
    let n37 = lop3::<0x94>(n35, n34, n27);
    let n38 = lop3::<0xc3>(n37, n25, n25);
    let n39 = lop3::<0x28>(n28, n9, n38);
    let n40 = lop3::<0xd6>(n34, n32, n38);
    let n41 = lop3::<0x86>(n40, n27, n34);
    let n42 = lop3::<0x8e>(n40, n32, n25);
    let n43 = lop3::<0x48>(n36, n13, n42);
    let n44 = lop3::<0x3c>(n41, n42, n42);
    let n45 = lop3::<0x60>(n44, n30, n19);
    let n46 = lop3::<0x3c>(n36, n38, n38);
    let n47 = lop3::<0x3c>(n38, n44, n44);
    let n48 = lop3::<0xd2>(n45, n14, n47);
    let n49 = lop3::<0x6c>(n8, n48, n46);
    let n50 = lop3::<0x95>(n36, n23, n48);
    let n51 = lop3::<0x78>(n49, n30, n41);
    let n52 = lop3::<0x96>(n45, n39, n51);
    let n53 = lop3::<0x3c>(n46, n41, n41);
    let n54 = lop3::<0x6c>(n10, n49, n53);
    let n55 = lop3::<0x28>(n53, n47, n15);
    let n56 = lop3::<0x6a>(n18, n36, n55);
    let n57 = lop3::<0x48>(n15, n53, n16);
    let n58 = lop3::<0x78>(n56, n12, n46);
    let n59 = lop3::<0x6a>(n47, n16, n56);
    let n60 = lop3::<0x95>(n38, n28, n59);
    let n61 = lop3::<0x6c>(n44, n59, n11);
    let n62 = lop3::<0x96>(n61, n45, n54);
    let n63 = lop3::<0x6c>(n41, n57, n20);
    let n64 = lop3::<0x6c>(n7, n55, n42);
    let n65 = lop3::<0x96>(n58, n62, n57);
    let n66 = lop3::<0xc3>(n63, n64, n64);
    let n67 = lop3::<0x95>(n19, n42, n66);
    let n68 = lop3::<0x69>(n50, n67, n51);
    let n69 = lop3::<0x96>(n43, n50, n66);
    let n70 = lop3::<0x96>(n54, n52, n69);
    let n71 = lop3::<0x69>(n63, n60, n70);
    let n72 = lop3::<0x69>(n68, n62, n71);
    let n73 = lop3::<0x96>(n66, n72, n54);
    [n70, n73, n68, n52, n65, n69, n62, n71]
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::field::{inverse, times};

    /// The affine map of FIPS 197, (5.2).
    fn affine(x: u8) -> u8 {
        (1..5).fold(x, |sum, n| sum ^ x.rotate_left(n)) ^ 0x63
    }

    /// What a network makes of a byte, computed in lane `byte % 32` of words that hold 32 bytes.
    fn all(network: fn([u32; 8]) -> [u32; 8]) -> Vec<u8> {
        (0..8u8)
            .flat_map(|word| {
                let byte = |lane: u8| 32 * word + lane;
                let plane = |i: usize| (0..32).fold(0, |p, l| p | u32::from(byte(l) >> i & 1) << l);
                let out = network(core::array::from_fn(plane));
                (0..32).map(move |lane| {
                    (0..8).fold(0, |b, i| b | u8::from(out[i] >> lane & 1 == 1) << i)
                })
            })
            .collect()
    }

    #[test]
    fn substitutes_by_the_definition() {
        let expected: Vec<u8> = (0..=255).map(|x| affine(inverse(x))).collect();
        assert_eq!(all(substitute), expected);
        assert_eq!(expected[0x53], 0xed, "the example of FIPS 197, 5.1.1");
    }

    #[test]
    fn unsubstitutes_by_the_definition() {
        let expected: Vec<u8> = (0..=255)
            .map(|y| (0..=255).find(|x| affine(inverse(*x)) == y).unwrap())
            .collect();
        assert_eq!(all(unsubstitute), expected);
    }

    #[test]
    fn inverts() {
        assert!((1..=255).all(|x| times(x, inverse(x)) == 1) && inverse(0) == 0);
    }
}
