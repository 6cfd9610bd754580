//! From what the user asks for to what computes: `--backend`, `--gpu` and what there is on this machine.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rustix::io::Errno;

use super::CPU_NAME;
use super::gpu::host::HostOpener;
use super::gpu::{DeviceError, GpuTuning, Opener, Path};
use crate::engine::Choice;
use crate::error::UserError;

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// A CUDA device if there is one that can be used, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device, with the CPU for what is not for it.
    Cuda,
    /// The kernels' host side in place of a device: a test aid, very slow.
    #[value(hide = true)]
    HostKernels,
}

fn queues(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=32).contains(&count) => Ok(count),
        _ => Err("must be a number from 1 to 32".into()),
    }
}

/// Arguments that choose what computes.
#[derive(Clone, Copy, Debug, Args)]
pub struct BackendArgs {
    /// What computes.
    #[arg(long, value_enum, default_value_t = Wanted::Auto)]
    pub backend: Wanted,
    /// Which device, and how.
    #[command(flatten)]
    pub device: DeviceArgs,
}

impl BackendArgs {
    /// What computes: see [`DeviceArgs::choose`].
    ///
    /// # Errors
    /// [`UserError`]: what was asked for can't be had.
    pub fn choose(&self, first: fn() -> Result<(), Errno>) -> Result<Choice, UserError> {
        self.device.choose(self.backend, first)
    }
}

/// Arguments that choose and tune a device.
#[derive(Clone, Copy, Debug, Args)]
pub struct DeviceArgs {
    /// The CUDA device, by its number in `kgpu devices` [default: the first that can be used].
    #[arg(long, value_name = "N")]
    pub gpu: Option<u32>,
    /// Batches that a device has in flight.
    #[arg(long, value_name = "N", default_value_t = Self::default().queues, value_parser = queues)]
    pub queues: usize,
    /// KiB from which a batch for a device is full.
    #[arg(long, value_name = "N", default_value_t = Self::default().batch_kib, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub batch_kib: u32,
    /// Microseconds that a batch that is not full waits for more while the device is at work.
    #[arg(long, value_name = "N", default_value_t = Self::default().flush_us)]
    pub flush_us: u64,
    /// How kernels reach the data, for measurements.
    #[arg(long, value_enum, default_value_t = Path::Auto, hide = true)]
    pub gpu_path: Path,
    /// Bytes of tiles and spans up to which kernels read them in the host's memory, for measurements.
    #[arg(long, value_name = "N", default_value_t = Self::default().gpu_control_direct, hide = true)]
    pub gpu_control_direct: usize,
    /// Give the device all that it has kernels for, even what a CPU does faster; for tests.
    #[arg(long, hide = true)]
    pub gpu_everything: bool,
}

impl Default for DeviceArgs {
    /// What the command line has without any of them.
    fn default() -> Self {
        let GpuTuning {
            queues,
            batch_bytes,
            flush,
            path,
            control_direct,
            everything,
        } = GpuTuning::default();
        Self {
            gpu: None,
            queues,
            batch_kib: u32::try_from(batch_bytes >> 10).unwrap_or(u32::MAX),
            flush_us: u64::try_from(flush.as_micros()).unwrap_or(u64::MAX),
            gpu_path: path,
            gpu_control_direct: control_direct,
            gpu_everything: everything,
        }
    }
}

impl DeviceArgs {
    /// What the user set about the GPU backend.
    #[must_use]
    pub fn tuning(&self) -> GpuTuning {
        GpuTuning {
            queues: self.queues,
            batch_bytes: u64::from(self.batch_kib) << 10,
            flush: Duration::from_micros(self.flush_us),
            path: self.gpu_path,
            control_direct: self.gpu_control_direct,
            everything: self.gpu_everything,
        }
    }

    /// What computes. Looks for devices where they are wanted, loads the kernels into the chosen one, and logs
    /// which it is and why. That loading is done by a thread of its own, which calls `first` before: the
    /// driver starts threads that live on with the rights of the one that starts them.
    ///
    /// # Errors
    /// [`UserError`]: CUDA is wanted and can't be had.
    pub fn choose(
        &self,
        wanted: Wanted,
        first: fn() -> Result<(), Errno>,
    ) -> Result<Choice, UserError> {
        let wanted = self.settle(wanted)?;
        let chosen = self.find(wanted).and_then(|choice| {
            warm(&choice, first)?;
            tracing::info!("backend: {}", choice.describe());
            Ok(choice)
        });
        chosen.or_else(|error| {
            if wanted != Wanted::Auto {
                return Err(error);
            }
            tracing::info!("backend: {CPU_NAME}: {}", error.what);
            Ok(Choice::Cpu)
        })
    }

    fn find(&self, wanted: Wanted) -> Result<Choice, UserError> {
        let device = |opener: Arc<dyn Opener>| Choice::Device {
            opener,
            tuning: self.tuning(),
        };
        match wanted {
            Wanted::HostKernels => Ok(device(Arc::new(HostOpener::default()))),
            Wanted::Cpu => Ok(Choice::Cpu),
            Wanted::Auto | Wanted::Cuda => cuda(self.gpu, device),
        }
    }

    /// Who names a device wants it.
    fn settle(&self, wanted: Wanted) -> Result<Wanted, UserError> {
        match (wanted, self.gpu) {
            (Wanted::Auto, Some(_)) => Ok(Wanted::Cuda),
            (Wanted::Cpu | Wanted::HostKernels, Some(gpu)) => Err(UserError {
                what: format!("--gpu {gpu} without the CUDA backend"),
                next: "leave --gpu or --backend out".into(),
                code: 2,
            }),
            (wanted, _) => Ok(wanted),
        }
    }
}

/// Loads the kernels into a device, on a thread of its own.
fn warm(choice: &Choice, first: fn() -> Result<(), Errno>) -> Result<(), UserError> {
    let Choice::Device { opener, .. } = choice else {
        return Ok(());
    };
    let warming = || {
        first().map_err(|errno| DeviceError::new("dropping rights", errno.to_string()))?;
        opener.warm(kgpu_algos::all())
    };
    let warmed = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("kgpu-gpu-open".into());
        match thread.spawn_scoped(scope, warming) {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(DeviceError::new("opening", "panicked"))),
            Err(error) => Err(DeviceError::new("starting a thread", error.to_string())),
        }
    });
    warmed.map_err(|error| {
        UserError::failure(
            format!("{} can't be used: {error}", opener.describe()),
            "look at `nvidia-smi` and `dmesg`; `--backend cpu` does without",
        )
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: Option<u32>, _: impl FnOnce(Arc<dyn Opener>) -> Choice) -> Result<Choice, UserError> {
    Err(UserError::failure(
        "this build has no CUDA backend",
        "build kgpu with its default features, or use `--backend cpu`",
    ))
}

/// The CUDA device of a number, or the first that can be used.
#[cfg(feature = "cuda")]
fn cuda(
    gpu: Option<u32>,
    device: impl FnOnce(Arc<dyn Opener>) -> Choice,
) -> Result<Choice, UserError> {
    use super::gpu::cuda::{CudaOpener, devices};
    const LIST: &str = "`kgpu devices` shows what there is and why it can't be used; `--backend cpu` does \
                        without";
    let all = devices().map_err(|absent| UserError::failure(absent.what, absent.next))?;
    let found = match gpu {
        Some(gpu) => all.into_iter().find(|found| found.index == gpu),
        None => {
            let usable = |found: &super::gpu::cuda::Found| found.problem.is_none();
            let first = all.iter().find(|found| usable(found)).or(all.first());
            first.cloned()
        }
    };
    let Some(found) = found else {
        return Err(match gpu {
            Some(gpu) => UserError::failure(format!("there is no CUDA device {gpu}"), LIST),
            None => UserError::failure("the NVIDIA driver knows no device", LIST),
        });
    };
    if let Some(problem) = &found.problem {
        return Err(UserError::failure(
            format!(
                "CUDA device {} ({}) can't be used: {problem}",
                found.index, found.name
            ),
            LIST,
        ));
    }
    Ok(device(Arc::new(CudaOpener::new(found))))
}
