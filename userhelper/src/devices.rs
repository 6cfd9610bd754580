//! `kgpu devices`: the CUDA devices of this machine.

/// The text for people: a table, or a sentence that says why there is none and what to do.
#[cfg(feature = "cuda")]
#[must_use]
pub fn text() -> String {
    use crate::backend::gpu::cuda::{Found, devices};
    use crate::table;

    const HEAD: [&str; 8] = [
        "gpu",
        "name",
        "capability",
        "memory MiB",
        "SMs",
        "shared KiB",
        "PCI",
        "usable",
    ];
    let cells = |found: &Found| {
        vec![
            found.index.to_string(),
            found.name.clone(),
            format!("{}.{}", found.capability.0, found.capability.1),
            (found.memory >> 20).to_string(),
            found.card.sms.to_string(),
            (found.card.shared_per_block >> 10).to_string(),
            found.pci.clone(),
            found.problem.clone().unwrap_or_else(|| "yes".into()),
        ]
    };
    match devices() {
        Err(absent) => format!("No CUDA devices: {absent}.\n  next: {}\n", absent.next),
        Ok(found) if found.is_empty() => {
            "No CUDA devices: the NVIDIA driver is there and knows none.\n  next: \
             look at `nvidia-smi`, and whether /dev/nvidia0 is there and open to this user\n"
                .into()
        }
        Ok(found) => {
            let right = [true, false, true, true, true, true, false, false];
            table::lines(&HEAD, &right, &found.iter().map(cells).collect::<Vec<_>>())
        }
    }
}

/// The text of a build without CUDA.
#[cfg(not(feature = "cuda"))]
#[must_use]
pub fn text() -> String {
    "No CUDA devices: this build has no CUDA backend.\n  next: build kgpu with its default features\n"
        .into()
}
