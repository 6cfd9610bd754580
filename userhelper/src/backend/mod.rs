//! What computes: a backend takes jobs and tells what became of them. The dispatcher knows no more
//! about it than this trait.

pub mod choice;
pub mod gpu;
mod inline;
mod threads;

pub use gpu::Gpu;
pub use inline::Inline;
pub use threads::Threads;

use std::sync::Arc;

use crate::job::{Job, Outcome};

/// Computes jobs. Owned by the dispatcher and called by its thread only.
pub trait Backend: Send + std::fmt::Debug {
    /// Its name, for the log and the module's status file.
    fn name(&self) -> &'static str;

    /// Its number in completions of requests that it never saw.
    fn code(&self) -> u16;

    /// Where it wants keys expanded for a device; `None` where the CPU's are enough.
    fn schedules(&self) -> Option<Arc<gpu::Schedules>> {
        None
    }

    /// Whether it reads a guest's sources where they lie, if the session has any.
    fn reads_sources(&self) -> bool {
        true
    }

    /// Takes a batch over; `jobs` is empty afterwards. Called when [`Backend::hungry`].
    fn submit(&mut self, jobs: &mut Vec<Job>);

    /// Whether it wants another batch now.
    fn hungry(&self) -> bool;

    /// Gets on with the work and adds what became of finished jobs to `done`. Returns soon: a
    /// backend without threads of its own computes a little at a time.
    fn collect(&mut self, done: &mut Vec<Outcome>);

    /// Jobs taken over and not yet told of.
    fn pending(&self) -> usize;

    /// Whether [`Backend::collect`] would find something to do right now.
    fn ready(&self) -> bool;
}

/// The CPU backend's name and number.
pub const CPU_NAME: &str = "cpu";
/// The CPU backend's number in completions.
pub const CPU_CODE: u16 = 1;
