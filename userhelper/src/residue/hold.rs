//! Computing with the known secrets: a helper in this process, as `kgpu serve` runs it, and this thread in the module's
//! place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kgpu_core::abi::{Layout, RingSizes, Status};
use kgpu_core::num::index;
use kgpu_core::runs::GRANULE;

use super::HoldArgs;
use super::material::{REQUEST, Secret, plaintext, secrets, shape};
use crate::backend::choice::DeviceArgs;
use crate::catalogue::Catalogue;
use crate::engine::{Choice, DEVICE_TILE_BYTES, LOOK, Tuning};
use crate::error::UserError;
use crate::loopback::{Key, LoopError, Order};
use crate::rig::Rig;

/// Requests of each algorithm in flight.
const DEEP: u32 = 4;
/// How long this thread polls before it sleeps, and idle threads of the helper.
const POLL: Duration = Duration::from_micros(50);
/// How long a completion may take.
const SLEEP: Duration = Duration::from_millis(100);

fn wrong(error: impl std::fmt::Display) -> UserError {
    UserError::failure(format!("computing with known keys: {error}"), "")
}

/// A helper with the secrets in use.
#[derive(Debug)]
pub struct Holder {
    rig: Rig,
    code: u16,
    work: Vec<(Secret, Key, Vec<Order>)>,
}

impl Holder {
    /// Starts a helper, and puts the plaintext of requests of so many bytes into its pool.
    ///
    /// # Errors
    /// Memory or threads could not be had.
    pub fn start(choice: Choice, request: u32) -> Result<Self, LoopError> {
        let secrets = secrets();
        let count = u32::try_from(secrets.len()).unwrap_or(u32::MAX);
        let sizes = RingSizes {
            entries: 64,
            tiles: 8192,
            keys: 16,
            pool_bytes: u64::from(2 * count * DEEP) * u64::from(request.next_multiple_of(GRANULE)),
        };
        let code = choice.code();
        let tuning = Tuning {
            workers: 1,
            poll: POLL,
            look: LOOK,
        };
        let layout = Layout::new(sizes)
            .map_err(|error| LoopError::Thread(std::io::Error::other(error.to_string())))?;
        let catalogue = Catalogue::registry();
        let mut rig = Rig::start_on(choice, layout, catalogue, tuning, DEVICE_TILE_BYTES)?;
        let plain = plaintext(index(u64::from(request)));
        let mut work = Vec::new();
        for (id, secret) in (1..).zip(secrets) {
            let mut orders = Vec::new();
            for user in 0..u64::from(DEEP) {
                let (src, dst) = (rig.module.buffer(request)?, rig.module.buffer(request)?);
                let fill = |to: &mut [u8]| to.copy_from_slice(&plain);
                rig.module.lane().write(src, request, fill)?;
                orders.push(Order {
                    algorithm: secret.algorithm,
                    shape: shape(request),
                    src,
                    dst,
                    user,
                });
            }
            let key = Key::new(id, &secret.key);
            work.push((secret, key, orders));
        }
        Ok(Self { rig, code, work })
    }

    /// Computes everything once. The result is how many requests the backend computed itself.
    ///
    /// # Errors
    /// The helper broke the ring, or failed a request.
    pub fn round(&mut self) -> Result<usize, LoopError> {
        let (mut sent, mut done, mut own) = (0, 0, 0);
        let module = &mut self.rig.module;
        for (_, key, orders) in &mut self.work {
            for order in orders {
                if module.submit(order, Some(key))? {
                    sent += 1;
                }
            }
        }
        module.publish();
        let (code, mut failed) = (self.code, None);
        while done < sent {
            done += module.reap(|answer| {
                own += usize::from(answer.backend == code);
                if answer.status != Status::Ok {
                    failed = Some(answer.status);
                }
            })?;
            if done < sent {
                module.wait(SLEEP)?;
            }
        }
        match failed {
            None => Ok(own),
            Some(status) => Err(LoopError::Thread(std::io::Error::other(format!(
                "a request was answered with {status}"
            )))),
        }
    }

    /// Requests of a round.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.work.iter().map(|(_, _, orders)| orders.len()).sum()
    }

    /// Ends the helper, which clears what it had.
    ///
    /// # Errors
    /// What broke its session.
    pub fn end(self) -> Result<(), LoopError> {
        self.rig.stop.drain();
        self.rig.join().map(|_| ())
    }
}

/// Holds until standard input ends.
///
/// # Errors
/// [`UserError`].
pub fn run(args: &HoldArgs) -> Result<(), UserError> {
    let mut backend = args.backend;
    backend.device = DeviceArgs {
        gpu_everything: true,
        ..backend.device
    };
    let choice = backend.choose(|| Ok(()))?;
    let name = choice.name();
    #[cfg(feature = "cuda")]
    let marker = match args.marker {
        true => Some(super::scan::leave_marker(backend.device.gpu)?),
        false => None,
    };
    #[cfg(not(feature = "cuda"))]
    if args.marker {
        return Err(UserError::failure(
            "this kgpu was built without CUDA, and has no device to leave a marker in",
            "leave --marker out",
        ));
    }
    let mut holder = Holder::start(choice, REQUEST).map_err(wrong)?;
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    let input = std::thread::Builder::new().name("kgpu-input".into());
    let _listens = input
        .spawn(move || {
            // Its content is nothing to us; an error ends it as well.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            seen.store(true, Ordering::Relaxed);
        })
        .map_err(wrong)?;
    let (mut rounds, wanted) = (0u64, holder.requests());
    while !ended.load(Ordering::Relaxed) || rounds == 0 {
        let own = holder.round().map_err(wrong)?;
        if own != wanted {
            return Err(UserError::failure(
                format!("{name} computed {own} of {wanted} requests, others the rest"),
                "look at the log for why",
            ));
        }
        rounds += 1;
        if rounds == 1 {
            println!("HOLDING backend={name} requests={wanted}");
        }
    }
    holder.end().map_err(wrong)?;
    #[cfg(feature = "cuda")]
    if let Some(marker) = marker {
        // Not given back: it is to be there when the process ends.
        std::mem::forget(marker);
    }
    println!("ENDED after {rounds} rounds");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::gpu::GpuTuning;
    use crate::backend::gpu::host::HostOpener;

    #[test]
    fn a_device_computes_all_of_it_and_the_cpu_does_too() {
        let tuning = GpuTuning {
            everything: true,
            ..GpuTuning::default()
        };
        let opener = Arc::new(HostOpener::default());
        for choice in [Choice::Cpu, Choice::Device { opener, tuning }] {
            let mut holder = Holder::start(choice, 4096).unwrap();
            assert_eq!(holder.requests(), 12);
            assert_eq!(holder.round().unwrap(), 12);
            holder.end().unwrap();
        }
    }
}
