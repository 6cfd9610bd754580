//! A device that takes the time a GPU would and computes nothing: what the host does for it is real.
//!
//! Copies of pool bytes and kernels only occupy three engines (in, compute, out), one thing at a time each,
//! for as long as bytes and rates say; what a queue was given is done in order. Calls keep the caller busy
//! as a driver's do. Tiles and spans are really written and copied, and launches count their items.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kgpu_core::algorithm::Algorithm;
use kgpu_core::device::{Args, Card, Entry};
use kgpu_core::num::index;
use kgpu_userhelper::backend::gpu::{Address, Device, DeviceError, Opener, Pinned, Queue, Wait};
use kgpu_userhelper::region::Window;

/// What the model is of.
#[derive(Clone, Copy, Debug)]
pub struct Speeds {
    /// Bytes per nanosecond of copies, each way.
    pub copy: f64,
    /// Bytes per nanosecond of kernels that reach into the host's memory.
    pub direct: f64,
    /// Bytes per nanosecond of kernels in the device's memory.
    pub kernel: f64,
    /// Between the host's call and the start of what it asks for, and between an end and its being seen.
    pub latency: Duration,
    /// What a call that starts something costs the caller.
    pub call: Duration,
    /// What a question costs the caller.
    pub ask: Duration,
}

/// Opens model devices.
#[derive(Debug)]
pub struct ModelOpener(pub Speeds);

impl Opener for ModelOpener {
    fn name(&self) -> &'static str {
        "model"
    }
    fn code(&self) -> u16 {
        77
    }
    fn describe(&self) -> String {
        "a model of a device".into()
    }
    fn open(&self, _: &[&'static Algorithm]) -> Result<Box<dyn Device>, DeviceError> {
        Ok(Box::new(Model {
            speeds: self.0,
            memory: Vec::new(),
            pool: None,
            sources: Vec::new(),
            times: Arc::default(),
        }))
    }
    fn failed(&self) {}
}

/// When engines and queues will be free, and marks reached.
#[derive(Debug, Default)]
struct Times {
    engines: [Option<Instant>; 3],
    queues: Vec<Instant>,
    marks: Vec<Instant>,
}

#[derive(Clone, Copy)]
enum Engine {
    In,
    Compute,
    Out,
}

#[derive(Debug)]
struct Model {
    speeds: Speeds,
    memory: Vec<Box<[u128]>>,
    pool: Option<Window>,
    sources: Vec<Window>,
    times: Arc<Mutex<Times>>,
}

// SAFETY: the window's address is shared with nobody; memory is the device's own.
unsafe impl Send for Model {}

/// Keeps the caller busy.
fn busy(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn inside(window: &Window, at: usize) -> bool {
    let base = window.base().as_ptr().addr();
    (base..base + window.len()).contains(&at)
}

impl Model {
    fn own(&mut self, bytes: usize) -> NonNull<u8> {
        let mut memory: Box<[u128]> = vec![0; bytes.div_ceil(16).max(1)].into();
        let base = memory.as_mut_ptr().cast::<u8>();
        let _ = base.expose_provenance();
        self.memory.push(memory);
        NonNull::new(base).unwrap()
    }

    fn in_pool(&self, at: usize) -> bool {
        self.pool.iter().any(|pool| inside(pool, at))
    }

    /// Whether the host's memory is there, the pool or another.
    fn on_host(&self, at: usize) -> bool {
        self.in_pool(at) || self.sources.iter().any(|area| inside(area, at))
    }

    /// Puts something of a length into a queue, for an engine.
    fn occupy(&self, queue: Queue, engine: Engine, bytes: f64, rate: f64) {
        busy(self.speeds.call);
        let mut times = self.times.lock().unwrap();
        let earliest = times.queues[queue].max(Instant::now() + self.speeds.latency / 2);
        let free = times.engines[engine as usize].unwrap_or(earliest);
        let end = earliest.max(free) + Duration::from_secs_f64(bytes / rate / 1e9);
        times.engines[engine as usize] = Some(end);
        times.queues[queue] = end;
    }
}

#[allow(clippy::cast_precision_loss)]
fn float(bytes: usize) -> f64 {
    bytes as f64
}

impl Device for Model {
    fn enter(&self) -> Result<(), DeviceError> {
        Ok(())
    }
    fn card(&self) -> Card {
        Card {
            sms: 132,
            shared_per_block: 227 << 10,
            shared_per_sm: 228 << 10,
            threads_per_sm: 2048,
        }
    }
    fn blocks(&self, entry: &Entry) -> u32 {
        entry.blocks(&self.card())
    }
    fn free_memory(&self) -> Result<u64, DeviceError> {
        Ok(1 << 36)
    }
    fn queues(&mut self, count: usize) -> Result<(), DeviceError> {
        let mut times = self.times.lock().unwrap();
        times.queues = vec![Instant::now(); count];
        times.marks = times.queues.clone();
        Ok(())
    }
    fn register(&mut self, pool: Window) -> Result<Address, DeviceError> {
        let base = pool.base().as_ptr().expose_provenance();
        self.pool = Some(pool);
        Ok(u64::try_from(base).unwrap())
    }
    fn register_sources(&mut self, areas: Vec<Window>) -> Result<Vec<Address>, DeviceError> {
        let address =
            |area: &Window| u64::try_from(area.base().as_ptr().expose_provenance()).unwrap();
        let addresses = areas.iter().map(address).collect();
        self.sources = areas;
        Ok(addresses)
    }
    fn allocate(&mut self, bytes: usize) -> Result<Address, DeviceError> {
        Ok(u64::try_from(self.own(bytes).as_ptr().addr()).unwrap())
    }
    fn pinned(&mut self, bytes: usize) -> Result<Pinned, DeviceError> {
        let base = self.own(bytes);
        let address = u64::try_from(base.as_ptr().addr()).unwrap();
        Ok(Pinned::new(base, bytes, address))
    }

    unsafe fn copy_in(
        &self,
        queue: Queue,
        dst: Address,
        src: *const u8,
        bytes: usize,
    ) -> Result<(), DeviceError> {
        self.occupy(queue, Engine::In, float(bytes), self.speeds.copy);
        if !self.in_pool(src.addr()) {
            let dst = std::ptr::with_exposed_provenance_mut::<u8>(index(dst));
            // SAFETY: both are this device's memory (the caller's promise).
            unsafe { std::ptr::copy(src, dst, bytes) };
        }
        Ok(())
    }

    unsafe fn copy_out(
        &self,
        queue: Queue,
        dst: *mut u8,
        src: Address,
        bytes: usize,
    ) -> Result<(), DeviceError> {
        self.occupy(queue, Engine::Out, float(bytes), self.speeds.copy);
        if !self.in_pool(dst.addr()) {
            let src = std::ptr::with_exposed_provenance::<u8>(index(src));
            // SAFETY: as in `copy_in`.
            unsafe { std::ptr::copy(src, dst, bytes) };
        }
        Ok(())
    }

    unsafe fn clear(&self, queue: Queue, _: Address, bytes: usize) -> Result<(), DeviceError> {
        self.occupy(queue, Engine::Compute, float(bytes), self.speeds.kernel);
        Ok(())
    }

    unsafe fn launch(
        &self,
        queue: Queue,
        _: &Entry,
        _: u32,
        args: &Args,
    ) -> Result<(), DeviceError> {
        let count = index(u64::from(args.span_count));
        // SAFETY: the launch's spans, tiles and stats (the caller's promise).
        let (spans, first, stats) = unsafe {
            let spans = std::slice::from_raw_parts(args.spans, count);
            (spans, &*args.tiles, &mut *args.stats)
        };
        let tiles: u32 = spans
            .iter()
            .map(|s| s.first_tile + s.tiles)
            .max()
            .unwrap_or(0);
        // SAFETY: as above; spans count tiles.
        let tiles = unsafe { std::slice::from_raw_parts(args.tiles, index(u64::from(tiles))) };
        let bytes: usize = tiles.iter().map(|t| index(u64::from(t.len))).sum();
        stats.items = spans.iter().map(|s| s.items).sum();
        let rate = if self.on_host(index(first.src)) {
            self.speeds.direct
        } else {
            self.speeds.kernel
        };
        self.occupy(queue, Engine::Compute, float(bytes), rate);
        Ok(())
    }

    fn mark(&self, queue: Queue) -> Result<(), DeviceError> {
        busy(self.speeds.ask);
        let mut times = self.times.lock().unwrap();
        times.marks[queue] = times.queues[queue] + self.speeds.latency / 2;
        Ok(())
    }
    fn reached(&self, queue: Queue) -> Result<bool, DeviceError> {
        busy(self.speeds.ask);
        Ok(self.times.lock().unwrap().marks[queue] <= Instant::now())
    }
    fn follow(&self, queue: Queue, other: Queue) -> Result<(), DeviceError> {
        busy(self.speeds.ask * 2);
        let mut times = self.times.lock().unwrap();
        times.queues[queue] = times.queues[queue].max(times.queues[other]);
        Ok(())
    }
    fn finish(&self, queue: Queue) -> Result<(), DeviceError> {
        let end = self.times.lock().unwrap().queues[queue];
        busy(end.saturating_duration_since(Instant::now()));
        Ok(())
    }
    fn waiter(&self) -> Box<dyn Wait> {
        Box::new(Waiting(Arc::clone(&self.times)))
    }
}

struct Waiting(Arc<Mutex<Times>>);

impl Wait for Waiting {
    fn wait(&self, queue: Queue) {
        let end = self.0.lock().unwrap().marks[queue];
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
    }
}
