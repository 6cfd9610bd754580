//! The kernel where random batches seldom lead it: tiles of many windows of 256 counters, with carries into
//! every byte of the counter.
// Tests: a panic is a failure.
#![allow(clippy::unwrap_used)]

use kgpu_aes_ctr::ALGORITHMS;
use kgpu_core::abi::{IvStep, Op};
use kgpu_core::request::Shape;
use kgpu_verify::host_kernels::{Batch, Request, check};

/// Bytes: more windows than a block has warps, the last of them cut short.
const LEN: u32 = 13 * 4096 + 1000;

/// A batch under a key of `key_len` bytes: a request for each IV, one block of threads.
fn batch(key_len: u8, ivs: &[[u8; 16]], place: usize) -> Batch {
    let requests = ivs.iter().map(|iv| {
        let shape = Shape {
            op: Op::Encrypt,
            len: LEN,
            data_unit_size: LEN,
            iv: *iv,
            iv_step: IvStep::None,
        };
        let input = (0..LEN)
            .map(|i| u8::try_from(i * 7 % 251).unwrap())
            .collect();
        Request {
            misplaced: [place, 0],
            ..Request::new(0, shape, input)
        }
    });
    Batch {
        keys: vec![(0..key_len).map(|i| i ^ key_len.rotate_left(3)).collect()],
        requests: requests.collect(),
        tile_bytes: 1 << 20,
        ..Batch::new(&ALGORITHMS[0], Op::Encrypt)
    }
}

/// An IV whose last `ones` bytes are full but for `left` in the very last.
fn nearly_full(ones: usize, left: u8) -> [u8; 16] {
    let mut iv: [u8; 16] = core::array::from_fn(|i| u8::try_from(i * 13 + 5).unwrap());
    iv[16 - ones..].fill(0xff);
    iv[15] -= left;
    iv
}

#[test]
fn windows_of_one_tile() {
    let ivs = [
        [0; 16],
        nearly_full(1, 255),
        nearly_full(1, 1),
        nearly_full(2, 17),
    ];
    for key_len in [16, 24, 32] {
        check(&batch(key_len, &ivs, 0)).unwrap();
    }
}

/// Five full bytes: byte 10 changes inside the tile, and with it what windows have in common.
#[test]
fn carries_into_every_byte() {
    for ones in 2..=16 {
        check(&batch(16, &[nearly_full(ones, 200)], 0)).unwrap();
    }
}

/// What a warp keeps of one request serves the next if the three bytes are the same, and only then.
#[test]
fn windows_of_several_requests() {
    let like = |at: usize, byte: u8| {
        let mut iv = [9; 16];
        iv[at] = byte;
        iv[15] = 0;
        iv
    };
    let ivs = [
        like(3, 1),
        like(4, 2),
        like(0, 3),
        like(5, 4),
        like(10, 5),
        like(12, 6),
    ];
    check(&batch(32, &ivs, 0)).unwrap();
    check(&batch(24, &ivs, 5)).unwrap();
}
