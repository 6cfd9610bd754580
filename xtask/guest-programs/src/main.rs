//! Test program for the guest's suites: what a helper must not do to the device, done on purpose.
//!
//! `errnos` provokes every refusal of the device; `open` tries to open it. Helpers that lie are
//! `evil-helper`'s.
#![deny(unsafe_code)]

mod errnos;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kgpu_guest::device;

/// Test program for the guest's suites.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Open the device and say what came of it
    Open,
    /// Provoke every refusal of the device, each with its errno and its line of the log
    Errnos,
}

fn main() -> ExitCode {
    match Cli::parse().what {
        What::Open => {
            match device::open() {
                Ok(_) => println!("opened"),
                Err(errno) => println!("errno {}", errno.raw_os_error()),
            }
            ExitCode::SUCCESS
        }
        What::Errnos => match errnos::run() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("kgpu-guest: {error}");
                ExitCode::FAILURE
            }
        },
    }
}
