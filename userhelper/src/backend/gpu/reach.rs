//! How a batch's kernels reach its data: copies in device memory, or the host's memory itself, the pool's and a guest's.

use kgpu_core::abi::Op;
use kgpu_core::abi::guest::{PageRun, holds};
use kgpu_core::device::Card;

use super::device::Address;
use super::runs::Runs;
use super::tuning::{GpuTuning, Path};
use crate::job::Job;
use crate::region::{Source, Window};

/// Bytes of a run from which copies pay: they run at 49 GB/s both ways where kernels reach the host's memory
/// at 41, but each costs the host some 2 us.
const COPY_RUN: u64 = 32 << 10;
/// Bytes of a batch from which copies pay: from one engine to the next (copy in, kernel, copy out) a queue goes
/// through some 20 us, in which the link moves 1 MiB.
const COPY_BATCH: u64 = 1 << 20;

/// What all batches of a device work with.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) pool: Window,
    /// The pool as kernels see it.
    pub(super) direct: Address,
    /// A guest's areas of sources as it names them and as kernels see them.
    pub(super) sources: Vec<(PageRun, Address)>,
    /// Device memory as large as the pool, for sources and for destinations.
    pub(super) mirrors: Option<(Address, Address)>,
    pub(super) card: Card,
    pub(super) tuning: GpuTuning,
}

impl Ground {
    /// Where kernels see bytes at an address of the guest.
    pub(super) fn of_guest(&self, address: u64, bytes: u32) -> Option<Address> {
        let inside = |(area, _): &&(PageRun, Address)| {
            holds(std::slice::from_ref(area), address, u64::from(bytes))
        };
        let (area, at) = self.sources.iter().find(inside)?;
        Some(at + (address - area.address))
    }
}

/// How a batch's kernels reach its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Mirrors(Address, Address),
    Direct(Address),
}

/// How kernels will reach the data of jobs, whose byte ranges in the pool are `ins` and `outs`; `None` where there is no way.
pub(super) fn choose(ground: &Ground, jobs: &[Job], ins: &Runs, outs: &Runs) -> Option<Reach> {
    let direct = Reach::Direct(ground.direct);
    let copies = ground
        .mirrors
        .map(|(sources, results)| Reach::Mirrors(sources, results));
    let apart = |job: &Job| !copied(job);
    if jobs.iter().any(of_guest) {
        return Some(direct);
    }
    // Only whole batches are one or the other: a second set of launches costs more than it brings.
    if !jobs.iter().all(apart) {
        return copies;
    }
    match ground.tuning.path {
        Path::Direct => Some(direct),
        Path::Copy => copies.or(Some(direct)),
        Path::Auto => {
            let long = ins.mean().min(outs.mean()) >= COPY_RUN;
            let much = ins.bytes() >= COPY_BATCH;
            copies.filter(|_| long && much).or(Some(direct))
        }
    }
}

/// Whether jobs with a guest's sources are beside ones that need copies.
pub(super) fn mixed(jobs: &[Job]) -> bool {
    jobs.iter().any(of_guest) && jobs.iter().any(copied)
}

/// Whether the source is a guest's.
const fn of_guest(job: &Job) -> bool {
    matches!(job.span.src, Source::Guest(_))
}

/// Whether kernels can do the job on copies only.
pub(super) fn copied(job: &Job) -> bool {
    job.span.in_place() && !in_place(job)
}

/// Whether the job's kernels can work in place.
fn in_place(job: &Job) -> bool {
    let entries = job
        .key
        .algorithm
        .device
        .map_or(&[][..], |code| code.entries);
    let op: Op = job.work.op;
    !entries
        .iter()
        .any(|entry| entry.op == op && !entry.in_place)
}
