//! The peers against kgpu's own CPU path: every algorithm and key length that they offer, both
//! directions, requests of one unit and of many. Where the two differ, one of them is wrong.
// Tests: a panic is a failure.
#![allow(clippy::unwrap_used)]

use kgpu_algos::all;
use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::{Algorithm, Mode};
use kgpu_core::cpu::{Data, Work};
use kgpu_core::request::Shape;
use kgpu_peers::{Peer, PeerError, gcrypt, openssl, request};

/// Bytes that look random: a 64-bit Weyl sequence through a finaliser.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    };
    let mut out: Vec<u8> = std::iter::repeat_with(&mut next)
        .take(len.div_ceil(8))
        .flatten()
        .collect();
    out.truncate(len);
    out
}

/// Data unit sizes in blocks, numbers of units, and bytes missing at the end where that may be.
const SIZES: &[(u32, u32, u32)] = &[
    (1, 1, 0),
    (1, 7, 0),
    (3, 5, 5),
    (17, 3, 1),
    (32, 9, 0),
    (250, 2, 3),
    (4096, 1, 7),
];

fn shapes(algorithm: &Algorithm, op: Op) -> Vec<Shape> {
    let block = u32::from(algorithm.block_size);
    let mut shapes = Vec::new();
    for (at, &(blocks, units, missing)) in SIZES.iter().enumerate() {
        for &iv_step in IvStep::ALL.iter().filter(|step| algorithm.steps(**step)) {
            let mut iv = [0; 16];
            let size = algorithm.iv_size();
            iv[..size].copy_from_slice(&bytes(at as u64, size));
            if at % 2 == 0 {
                // About to carry, at either end.
                iv[..size / 2].fill(0xff);
                iv[size - size / 2..size].fill(0xff);
            }
            let data_unit_size = blocks * block;
            let missing = if algorithm.partial_last_unit() {
                missing
            } else {
                0
            };
            shapes.push(Shape {
                op,
                len: data_unit_size * units - missing,
                data_unit_size,
                iv,
                iv_step,
            });
        }
    }
    shapes
}

/// Compares a peer with the CPU path, and returns what it was compared on: algorithm and key length.
fn compare(peer: &dyn Peer) -> Vec<(&'static str, usize)> {
    let mut compared = Vec::new();
    for algorithm in all() {
        for len in algorithm.key_sizes.iter() {
            if !peer.offers(algorithm, len) {
                let refused = peer.open(algorithm, &bytes(1, len), algorithm.ops()[0]);
                assert!(matches!(refused, Err(PeerError::NotOffered { .. })));
                continue;
            }
            compared.push((algorithm.name, len));
            let key = bytes(len as u64, len);
            let ours = (algorithm.cpu)(&key).unwrap();
            for &op in algorithm.ops() {
                let mut theirs = peer.open(algorithm, &key, op).unwrap();
                for shape in shapes(algorithm, op) {
                    // One odd key length is like another: the long requests are for a few.
                    if shape.len > 4096 && len % 8 != 0 {
                        continue;
                    }
                    let input = bytes(u64::from(shape.len), shape.len as usize);
                    let (mut expected, mut got) = (input.clone(), input);
                    let work = Work {
                        op,
                        data_unit_size: shape.data_unit_size,
                        iv_step: shape.iv_step,
                        iv: shape.iv,
                        first_block: 0,
                    };
                    ours.run(&work, Data::InPlace(&mut expected)).unwrap();
                    request(&mut *theirs, algorithm, &shape, &mut got).unwrap();
                    let name = algorithm.name;
                    assert!(
                        got == expected,
                        "{peer:?}: {name}, {len} key bytes, {shape:?}"
                    );
                }
            }
        }
    }
    compared
}

/// The ciphers and key lengths that must have been compared, in every mode that the peer has.
fn has(compared: &[(&str, usize)], mode: &str, cipher: &str, lens: &[usize]) {
    let name = format!("{mode}({cipher})");
    let found: Vec<usize> = compared
        .iter()
        .filter(|(n, _)| *n == name)
        .map(|(_, len)| *len)
        .collect();
    assert_eq!(found, lens, "{name}");
}

#[test]
fn libgcrypt_computes_what_we_do() {
    let peer = gcrypt().unwrap();
    assert_eq!(peer.name(), "libgcrypt");
    assert!(peer.version().starts_with("1."), "{}", peer.version());
    let compared = compare(peer);
    for mode in ["ecb", "cbc", "ctr"] {
        has(&compared, mode, "aes", &[16, 24, 32]);
        has(&compared, mode, "twofish", &[16, 32]);
        has(&compared, mode, "serpent", &[16, 24, 32]);
        has(&compared, mode, "blowfish", &(4..=56).collect::<Vec<_>>());
    }
    has(&compared, "xts", "aes", &[32, 48, 64]);
    has(&compared, "xts", "twofish", &[32, 64]);
    has(&compared, "xts", "serpent", &[32, 48, 64]);
}

#[test]
fn openssl_computes_what_we_do() {
    let peer = openssl().unwrap();
    assert_eq!((peer.name(), peer.lacks()), ("OpenSSL", None));
    assert!(peer.version().starts_with("3."), "{}", peer.version());
    let compared = compare(peer);
    for mode in ["ecb", "cbc", "ctr"] {
        has(&compared, mode, "aes", &[16, 24, 32]);
        has(&compared, mode, "twofish", &[]);
    }
    for mode in ["ecb", "cbc"] {
        has(&compared, mode, "blowfish", &(4..=56).collect::<Vec<_>>());
    }
    has(&compared, "ctr", "blowfish", &[]);
    has(&compared, "xts", "aes", &[32, 64]);
}

#[test]
fn services_are_not_offered() {
    let digests = || all().iter().filter(|a| a.mode == Mode::Digest);
    assert!(digests().count() > 0);
    for peer in [gcrypt().unwrap(), openssl().unwrap()] {
        assert!(digests().all(|algorithm| !peer.offers_some(algorithm)));
    }
}

#[test]
fn wrong_lengths_are_refused_before_the_library_sees_them() {
    for peer in [gcrypt().unwrap(), openssl().unwrap()] {
        let cbc = kgpu_algos::by_name("cbc(aes)").unwrap();
        let mut key = peer.open(cbc, &[1; 16], Op::Encrypt).unwrap();
        let short_iv = key.unit(&[0; 15], &mut [0; 16]);
        assert!(matches!(short_iv, Err(PeerError::Length { .. })));
        assert!(key.unit(&[0; 16], &mut [0; 15]).is_err());
        assert!(key.unit(&[0; 16], &mut [0; 32]).is_ok());
    }
}

/// SP 800-38E allows equal halves, FIPS 140 modules refuse them: the caller must be able to tell that
/// from a wrong answer.
#[test]
fn openssl_refuses_equal_halves() {
    let xts = kgpu_algos::by_name("xts(aes)").unwrap();
    let refused = openssl().unwrap().open(xts, &[7; 64], Op::Encrypt);
    assert!(
        matches!(refused, Err(PeerError::Refused { .. })),
        "{refused:?}"
    );
}

/// Two words of one of its S-boxes are the same under this key, which was found by trying numbers.
/// libgcrypt calls that weak; the kernel and we do not, so it is told to compute all the same.
#[test]
fn weak_keys_are_keys() {
    let ecb = kgpu_algos::by_name("ecb(blowfish)").unwrap();
    let key = [0xff, 0xb1, 0, 0, 0, 0, 0, 0];
    let work = Work {
        op: Op::Encrypt,
        data_unit_size: 8,
        iv_step: IvStep::None,
        iv: [0; 16],
        first_block: 0,
    };
    let (mut expected, mut got) = ([0; 8], [0; 8]);
    let ours = (ecb.cpu)(&key).unwrap();
    ours.run(&work, Data::InPlace(&mut expected)).unwrap();
    let mut theirs = gcrypt().unwrap().open(ecb, &key, Op::Encrypt).unwrap();
    theirs.unit(&[], &mut got).unwrap();
    assert_eq!(got, expected);
}

#[test]
fn keys_are_not_printed() {
    for peer in [gcrypt().unwrap(), openssl().unwrap()] {
        let ecb = kgpu_algos::by_name("ecb(aes)").unwrap();
        let key = peer.open(ecb, &[0xab; 16], Op::Encrypt).unwrap();
        let text = format!("{key:?} {peer:?}");
        assert!(!text.contains("ab, ") && !text.contains("171"), "{text}");
    }
}
