//! The backends that can be checked, and what proves that they did the work.

use std::time::Duration;

use kgpu_core::algorithm::Algorithm;

use super::Which;
use crate::backend::CPU_CODE;
use crate::backend::choice::{DeviceArgs, Wanted};
use crate::engine::{Choice, LOOK, Tuning};
use crate::error::UserError;

/// How long idle threads poll: batches come one behind the other.
const POLL: Duration = Duration::from_micros(50);

/// A backend that is checked.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Its number in completions. Work that it left to another backend carries another number.
    pub code: u16,
    /// Whether it is the CPU path itself, which then proves nothing about it.
    pub cpu_path: bool,
    /// How its helper is run.
    pub tuning: Tuning,
    /// What computes.
    pub choice: Choice,
}

impl Target {
    /// The number that completions of an algorithm's requests must have: a device leaves what it has no kernels
    /// for to the CPU.
    #[must_use]
    pub const fn code_for(&self, algorithm: &Algorithm) -> u16 {
        if self.cpu_path || algorithm.device.is_some() {
            self.code
        } else {
            CPU_CODE
        }
    }
}

/// The backends of a choice, on this machine.
///
/// # Errors
/// When the machine does not have what was chosen.
pub fn targets(
    which: Which,
    device: &DeviceArgs,
    workers: usize,
) -> Result<Vec<Target>, UserError> {
    // Everything that has a kernel is to be proven to run on it.
    let device = DeviceArgs {
        gpu_everything: true,
        ..*device
    };
    let target = |wanted| -> Result<Target, UserError> {
        let choice = device.choose(wanted, || Ok(()))?;
        Ok(Target {
            name: choice.name(),
            code: choice.code(),
            cpu_path: matches!(choice, Choice::Cpu),
            tuning: Tuning {
                workers,
                poll: POLL,
                look: LOOK,
            },
            choice,
        })
    };
    Ok(match which {
        Which::Auto => vec![target(Wanted::Auto)?],
        Which::Cpu => vec![target(Wanted::Cpu)?],
        Which::Cuda => vec![target(Wanted::Cuda)?],
        Which::HostKernels => vec![target(Wanted::HostKernels)?],
        Which::All => {
            let mut all = vec![target(Wanted::Cpu)?];
            let best = target(Wanted::Auto)?;
            if !best.cpu_path {
                all.push(best);
            }
            all
        }
    })
}
