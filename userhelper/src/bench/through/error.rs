//! What can go wrong while requests go through the ring.

use kgpu_core::abi::{Completion, LayoutError, Status};
use kgpu_core::cpu::{KeyError, WorkError};
use kgpu_core::request::ShapeError;

use crate::loopback::LoopError;
use crate::region::SpanError;

/// What can go wrong while requests go through the ring.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The ring or the helper's start.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// Pool bytes that can't be had.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// No such region.
    #[error("no region holds these requests: {0}")]
    Layout(LayoutError),
    /// The CPU path does not take the key.
    #[error("{0}")]
    Key(KeyError),
    /// The CPU path does not take the work.
    #[error("{0}")]
    Work(WorkError),
    /// The algorithm has no such requests.
    #[error("{0}")]
    Shape(ShapeError),
    /// The ring has fewer entries than there are requests.
    #[error("the ring is full below its depth")]
    Full,
    /// A completion for a request that is not in flight, or with the wrong session or length.
    #[error("an answer that fits no request: {0:?}")]
    Stray(Completion),
    /// A completion that is no success.
    #[error("the helper answered `{0}`")]
    Answer(Status),
    /// A completion whose status is no status.
    #[error("the helper answered with the unknown status {0}")]
    UnknownStatus(u16),
    /// The helper is gone or silent.
    #[error("the helper does not answer")]
    Silent,
    /// A result that is not the CPU path's.
    #[error("request {request} came back wrong, first at byte {at}")]
    Wrong {
        /// Which request.
        request: usize,
        /// The first byte that differs.
        at: usize,
    },
}
