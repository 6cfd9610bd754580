//! What needs a GPU, where there is one; and the helper without CUDA.

use anyhow::Result;

use crate::paths::Paths;
use crate::shell;
use crate::tally::Tally;

/// Random requests of each algorithm.
const CASES: &str = "1000";

/// `kgpu verify` on this machine's GPU, or a word that it was not run.
pub fn verify(paths: &Paths, tally: &mut Tally) -> Result<()> {
    let kgpu = |arguments: &[&str]| {
        let mut command = shell::cargo(&paths.root);
        command
            .args(["run", "--quiet", "--locked", "-p", "kgpu-userhelper", "--"])
            .args(arguments);
        command
    };
    let devices = shell::output(&mut kgpu(&["devices"]))?;
    print!("{devices}");
    if !devices.lines().any(|line| line.ends_with(" yes")) {
        tally.skip(
            "gpu: no CUDA device that can be used; the kernels were run on the host and assembled, not run on a GPU",
        );
        return Ok(());
    }
    print!(
        "{}",
        shell::output(&mut kgpu(&[
            "verify",
            "--backend",
            "cuda",
            "--cases",
            CASES
        ]))?
    );
    tally.pass(1);
    Ok(())
}

/// The helper must build without CUDA, and without the device toolchain.
pub fn without_cuda(paths: &Paths, tally: &mut Tally) -> Result<()> {
    shell::quiet(shell::cargo(&paths.root).args([
        "check",
        "--quiet",
        "--locked",
        "-p",
        "kgpu-userhelper",
        "--no-default-features",
    ]))?;
    tally.pass(1);
    Ok(())
}
