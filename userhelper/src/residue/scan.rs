//! Looking through a CUDA device's free memory, as the processes before left it.

use std::collections::BTreeMap;

use kgpu_verify::residue::Search;

use super::ScanArgs;
use super::material::{MARKER, PROOF, is_secret, marker, patterns, proof};
use crate::backend::gpu::DeviceError;
use crate::backend::gpu::cuda::{Found, Leftovers, devices};
use crate::error::UserError;

/// Bytes copied and searched at a time.
const CHUNK: usize = 256 << 20;
/// Bytes of a marker's memory: more than the driver takes for a process by itself.
const MARKER_BYTES: usize = 64 << 20;

fn wrong(error: &DeviceError) -> UserError {
    UserError::failure(
        format!("looking through the device's memory: {error}"),
        "look at `nvidia-smi`: nobody else may use the device",
    )
}

/// The device of a number, or the first that can be used.
fn find(gpu: Option<u32>) -> Result<Found, UserError> {
    let found = devices().map_err(|absent| UserError::failure(absent.what, absent.next))?;
    let usable = |found: &Found| found.problem.is_none() && gpu.is_none_or(|n| n == found.index);
    found.into_iter().find(usable).ok_or_else(|| {
        UserError::failure("there is no such CUDA device", "`kgpu devices` lists them")
    })
}

/// Fills memory of a device with the marker. It stays until the process ends if the result is not dropped.
///
/// # Errors
/// [`UserError`].
pub fn leave_marker(gpu: Option<u32>) -> Result<Leftovers, UserError> {
    let mut memory = Leftovers::open(&find(gpu)?).map_err(|error| wrong(&error))?;
    memory.take(MARKER_BYTES).map_err(|error| wrong(&error))?;
    let marker: Vec<u8> = marker().into_iter().cycle().take(MARKER_BYTES).collect();
    memory.write(0, 0, &marker).map_err(|error| wrong(&error))?;
    Ok(memory)
}

/// Counts patterns in bytes, on all processors. Patterns that begin in the last bytes and go on behind them are not
/// seen.
fn count(search: &Search, bytes: &[u8], threads: usize) -> BTreeMap<String, u64> {
    let part = bytes.len().div_ceil(threads.max(1)).max(1);
    let parts = (0..bytes.len()).step_by(part).map(|from| {
        let end = from.saturating_add(part + search.overlap());
        bytes.get(from..end.min(bytes.len())).unwrap_or_default()
    });
    let count_part = |part: &[u8]| {
        let mut found = BTreeMap::<String, u64>::new();
        search.each(part, |name, _| {
            *found.entry(name.to_owned()).or_default() += 1
        });
        found
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = parts
            .map(|part| scope.spawn(move || count_part(part)))
            .collect();
        let mut all = BTreeMap::<String, u64>::new();
        for found in threads.into_iter().flat_map(|thread| thread.join()) {
            for (name, count) in found {
                *all.entry(name).or_default() += count;
            }
        }
        all
    })
}

/// Scans, and prints a line for each pattern: `RESIDUE LABEL PATTERN COUNT`.
///
/// # Errors
/// [`UserError`]: the scan did not work, or a secret was found.
pub fn run(args: &ScanArgs) -> Result<(), UserError> {
    let patterns = patterns().map_err(|error| UserError::failure(error.to_string(), ""))?;
    let search = Search::new(patterns.clone());
    let mut memory = Leftovers::open(&find(args.gpu)?).map_err(|error| wrong(&error))?;
    let total = memory.total();
    let bytes = memory.take_all();
    // Each block gets a pattern of our own: what does not find it finds nothing else either.
    for block in 0..memory.blocks() {
        memory
            .write(block, 0, &proof())
            .map_err(|error| wrong(&error))?;
    }
    let mut found: BTreeMap<String, u64> = patterns.keys().map(|name| (name.clone(), 0)).collect();
    let mut buffer = vec![0; CHUNK];
    let threads = crate::cli::all_processors();
    for block in 0..memory.blocks() {
        let (len, mut at) = (memory.len(block), 0);
        while at < len {
            let size = CHUNK.min(len - at);
            let Some(room) = buffer.get_mut(..size) else {
                break;
            };
            memory
                .read(block, at, room)
                .map_err(|error| wrong(&error))?;
            for (name, count) in count(&search, room, threads) {
                *found.entry(name).or_default() += count;
            }
            at += if at + size < len {
                size - search.overlap()
            } else {
                size
            };
        }
    }
    let label = &args.label;
    println!(
        "RESIDUE {label} scanned {} of {} MiB of device memory in {} blocks",
        bytes >> 20,
        total >> 20,
        memory.blocks()
    );
    for (name, count) in &found {
        println!("RESIDUE {label} {name} {count}");
    }
    let blocks = u64::try_from(memory.blocks()).unwrap_or(u64::MAX);
    if found.get(PROOF).copied().unwrap_or(0) < blocks || blocks == 0 {
        return Err(UserError::failure(
            format!("the scan did not find what it had hidden in each of {blocks} blocks itself"),
            "its other counts mean nothing either; look at `nvidia-smi` for who uses the device",
        ));
    }
    let left: u64 = found
        .iter()
        .filter(|(name, _)| is_secret(name))
        .map(|(_, count)| count)
        .sum();
    if left > 0 {
        return Err(UserError::failure(
            format!("{left} times something secret was left in the device's memory"),
            format!("the lines above say what; `{MARKER}` tells whether the driver clears memory"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_threads_miss_nothing_between_them() {
        let search = Search::new(patterns().unwrap());
        for at in 0..100 {
            let mut bytes = vec![7; 128];
            bytes[at..at + 16].copy_from_slice(&marker());
            for threads in [1, 2, 3, 8] {
                let found = count(&search, &bytes, threads);
                // Where parts overlap it may be seen by both.
                assert!(found[MARKER] >= 1 && found.len() == 1, "{at} {threads}");
            }
        }
    }
}
