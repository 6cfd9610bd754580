//! `kgpu serve --vhost-user`: the helper of one guest at a time, whose module it meets by a virtio device
//! (`kgpu_core::abi::guest`). The guest and the program that runs it may lie about everything and go away at any
//! moment; what they can reach is this process, which has no rights.
//!
//! * [`serve`]: the main thread: socket, guests, sessions; [`socket`], [`filter`].
//! * [`connection`], `handler`: the thread that answers the guest's machine and hears its doorbell.
//! * [`shared`], [`device`], [`queue`], [`memory`], `setup`: what both threads have: the device's queues and where it stands.
//! * [`link`]: the dispatcher's end.

pub mod connection;
pub mod device;
pub mod filter;
mod handler;
pub mod link;
pub mod memory;
pub mod queue;
pub mod serve;
mod setup;
pub mod shared;
pub mod socket;
