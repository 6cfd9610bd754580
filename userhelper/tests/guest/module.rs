//! The module's side of a session in the guest's memory: its parts scattered, its ring, its state.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kgpu_core::abi::guest::{Event, PageRun, Setup};
use kgpu_core::abi::{Attach, Features, Layout, SessionState, word};
use kgpu_core::cell::Words;
use kgpu_core::peer::{self, Landed, MockKernel, Request, View};
use kgpu_userhelper::region::{Lane, Region};

use super::helper::PATIENCE;
use super::machine::{Machine, pages};
use super::shared::{self, TILE};

/// Pool bytes by a lane of the module's own.
#[derive(Debug)]
pub struct LanePool(RefCell<Lane>);

impl peer::Pool for LanePool {
    fn read(&self, at: u64, to: &mut [u8]) -> bool {
        let len = u32::try_from(to.len()).unwrap();
        let mut lane = self.0.borrow_mut();
        lane.read(at, len, |from| to.copy_from_slice(from)).is_ok()
    }

    fn write(&self, at: u64, from: &[u8]) -> bool {
        let len = u32::try_from(from.len()).unwrap();
        let mut lane = self.0.borrow_mut();
        lane.write(at, len, |to| to.copy_from_slice(from)).is_ok()
    }
}

/// A session as the module has it.
pub struct Module {
    pub layout: Layout,
    pub attach: Attach,
    pub parts: [Vec<PageRun>; 3],
    pub region: Arc<Region>,
    pub pool: LanePool,
}

/// The parts of a session of these sizes: control pages backwards, helper pages apart, a pool of ever longer runs
/// from both areas in turn.
pub fn scattered(layout: &Layout) -> [Vec<PageRun>; 3] {
    let count = |bytes: u64| bytes / 4096;
    let control = count(layout.control_bytes);
    let helper = count(layout.helper_bytes);
    let control = (0..control).rev().map(|page| pages(0, page, 1));
    let helper = (0..helper).map(|page| pages(1, 2 * page, 1));
    let mut next = [100, 100];
    let mut left = count(layout.sizes.pool_bytes);
    let mut pool = Vec::new();
    for turn in 0.. {
        let run = left.min(1 + turn % 7);
        // The first area is small.
        let area = usize::from(turn % 4 != 0);
        pool.push(pages(area, next[area], run));
        next[area] += run;
        left -= run;
        if left == 0 {
            break;
        }
    }
    [control.collect(), helper.collect(), pool]
}

impl Module {
    pub fn new(machine: &Machine, session: u32) -> Self {
        Self::with(machine, session, Features::all())
    }

    /// A module that has these features.
    pub fn with(machine: &Machine, session: u32, features: Features) -> Self {
        let layout = Layout::new(shared::sizes()).unwrap();
        let parts = scattered(&layout);
        let mut attach = machine.offer;
        attach.session = session;
        attach.features_in_force = features.bits();
        attach.control_bytes = layout.control_bytes;
        attach.helper_bytes = layout.helper_bytes;
        attach.pool_bytes = layout.sizes.pool_bytes;
        let pieces = parts.each_ref().map(|runs| machine.memory.pieces(runs));
        let [control, helper, pool] = &pieces;
        // Whatever was there before.
        for run in parts.iter().flatten() {
            let zeroes = vec![0; usize::try_from(run.bytes).unwrap()];
            machine.memory.write(run.address, &zeroes);
        }
        let region =
            Region::in_pieces([control, helper, pool], layout, session, features, 2).unwrap();
        let region = Arc::new(region);
        let pool = LanePool(RefCell::new(Lane::take(&region).unwrap()));
        Self {
            layout,
            attach,
            parts,
            region,
            pool,
        }
    }

    pub fn runs(&self) -> Vec<PageRun> {
        self.parts.concat()
    }

    pub fn view(&self) -> View<'_> {
        View {
            control: self.region.control(),
            helper: self.region.helper(),
            pool: &self.pool,
        }
    }

    /// The module's books, at the start of a session.
    pub fn kernel(&self) -> MockKernel {
        MockKernel::new(self.layout, self.attach.session, TILE)
    }

    /// Has the session served.
    #[track_caller]
    pub fn set_up(&self, machine: &mut Machine) {
        machine.send(&self.attach, &self.runs());
        assert_eq!(machine.answer(), Setup::Serving);
    }

    /// Rings as the module does: behind a submission only if the helper sleeps.
    pub fn submitted(&self, machine: &Machine) {
        Words::fence();
        if self.region.helper().load(word::ASLEEP) != 0 {
            machine.setup.ring();
        }
    }

    /// Changes the session's state, and rings as ever.
    pub fn set_state(&self, machine: &Machine, state: SessionState) {
        self.region.control().store(word::STATE, state.code());
        machine.setup.ring();
    }
}

/// Brings a device up and has its first session served.
#[track_caller]
pub fn served(machine: &mut Machine, session: u32) -> Module {
    machine.expect(Event::Attach);
    let module = Module::new(machine, session);
    module.set_up(machine);
    module
}

/// Waits until the session's helper is gone: its heart beats no more.
pub fn still(module: &Module) {
    let since = Instant::now();
    let beat = || module.region.helper().load(word::HEARTBEAT);
    let mut before = beat();
    loop {
        // Three beats long.
        std::thread::sleep(Duration::from_millis(300));
        let now = beat();
        if now == before {
            return;
        }
        before = now;
        assert!(since.elapsed() < PATIENCE);
    }
}

/// Waits for the next answer.
#[track_caller]
pub fn landed(kernel: &mut MockKernel, view: View<'_>) -> Landed {
    let since = Instant::now();
    loop {
        if let Some(landed) = kernel.reap(view).unwrap() {
            return landed;
        }
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_micros(20));
    }
}

/// One request, right.
#[track_caller]
pub fn works(machine: &Machine, module: &Module, kernel: &mut MockKernel) {
    let algorithm = shared::named("ctr(aes)");
    let src = shared::noise(3, 10_000);
    let request = Request {
        algorithm,
        shape: kgpu_core::request::Shape::single(algorithm.ops()[0], 10_000, [0; 16]),
        key: &shared::noise(4, 16),
        key_id: 99,
        src: &src,
    };
    assert!(kernel.hand_over(module.view(), &request).unwrap().is_some());
    module.submitted(machine);
    assert!(landed(kernel, module.view()).right);
}
