//! `kgpu residue`, for tests of a machine with a GPU: what another process finds of keys and data in the device's
//! memory. `hold` computes with known secrets until it is told to end or is killed; `scan` takes all memory of the
//! device that is free, as it is, and looks for them. Nothing here clears anything: that is the backend's affair.

pub mod hold;
pub mod material;
#[cfg(feature = "cuda")]
pub mod scan;

use clap::{Args, Subcommand};

use crate::backend::choice::BackendArgs;
use crate::error::UserError;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum ResidueCommand {
    /// Compute with known keys and plaintext until standard input ends. Prints a line that starts with HOLDING when
    /// the backend has computed all of it, and ENDED at the end.
    Hold(HoldArgs),
    /// Take all memory of a device that is free, uncleared, and count what is found there.
    Scan(ScanArgs),
}

/// Arguments of `hold`.
#[derive(Clone, Copy, Debug, Args)]
pub struct HoldArgs {
    /// What computes.
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Leave a marker in the device's memory that nobody clears: if it is found later, the driver does not clear
    /// memory between processes, and what is not found was cleared by kgpu.
    #[arg(long)]
    pub marker: bool,
}

/// Arguments of `scan`.
#[derive(Clone, Debug, Args)]
pub struct ScanArgs {
    /// The CUDA device, by its number in `kgpu devices` [default: the first that can be used].
    #[arg(long, value_name = "N")]
    pub gpu: Option<u32>,
    /// What to call this scan in its lines.
    #[arg(long, default_value = "scan")]
    pub label: String,
}

/// Does what the command line says.
///
/// # Errors
/// [`UserError`], with what to do next.
pub fn run(command: &ResidueCommand) -> Result<(), UserError> {
    match command {
        ResidueCommand::Hold(args) => hold::run(args),
        #[cfg(feature = "cuda")]
        ResidueCommand::Scan(args) => scan::run(args),
        #[cfg(not(feature = "cuda"))]
        ResidueCommand::Scan(_) => Err(UserError::failure(
            "this kgpu was built without CUDA",
            "build it with its default features",
        )),
    }
}
