//! Peers for tests: each side of the ring played by itself, honestly or with every lie there is.
//! Unit tests, fuzzers and the guest's `evil-helper` rest on this one piece; nothing here may be
//! part of the product.
//!
//! [`helper::MockHelper`] serves the module's ring and lies as [`lie::Lie`] says, each lie with the
//! name of what the module must answer it with. [`kernel::MockKernel`] plays the module: it hands
//! honest requests over and judges the answers, and sends what [`hostile::HOSTILE`] lists, each
//! with the status that a helper must give it.

pub mod dice;
pub mod helper;
pub mod hostile;
pub mod kernel;
pub mod lie;

pub use dice::Dice;
pub use helper::MockHelper;
pub use hostile::{Case, Ground, HOSTILE, Hostile};
pub use kernel::{Broken, Landed, MockKernel, Request};
pub use lie::{Answer, Lie};

use alloc::sync::Arc;

use crate::abi::AlgorithmId;
use crate::algorithm::Algorithm;
use crate::cell::Words;
use crate::cpu::CpuKey;

/// Finds an algorithm: this crate knows none.
pub type Lookup = fn(AlgorithmId) -> Option<&'static Algorithm>;

/// Expands a key; `None` when the algorithm takes no such.
pub type Expand = fn(&Algorithm, &[u8]) -> Option<Arc<dyn CpuKey>>;

/// The bytes of requests.
pub trait Pool: core::fmt::Debug {
    /// Copies bytes out. `false`, and nothing copied, unless all lie inside.
    #[must_use]
    fn read(&self, at: u64, to: &mut [u8]) -> bool;

    /// Copies bytes in. `false`, and nothing copied, unless all fit inside.
    #[must_use]
    fn write(&self, at: u64, from: &[u8]) -> bool;

    /// Copies bytes of the guest's memory out, outside of the pool or not. `false`, and nothing copied, unless it is a
    /// guest's and all lie in it.
    #[must_use]
    fn read_guest(&self, _address: u64, _to: &mut [u8]) -> bool {
        false
    }
}

/// A region as one side sees it. Which parts that side may write is its own affair.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Written by the module.
    pub control: Words<'a>,
    /// Written by the helper.
    pub helper: Words<'a>,
    /// The data of requests.
    pub pool: &'a dyn Pool,
}
