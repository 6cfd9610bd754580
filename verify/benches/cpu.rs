//! One core's rates on the CPU path: `cargo bench -p kgpu-verify --bench cpu [-- NAME…]`.
//!
//! Prints GB/s (10^9 bytes), median of 5 runs of 0.1 s, over 64 KiB in place: as one data unit, and
//! as units of 4096 and 512 bytes (services: apart). Peers run last, in the same process: RustCrypto's
//! `ctr` over the same cipher, and its bare blocks.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aes::{Aes128, Aes256};
use cipher::{BlockCipherEncrypt, InOutBuf, InnerIvInit, KeyInit, StreamCipherCore};
use kgpu_algos::all;
use kgpu_core::abi::{IvStep, Op};
use kgpu_core::algorithm::{Algorithm, Output};
use kgpu_core::cpu::{CpuKey, Data, Work};

const BYTES: usize = 64 << 10;
const RUNS: usize = 5;
const RUN: Duration = Duration::from_millis(100);

/// GB/s of something that works on `BYTES` bytes.
#[allow(clippy::cast_precision_loss)] // Rates are printed with three digits.
fn rate(mut f: impl FnMut()) -> f64 {
    let mut rates: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let mut turns = 0_u64;
            while start.elapsed() < RUN {
                (0..4).for_each(|_| f());
                turns += 4;
            }
            (turns * BYTES as u64) as f64 / start.elapsed().as_secs_f64() / 1e9
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[RUNS / 2]
}

/// The rate of an algorithm with data units of `unit` bytes.
fn measure(algorithm: &Algorithm, key: &dyn CpuKey, op: Op, unit: usize) -> f64 {
    let iv_step = if algorithm.steps(IvStep::Le64) {
        IvStep::Le64
    } else {
        IvStep::None
    };
    let work = Work {
        op,
        data_unit_size: u32::try_from(unit).unwrap_or(u32::MAX),
        iv_step,
        iv: [0; 16],
        first_block: 0,
    };
    let mut data = vec![0x5a; BYTES];
    if let Output::PerUnit(bytes) = algorithm.output {
        let mut dst = vec![0; BYTES / unit * usize::try_from(bytes).unwrap_or(0)];
        rate(|| {
            let (src, dst) = (black_box(&data[..]), &mut dst[..]);
            assert_eq!(key.run(&work, Data::Apart { src, dst }), Ok(()));
        })
    } else {
        rate(|| assert_eq!(key.run(&work, Data::InPlace(black_box(&mut data))), Ok(())))
    }
}

/// RustCrypto's own modes over a cipher.
fn peer<C: KeyInit + BlockCipherEncrypt + Clone>(name: &str, wanted: impl Fn(&str) -> bool)
where
    ctr::flavors::Ctr128BE: ctr::CtrFlavor<C::BlockSize>,
{
    let Ok(cipher) = C::new_from_slice(&vec![7; C::key_size()]) else {
        return;
    };
    let mut data = vec![0x5a; BYTES];
    if wanted(&format!("peer ctr({name})")) {
        let gbs = rate(|| {
            let iv = cipher::Iv::<ctr::CtrCore<C, ctr::flavors::Ctr128BE>>::default();
            let core =
                ctr::CtrCore::<C, ctr::flavors::Ctr128BE>::inner_iv_init(cipher.clone(), &iv);
            core.apply_keystream_partial(InOutBuf::from(black_box(&mut data[..])));
        });
        println!("{:<28}{gbs:>9.3}", format!("peer ctr({name})"));
    }
    if wanted(&format!("peer blocks({name})")) {
        let gbs = rate(|| {
            let (blocks, _) = InOutBuf::from(black_box(&mut data[..])).into_chunks();
            cipher.encrypt_blocks_inout(blocks);
        });
        println!("{:<28}{gbs:>9.3}", format!("peer blocks({name})"));
    }
}

fn main() {
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| name.contains(n.as_str()));
    println!(
        "{:<28}{:>9}{:>9}{:>9}  GB/s, one core",
        "", "64 KiB", "4 KiB", "512 B"
    );
    for algorithm in all().iter().filter(|a| wanted(a.name)) {
        let (min, max) = (algorithm.key_sizes.min, algorithm.key_sizes.max);
        let mut lens = vec![usize::from(min), usize::from(max)];
        lens.dedup();
        for len in lens {
            let key: Vec<u8> = (1..).take(len).collect();
            let Ok(key) = (algorithm.cpu)(&key) else {
                continue;
            };
            for &op in algorithm.ops() {
                let rates = [BYTES, 4096, 512].map(|unit| measure(algorithm, &*key, op, unit));
                let label = format!("{} {} {op}", algorithm.name, 8 * len);
                println!(
                    "{label:<28}{:>9.3}{:>9.3}{:>9.3}",
                    rates[0], rates[1], rates[2]
                );
            }
        }
    }
    peer::<Aes128>("aes-128", wanted);
    peer::<Aes256>("aes-256", wanted);
    peer::<serpent::Serpent>("serpent", wanted);
    peer::<twofish::Twofish>("twofish", wanted);
}
