//! The CPU backend for several workers: batches are cut into tasks of consecutive jobs by the
//! algorithm's launch shape, and handed to threads through lock-free queues. Task buffers go round
//! and round, so nothing is allocated after the start.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use kgpu_core::abi::Op;
use kgpu_core::algorithm::{Launch, Load};

use super::{Backend, CPU_CODE, CPU_NAME};
use crate::job::{Job, Outcome};
use crate::region::Lane;
use crate::waker::Waker;
use crate::wipe;

/// Most jobs of a task.
const TASK_JOBS: usize = 32;
/// Task buffers per worker: one at work, and enough waiting to even out the ends.
const TASKS_PER_WORKER: usize = 6;

/// How often a worker that never sleeps clears the stack and the registers that its ciphers used: they keep round keys
/// there.
const WIPE: Duration = Duration::from_millis(200);

/// Jobs that one worker takes at a time, and what became of them.
#[derive(Debug)]
struct Task {
    jobs: Vec<Job>,
    done: Vec<Outcome>,
}

/// What dispatcher and workers share.
#[derive(Debug)]
struct Shared {
    todo: ArrayQueue<Task>,
    done: ArrayQueue<Task>,
    /// By worker: whether it sleeps.
    asleep: Box<[AtomicBool]>,
    stop: AtomicBool,
    dispatcher: Arc<Waker>,
    poll: Duration,
}

/// A batch's jobs of one algorithm and operation.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    tiles: u32,
    bytes: u64,
    per_task: usize,
}

/// Runs jobs on threads of its own, which end when it is dropped.
#[derive(Debug)]
pub struct Threads {
    shared: Arc<Shared>,
    workers: Vec<(JoinHandle<()>, Thread)>,
    free: Vec<Task>,
    backlog: VecDeque<Job>,
    groups: Vec<Group>,
    out: usize,
}

impl Threads {
    /// Starts one worker per lane. `algorithms` is how many the catalogue has, `jobs` how many
    /// jobs a batch has at most.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub fn start(
        lanes: Vec<Lane>,
        algorithms: usize,
        jobs: usize,
        poll: Duration,
        dispatcher: Arc<Waker>,
    ) -> std::io::Result<Self> {
        let workers = lanes.len();
        let tasks = (workers * TASKS_PER_WORKER).max(1);
        let shared = Arc::new(Shared {
            todo: ArrayQueue::new(tasks),
            done: ArrayQueue::new(tasks),
            asleep: (0..workers).map(|_| AtomicBool::new(false)).collect(),
            stop: AtomicBool::new(false),
            dispatcher,
            poll,
        });
        let mut backend = Self {
            shared,
            workers: Vec::with_capacity(workers),
            free: Vec::with_capacity(tasks),
            backlog: VecDeque::with_capacity(jobs),
            groups: vec![Group::default(); algorithms * Op::ALL.len()],
            out: 0,
        };
        backend.free.extend((0..tasks).map(|_| Task {
            jobs: Vec::with_capacity(TASK_JOBS),
            done: Vec::with_capacity(TASK_JOBS),
        }));
        for (i, lane) in lanes.into_iter().enumerate() {
            let shared = Arc::clone(&backend.shared);
            let worker = std::thread::Builder::new()
                .name(format!("kgpu-worker-{i}"))
                .spawn(move || shared.work(i, lane))?;
            let thread = worker.thread().clone();
            backend.workers.push((worker, thread));
        }
        Ok(backend)
    }

    /// Hands out as much of the backlog as there are task buffers for.
    fn hand_out(&mut self) {
        let mut handed = 0;
        while let Some(first) = self.backlog.front() {
            let Some(mut task) = self.free.pop() else {
                break;
            };
            let group = group_of(first);
            let most = self.groups.get(group).map_or(1, |group| group.per_task);
            let same = self.backlog.iter().take(most);
            let count = same.take_while(|job| group_of(job) == group).count().max(1);
            task.jobs.extend(self.backlog.drain(..count));
            self.out += count;
            // The queue has a place for every task buffer there is.
            let _ = self.shared.todo.push(task);
            handed += 1;
        }
        if handed > 0 {
            self.wake(handed);
        }
    }

    /// Wakes up to `count` sleeping workers.
    fn wake(&self, count: usize) {
        // Pairs with the fence in `Shared::rest`.
        fence(Ordering::SeqCst);
        let sleeping = self.shared.asleep.iter().zip(&self.workers);
        let sleeping = sleeping.filter(|(asleep, _)| {
            asleep.load(Ordering::Relaxed) && asleep.swap(false, Ordering::AcqRel)
        });
        for (_, (_, thread)) in sleeping.take(count) {
            thread.unpark();
        }
    }

    /// Decides for each algorithm and operation how many jobs make a task.
    fn plan(&mut self) {
        self.groups.fill(Group::default());
        for job in &self.backlog {
            if let Some(group) = self.groups.get_mut(group_of(job)) {
                group.tiles += 1;
                group.bytes += u64::from(job.span.len);
            }
        }
        let lanes = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
        for job in &self.backlog {
            if let Some(group) = self.groups.get_mut(group_of(job))
                && group.per_task == 0
            {
                let Launch { tiles_per_lane, .. } = (job.key.algorithm.launch)(&Load {
                    tiles: group.tiles,
                    bytes: group.bytes,
                    lanes,
                });
                group.per_task = usize::try_from(tiles_per_lane)
                    .unwrap_or(TASK_JOBS)
                    .clamp(1, TASK_JOBS);
            }
        }
    }
}

/// The index of a job's group.
fn group_of(job: &Job) -> usize {
    job.key.index * Op::ALL.len() + usize::from(job.work.op.code().saturating_sub(1))
}

impl Backend for Threads {
    fn name(&self) -> &'static str {
        CPU_NAME
    }

    fn code(&self) -> u16 {
        CPU_CODE
    }

    fn submit(&mut self, jobs: &mut Vec<Job>) {
        if !jobs.is_sorted_by_key(group_of) {
            // Neighbours of one algorithm make larger tasks; requests keep their order inside.
            jobs.sort_unstable_by_key(|job| (group_of(job), job.order));
        }
        self.backlog.extend(jobs.drain(..));
        self.plan();
        self.hand_out();
    }

    fn hungry(&self) -> bool {
        self.backlog.is_empty()
    }

    fn collect(&mut self, done: &mut Vec<Outcome>) {
        while let Some(mut task) = self.shared.done.pop() {
            self.out -= task.done.len();
            done.append(&mut task.done);
            task.jobs.clear();
            self.free.push(task);
        }
        if !self.backlog.is_empty() {
            self.hand_out();
        }
    }

    fn pending(&self) -> usize {
        self.out + self.backlog.len()
    }

    fn ready(&self) -> bool {
        !self.shared.done.is_empty()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for (_, thread) in &self.workers {
            thread.unpark();
        }
        for (worker, _) in self.workers.drain(..) {
            // A worker's panics are caught job by job; there is none to report here.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// A worker's life.
    fn work(&self, worker: usize, mut lane: Lane) {
        let mut idle_since = None;
        // Since when stack and registers may hold parts of keys.
        let mut used_since = None;
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(mut task) = self.todo.pop() {
                task.done
                    .extend(task.jobs.iter().map(|job| job.run(&mut lane)));
                // The queue has a place for every task buffer there is.
                let _ = self.done.push(task);
                self.dispatcher.wake();
                idle_since = None;
                if used_since.get_or_insert_with(Instant::now).elapsed() >= WIPE {
                    wipe::leftovers();
                    used_since = None;
                }
                continue;
            }
            let since = *idle_since.get_or_insert_with(Instant::now);
            if since.elapsed() < self.poll {
                std::hint::spin_loop();
            } else {
                if used_since.take().is_some() {
                    wipe::leftovers();
                }
                self.rest(worker);
            }
        }
        wipe::leftovers_at_end();
    }

    /// Sleeps until the dispatcher hands something out.
    fn rest(&self, worker: usize) {
        let Some(asleep) = self.asleep.get(worker) else {
            return;
        };
        asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.todo.is_empty() && !self.stop.load(Ordering::SeqCst) {
            std::thread::park();
        }
        asleep.store(false, Ordering::Relaxed);
    }
}
