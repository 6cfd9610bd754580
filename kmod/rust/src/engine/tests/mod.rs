//! The engine, whole, through the functions that the glue calls: the glue is in memory
//! (`ffi::mock`), the helper is played by the test.
// With the feature `mock` the machine and its random schedules are a program's: they fail by panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg_attr(not(test), allow(dead_code))]

#[cfg(test)]
mod buffers;
#[cfg(test)]
mod copies;
#[cfg(test)]
mod device;
#[cfg(test)]
mod guest;
#[cfg(test)]
mod guest_faults;
mod helper;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod merging;
#[cfg(test)]
mod power;
pub(crate) mod random;
#[cfg(test)]
mod recheck;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod takeover;
#[cfg(test)]
mod time;
mod world;

use helper::Helper;
use world::{MS, World, bytes};
