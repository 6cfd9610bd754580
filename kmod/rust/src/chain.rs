//! Requests that travel together: linked through themselves, so that nothing is allocated, in the order in which they
//! were submitted. All of them are of one transform and one operation.

use crate::ffi::Job;

/// One request or more, owned.
#[derive(Debug)]
pub struct Chain {
    first: Job,
}

impl Chain {
    /// A chain that begins with `first`, which has the rest of it as its `next` already.
    #[must_use]
    pub const fn new(first: Job) -> Self {
        Self { first }
    }

    /// Links requests, given from the last to the first; `None` of none.
    pub fn link(backwards: impl Iterator<Item = Job>) -> Option<Self> {
        let last_to_first = backwards.fold(None, |rest: Option<Job>, mut job| {
            job.core_mut().next = rest;
            Some(job)
        });
        last_to_first.map(Self::new)
    }

    /// The first request.
    #[must_use]
    pub const fn first(&self) -> &Job {
        &self.first
    }

    /// The first request, with all the rest as its `next`.
    #[must_use]
    pub fn into_first(self) -> Job {
        self.first
    }

    /// Whether it is one request.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.first.core().next.is_none()
    }

    /// Its requests, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Job> + Clone {
        core::iter::successors(Some(&self.first), |job| job.core().next.as_ref())
    }

    /// Has `each` look at every request, in order.
    pub fn for_each_mut(&mut self, mut each: impl FnMut(&mut Job)) {
        let mut at = Some(&mut self.first);
        while let Some(job) = at {
            each(job);
            at = job.core_mut().next.as_mut();
        }
    }
}

impl IntoIterator for Chain {
    type Item = Job;
    type IntoIter = Links;

    /// Takes it apart, in order.
    fn into_iter(self) -> Links {
        Links(Some(self.first))
    }
}

/// A chain being taken apart.
#[derive(Debug)]
pub struct Links(Option<Job>);

impl Iterator for Links {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        let mut job = self.0.take()?;
        self.0 = job.core_mut().next.take();
        Some(job)
    }
}
