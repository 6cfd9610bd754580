//! What the ring tests share: a helper on a small region, and requests with their answers.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kgpu_core::abi::{Completion, IvStep, Layout, RingSizes, Status};
use kgpu_core::algorithm::Algorithm;
use kgpu_core::cpu::{Data, Work};
use kgpu_core::request::Shape;
use kgpu_userhelper::catalogue::Catalogue;
use kgpu_userhelper::ending::Ended;
use kgpu_userhelper::engine::{LOOK, Tuning};
use kgpu_userhelper::loopback::{Key, Loopback, Order};
use kgpu_userhelper::region::{Piece, Region, SourceArea};
use kgpu_userhelper::rig::Rig;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

/// Tile size of the tests: small, so that requests have many.
pub const TILE: u32 = 4096;
/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn sizes() -> RingSizes {
    RingSizes {
        entries: 16,
        tiles: 512,
        keys: 4,
        pool_bytes: 4 << 20,
    }
}

pub fn tuning(workers: usize) -> Tuning {
    Tuning {
        workers,
        poll: Duration::from_micros(50),
        look: LOOK,
    }
}

pub fn rig(workers: usize) -> Rig {
    rig_of(workers, Catalogue::registry())
}

pub fn rig_of(workers: usize, catalogue: Catalogue) -> Rig {
    Rig::start(
        Layout::new(sizes()).unwrap(),
        catalogue,
        tuning(workers),
        TILE,
    )
    .unwrap()
}

/// A guest's memory: three areas of a file, of which two follow on each other by address.
pub struct Guest(Arc<File>);

/// Address, bytes and place in the file.
pub const AREAS: [(u64, u64, u64); 3] = [
    (0x10_0000, 1 << 20, 1 << 20),
    (0x20_0000, 1 << 20, 0),
    (0x1_0000_0000, 2 << 20, 2 << 20),
];

impl Guest {
    pub fn new() -> Self {
        let file = File::from(memfd_create("kgpu-sources", MemfdFlags::CLOEXEC).unwrap());
        ftruncate(&file, 4 << 20).unwrap();
        Self(Arc::new(file))
    }

    pub fn areas(&self) -> Vec<SourceArea> {
        let area = |&(address, bytes, offset): &(u64, u64, u64)| {
            let file = Arc::clone(&self.0);
            let piece = Piece {
                file,
                offset,
                bytes,
            };
            SourceArea { address, piece }
        };
        AREAS.iter().map(area).collect()
    }

    fn at(address: u64) -> u64 {
        let inside =
            |(start, bytes, _): &&(u64, u64, u64)| (*start..start + bytes).contains(&address);
        let (start, _, offset) = AREAS.iter().find(inside).unwrap();
        address - start + offset
    }

    /// Writes bytes, which must be inside one area.
    pub fn write(&self, address: u64, bytes: &[u8]) {
        self.0.write_all_at(bytes, Self::at(address)).unwrap();
    }

    pub fn holds(&self, address: u64, bytes: &[u8]) -> bool {
        let mut found = vec![0; bytes.len()];
        self.0.read_exact_at(&mut found, Self::at(address)).unwrap();
        found == bytes
    }

    /// A region whose sources may lie here.
    pub fn region(&self, sizes: RingSizes, workers: usize) -> Region {
        let layout = Layout::new(sizes).unwrap();
        Region::in_process_of_guest(layout, 1, workers + 1, &self.areas(), TILE as usize).unwrap()
    }
}

/// Bytes that look random and are the same each time.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// The answer of one call of the CPU path over the whole request.
pub fn direct(algorithm: &Algorithm, key: &[u8], shape: &Shape, input: &[u8]) -> Vec<u8> {
    let key = (algorithm.cpu)(key).unwrap();
    let mut out = vec![0; shape.output_len(algorithm).unwrap() as usize];
    let work = Work {
        op: shape.op,
        data_unit_size: shape.data_unit_size,
        iv_step: shape.iv_step,
        iv: shape.iv,
        first_block: 0,
    };
    let data = Data::Apart {
        src: input,
        dst: &mut out,
    };
    key.run(&work, data).unwrap();
    out
}

/// Shapes of an algorithm: one unit, sectors under each IV step, more than a tile, odd ends.
pub fn shapes(algorithm: &Algorithm) -> Vec<Shape> {
    let mut iv = [0; 16];
    iv[..algorithm.iv_size()].copy_from_slice(&noise(9, algorithm.iv_size()));
    let mut shapes = Vec::new();
    for &op in algorithm.ops() {
        for iv_step in IvStep::ALL.iter().copied().filter(|s| algorithm.steps(*s)) {
            let once: &[_] = &[
                (16, 16),
                (4096, 4096),
                (20 << 10, 4096),
                (20 << 10, 20 << 10),
                (3 * 4800, 4800),
                (10_001, 10_001),
                (5000, 512),
                (1536, 512),
            ];
            // The step alone matters beyond the first pass.
            let pairs = if matches!(iv_step, IvStep::None) {
                once
            } else {
                &once[7..]
            };
            for &(len, data_unit_size) in pairs {
                let shape = Shape {
                    op,
                    len,
                    data_unit_size,
                    iv,
                    iv_step,
                };
                if shape.check(algorithm).is_ok() {
                    shapes.push(shape);
                }
            }
        }
    }
    assert!(shapes.len() >= 5, "{}", algorithm.name);
    shapes
}

/// The shortest and the longest key, as bytes.
pub fn keys(algorithm: &Algorithm) -> Vec<Vec<u8>> {
    let mut lens: Vec<usize> = algorithm.key_sizes.iter().collect();
    lens.dedup();
    match lens.as_slice() {
        [first, .., last] => vec![noise(1, *first), noise(2, *last)],
        _ => vec![Vec::new()],
    }
}

/// Waits for `count` completions and gives their users and statuses.
pub fn reap(module: &mut Loopback, count: usize) -> Vec<(u64, Status)> {
    let done = reap_by(module, count);
    done.into_iter()
        .map(|(user, status, _)| (user, status))
        .collect()
}

/// Waits for `count` completions and gives their users, statuses and backends.
pub fn reap_by(module: &mut Loopback, count: usize) -> Vec<(u64, Status, u16)> {
    let since = Instant::now();
    let mut done = Vec::new();
    while done.len() < count {
        module
            .reap(|d| done.push((d.user, d.status, d.backend)))
            .unwrap();
        assert!(since.elapsed() < PATIENCE, "{} of {count}", done.len());
        if done.len() < count {
            module.wait(Duration::from_millis(20)).unwrap();
        }
    }
    done
}

/// Waits for one completion as it is.
pub fn completion(module: &mut Loopback) -> Completion {
    let since = Instant::now();
    loop {
        if let Some(completion) = module.pop().unwrap() {
            module.release();
            return completion;
        }
        assert!(since.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

/// An encryption (or computation) of `len` bytes in place under a zero IV.
pub fn simple(algorithm: &'static Algorithm, len: u32, at: u64, user: u64) -> Order {
    Order {
        algorithm,
        shape: Shape::single(algorithm.ops()[0], len, [0; 16]),
        src: at,
        dst: at,
        user,
    }
}

pub fn named(name: &str) -> &'static Algorithm {
    kgpu_algos::by_name(name).expect(name)
}

/// A key of an algorithm's shortest length from 128 bits.
pub fn key(algorithm: &Algorithm, id: u64) -> Key {
    let len = algorithm.key_sizes.iter().find(|len| *len >= 16).unwrap();
    Key::new(id, &noise(id, len))
}

/// Every algorithm, operation, key length and shape, in place and not, many requests of different
/// keys at once: the bytes of one direct call, computed by the backend of that number.
pub fn all_algorithms(mut rig: Rig, algorithms: &[&'static Algorithm], backend: u16) {
    let mut id = 0;
    for algorithm in algorithms.iter().copied() {
        for bytes in keys(algorithm) {
            id += 1;
            let mut key = algorithm.has_key().then(|| Key::new(id, &bytes));
            for shapes in shapes(algorithm).chunks(12) {
                let mut expected = Vec::new();
                for (user, shape) in (0..).zip(shapes) {
                    let input = noise(user + 77, shape.len as usize);
                    // 64 KiB a buffer, sources in the lower half of the pool.
                    let src = user << 16;
                    let apart = user % 2 == 1 || shape.output_len(algorithm) != Ok(shape.len);
                    let dst = if apart { src + (2 << 20) } else { src };
                    let answer = direct(algorithm, &bytes, shape, &input);
                    let lane = rig.module.lane();
                    lane.write(src, shape.len, |to| to.copy_from_slice(&input))
                        .unwrap();
                    let order = Order {
                        algorithm,
                        shape: *shape,
                        src,
                        dst,
                        user,
                    };
                    assert!(rig.module.submit(&order, key.as_mut()).unwrap());
                    expected.push((dst, answer, apart.then_some((src, input)), shape));
                }
                rig.module.publish();
                for (user, status, by) in reap_by(&mut rig.module, expected.len()) {
                    let ended = (status, by);
                    assert_eq!(ended, (Status::Ok, backend), "{} {user}", algorithm.name);
                }
                for (dst, answer, source, shape) in expected {
                    let mut same = |at, bytes: &[u8]| {
                        let len = u32::try_from(bytes.len()).unwrap();
                        rig.module.lane().read(at, len, |got| got == bytes).unwrap()
                    };
                    assert!(same(dst, &answer), "{} {shape:?}", algorithm.name);
                    if let Some((src, input)) = source {
                        assert!(same(src, &input), "source of {}", algorithm.name);
                    }
                }
            }
        }
    }
    rig.stop.drain();
    let (ended, tally, module) = rig.join().unwrap();
    assert_eq!((ended, tally.faults), (Ended::Stopped, 0));
    assert_eq!(module.in_flight(), 0);
}
