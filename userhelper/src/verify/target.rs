//! The backends that can be checked, and what proves that they did the work.

use std::time::Duration;

use super::Which;
use crate::backend::{CPU_CODE, CPU_NAME};
use crate::engine::Tuning;
use crate::error::UserError;

/// How long idle threads poll: batches come one behind the other.
const POLL: Duration = Duration::from_micros(50);

/// A backend that is checked.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Its number in completions. Work that it left to another backend carries another number.
    pub code: u16,
    /// Whether it is the CPU path itself, which then proves nothing about it.
    pub cpu_path: bool,
    /// How its helper is run.
    pub tuning: Tuning,
}

/// The backends of a choice, on this machine.
///
/// # Errors
/// When the machine does not have what was chosen.
pub fn targets(which: Which, workers: usize) -> Result<Vec<Target>, UserError> {
    let cpu = Target {
        name: CPU_NAME,
        code: CPU_CODE,
        cpu_path: true,
        tuning: Tuning {
            workers,
            poll: POLL,
        },
    };
    match which {
        // The CPU is the only backend of this build, hence also the best one.
        Which::Auto | Which::Cpu | Which::All => Ok(vec![cpu]),
    }
}
