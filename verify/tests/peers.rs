//! The CPU paths against RustCrypto's own mode crates: written by others, block modes and all. This
//! file may name ciphers; what it does not name, `properties.rs` still covers.
// Tests: a panic is a failure.
#![allow(clippy::unwrap_used)]

use aes::{Aes128, Aes192, Aes256};
use blowfish::Blowfish;
use cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser,
    InOutBuf, InnerIvInit, KeyInit, StreamCipherCore, common::InnerInit, consts::U16,
};
use kgpu_algos::{all, by_name};
use kgpu_core::abi::Op;
use kgpu_core::algorithm::{IV_BYTES_MAX, Mode};
use kgpu_core::{iv, num};
use kgpu_verify::cases::{Case, cases};
use kgpu_verify::pool::{Layout, Plan, run};
use proptest::prelude::*;
use serpent::Serpent;
use twofish::Twofish;

/// A block cipher.
trait Peer: KeyInit + BlockCipherEncrypt + BlockCipherDecrypt {}
impl<C: KeyInit + BlockCipherEncrypt + BlockCipherDecrypt> Peer for C {}

/// A peer under a key. Serpent's takes none below 16 bytes: by the cipher's own rule such a key is as
/// good as itself, a one and zeroes up to 32 bytes.
fn keyed<C: Peer>(key: &[u8]) -> C {
    C::new_from_slice(key).unwrap_or_else(|_| {
        let mut padded = [0; 32];
        padded[..key.len()].copy_from_slice(key);
        padded[key.len()] = 1;
        C::new_from_slice(&padded).unwrap()
    })
}

/// Blocks through a block mode.
fn blocks<M: BlockSizeUser>(data: &mut [u8], f: impl FnOnce(InOutBuf<'_, '_, cipher::Block<M>>)) {
    let (blocks, rest) = InOutBuf::from(data).into_chunks();
    assert!(rest.is_empty());
    f(blocks);
}

fn ecb<C: Peer>(key: &[u8], op: Op, data: &mut [u8]) {
    let cipher = keyed::<C>(key);
    if op == Op::Encrypt {
        let mut mode = ecb::Encryptor::inner_init(cipher);
        blocks::<C>(data, |blocks| mode.encrypt_blocks_inout(blocks));
    } else {
        let mut mode = ecb::Decryptor::inner_init(cipher);
        blocks::<C>(data, |blocks| mode.decrypt_blocks_inout(blocks));
    }
}

fn cbc<C: Peer>(key: &[u8], op: Op, iv: &[u8], data: &mut [u8]) {
    let cipher = keyed::<C>(key);
    let iv = iv.try_into().unwrap();
    if op == Op::Encrypt {
        let mut mode = cbc::Encryptor::inner_iv_init(cipher, iv);
        blocks::<C>(data, |blocks| mode.encrypt_blocks_inout(blocks));
    } else {
        let mut mode = cbc::Decryptor::inner_iv_init(cipher, iv);
        blocks::<C>(data, |blocks| mode.decrypt_blocks_inout(blocks));
    }
}

fn ctr<C: Peer, F: ctr::CtrFlavor<C::BlockSize>>(key: &[u8], iv: &[u8], data: &mut [u8]) {
    let cipher = keyed::<C>(key);
    let core = ctr::CtrCore::<C, F>::inner_iv_init(cipher, iv.try_into().unwrap());
    core.apply_keystream_partial(data.into());
}

fn xts<C: Peer + BlockSizeUser<BlockSize = U16>>(key: &[u8], op: Op, iv: &[u8], data: &mut [u8]) {
    let (data_key, tweak_key) = key.split_at(key.len() / 2);
    let mode = xts_mode::Xts128::new(keyed::<C>(data_key), keyed::<C>(tweak_key));
    let tweak = iv.try_into().unwrap();
    if op == Op::Encrypt {
        mode.encrypt_sector(data, tweak);
    } else {
        mode.decrypt_sector(data, tweak);
    }
}

/// One data unit of a case by the peer.
fn unit(case: &Case, iv: &[u8], data: &mut [u8]) {
    let (key, op) = (&case.key[..], case.shape.op);
    let cipher = case.algorithm.name.split_once('(').unwrap().1;
    match (case.algorithm.mode, cipher, key.len()) {
        (Mode::Ecb, "aes)", 16) => ecb::<Aes128>(key, op, data),
        (Mode::Ecb, "aes)", 24) => ecb::<Aes192>(key, op, data),
        (Mode::Ecb, "aes)", 32) => ecb::<Aes256>(key, op, data),
        (Mode::Ecb, "serpent)", _) => ecb::<Serpent>(key, op, data),
        (Mode::Ecb, "twofish)", _) => ecb::<Twofish>(key, op, data),
        (Mode::Ecb, "blowfish)", _) => ecb::<Blowfish>(key, op, data),
        (Mode::Cbc, "aes)", 16) => cbc::<Aes128>(key, op, iv, data),
        (Mode::Cbc, "aes)", 24) => cbc::<Aes192>(key, op, iv, data),
        (Mode::Cbc, "aes)", 32) => cbc::<Aes256>(key, op, iv, data),
        (Mode::Cbc, "serpent)", _) => cbc::<Serpent>(key, op, iv, data),
        (Mode::Cbc, "twofish)", _) => cbc::<Twofish>(key, op, iv, data),
        (Mode::Cbc, "blowfish)", _) => cbc::<Blowfish>(key, op, iv, data),
        (Mode::Ctr, "aes)", 16) => ctr::<Aes128, ctr::flavors::Ctr128BE>(key, iv, data),
        (Mode::Ctr, "aes)", 24) => ctr::<Aes192, ctr::flavors::Ctr128BE>(key, iv, data),
        (Mode::Ctr, "aes)", 32) => ctr::<Aes256, ctr::flavors::Ctr128BE>(key, iv, data),
        (Mode::Ctr, "serpent)", _) => ctr::<Serpent, ctr::flavors::Ctr128BE>(key, iv, data),
        (Mode::Ctr, "twofish)", _) => ctr::<Twofish, ctr::flavors::Ctr128BE>(key, iv, data),
        (Mode::Ctr, "blowfish)", _) => ctr::<Blowfish, ctr::flavors::Ctr64BE>(key, iv, data),
        (Mode::Xts, "aes)", 32) => xts::<Aes128>(key, op, iv, data),
        (Mode::Xts, "aes)", 48) => xts::<Aes192>(key, op, iv, data),
        (Mode::Xts, "aes)", 64) => xts::<Aes256>(key, op, iv, data),
        (Mode::Xts, "serpent)", _) => xts::<Serpent>(key, op, iv, data),
        (Mode::Xts, "twofish)", _) => xts::<Twofish>(key, op, iv, data),
        (mode, cipher, len) => panic!("no peer for {mode:?} of {cipher} with {len} key bytes"),
    }
}

/// The algorithms that have a peer.
fn known() -> Vec<&'static kgpu_core::algorithm::Algorithm> {
    let ciphers = ["(aes)", "(blowfish)", "(serpent)", "(twofish)"];
    let named = |name: &str| ciphers.iter().any(|cipher| name.ends_with(cipher));
    all().iter().copied().filter(|a| named(a.name)).collect()
}

#[test]
fn peers_are_there() {
    assert_eq!(known().len(), 15);
    assert!(by_name("xts(twofish)").is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn ciphers_do_as_their_peers(case in cases(&known()), in_place: bool) {
        let Case { algorithm, key, shape, input } = &case;
        let mut expected = input.clone();
        let size = num::index(u64::from(shape.data_unit_size));
        for (number, data) in (0..).zip(expected.chunks_mut(size)) {
            let iv: [u8; IV_BYTES_MAX] =
                iv::step(&shape.iv, algorithm.iv_size(), shape.iv_step, number);
            unit(&case, &iv[..algorithm.iv_size()], data);
        }
        let layout = if in_place { Layout::InPlace } else { Layout::Apart };
        let got = run(algorithm, key, shape, input, Plan::whole(layout)).unwrap();
        prop_assert_eq!(got, expected, "{}", algorithm.name);
    }
}
