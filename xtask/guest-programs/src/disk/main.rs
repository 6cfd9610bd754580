//! `ram-disk`: disks of a guest's in this process's memory, by virtio-blk over vhost-user. For the benchmark: a guest's own ram
//! disk has its processors copy every byte, which neither a real disk nor a virtual machine's does.
#![deny(unsafe_code)]

mod block;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;

use clap::Parser;
use vhost_user_backend::VhostUserDaemon;
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};

/// Serves disks to one guest until it is gone; each has a thread of its own, and begins with zeros.
#[derive(Debug, Parser)]
#[command(name = "ram-disk")]
struct Args {
    /// Size of each disk in MiB
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    mib: u32,
    /// Unix sockets to listen at, a disk each
    #[arg(required = true)]
    sockets: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let serving: Vec<_> = args
        .sockets
        .into_iter()
        .map(|socket| {
            let mib = args.mib;
            thread::spawn(move || {
                serve(&socket, mib).map_err(|error| format!("{}: {error}", socket.display()))
            })
        })
        .collect();
    let mut code = ExitCode::SUCCESS;
    for thread in serving {
        let ended = thread
            .join()
            .unwrap_or_else(|_| Err("its thread panicked".into()));
        if let Err(error) = ended {
            eprintln!("{error}");
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn serve(socket: &PathBuf, mib: u32) -> Result<(), String> {
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let disk = Arc::new(Mutex::new(block::Disk::new(mib, memory.clone())));
    let mut daemon =
        VhostUserDaemon::new("ram-disk".into(), disk, memory).map_err(|error| error.to_string())?;
    daemon.serve(socket).map_err(|error| error.to_string())
}
