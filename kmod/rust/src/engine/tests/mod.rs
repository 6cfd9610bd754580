//! The engine, whole, through the functions that the glue calls: the glue is in memory
//! (`ffi::mock`), the helper is played by the test.

mod buffers;
mod device;
mod helper;
mod lies;
mod limits;
mod power;
mod random;
mod recheck;
mod serving;
mod takeover;
mod time;
mod world;

use helper::Helper;
use world::{MS, World, bytes};
