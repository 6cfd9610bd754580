//! The kgpu helper as a library: everything of the `kgpu` program but its `main`.
//!
//! * [`region`], [`link`], [`waker`]: the shared memory and the two ends of the ring.
//! * [`dispatcher`] with [`validate`], [`keys`], `wipe`, [`seats`], [`job`], [`fault`], [`tally`], [`ending`]:
//!   from submissions to completions.
//! * [`backend`]: what computes.
//! * [`serve`] with [`device`], and [`guest`]: the daemon, for this machine's module and for a guest's; [`session`]
//!   with [`privileges`], [`signals`], [`heartbeat`], [`panics`]: what both have.
//! * [`loopback`], [`rig`]: the module's side of the ring inside this process, for [`mod@bench`], [`mod@verify`],
//!   [`mod@residue`] and tests.
//! * [`cli`], [`list`], [`devices`], [`status`], [`table`], [`error`], [`holders`]: what the user sees.
//!
//! Raw memory is touched in `region` and `backend::gpu`, ioctls are made in `device`, registers are overwritten in
//! `wipe`; the rest is safe Rust.
#![deny(unsafe_code)]

pub mod backend;
pub mod bench;
pub mod catalogue;
pub mod cli;
pub mod device;
pub mod devices;
pub mod dispatcher;
pub mod ending;
pub mod engine;
pub mod error;
pub mod fault;
pub mod guest;
pub mod heartbeat;
pub mod holders;
pub mod job;
pub mod keys;
pub mod link;
pub mod list;
pub mod loopback;
pub mod panics;
pub mod privileges;
pub mod region;
pub mod residue;
pub mod rig;
pub mod seats;
pub mod serve;
pub mod session;
pub mod signals;
pub mod status;
pub mod table;
pub mod tally;
pub mod validate;
pub mod verify;
pub mod waker;
pub mod wipe;
