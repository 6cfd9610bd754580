//! What the checks ask of a backend: run requests, give the bytes back, and prove that it was you.

use crate::request::Request;

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub enum Ran<'a> {
    /// It was computed.
    Done {
        /// Its output.
        output: &'a [u8],
        /// Tiles of it that this very backend is proven to have computed: told by a completion's
        /// backend number or a kernel's own counter, never assumed. Work that another backend took
        /// over counts 0.
        proven: u32,
    },
    /// It was not, or something beside its output was written to; why, in words.
    Failed(&'a str),
}

/// Why a runner can't go on at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError(pub String);

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RunError {}

/// A backend, and a way to hand requests to it.
pub trait Runner {
    /// The backend's name.
    fn backend(&self) -> &str;

    /// Runs requests of many algorithms and keys, as many at a time as it can, and tells `done` of
    /// each once, by its index, in any order.
    ///
    /// # Errors
    /// [`RunError`] when the backend is broken and further requests make no sense.
    fn run(
        &mut self,
        requests: &[&Request],
        done: &mut dyn FnMut(usize, Ran<'_>),
    ) -> Result<(), RunError>;
}
