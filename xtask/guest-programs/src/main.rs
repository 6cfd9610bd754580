//! Test program for the guest's suites: what a helper must not do to the device, done on purpose.
//!
//! `errnos` provokes every refusal of the device; `open` tries to open it; `residue` looks for keys
//! and data in memory; `fuzz` calls the device at random; `nth` lets every single allocation of a call
//! fail; `faulting` writes what is not in memory; `chaos` strikes at helpers while volumes are at work,
//! and `hog` takes memory for it. Helpers that lie are `evil-helper`'s.
#![deny(unsafe_code)]

mod chaos;
mod errnos;
mod faulting;
mod fuzz;
mod nth;
mod pressure;
mod residue;

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
    /// Call the device in every way that it does not expect, from several processes and threads
    Fuzz(fuzz::Options),
    /// Fail every single allocation of a call in turn
    Nth(nth::Options),
    /// Need so much memory, and check what it holds, until a file is there
    Pressure {
        /// MiB of memory
        mib: usize,
        /// The file
        enough: std::path::PathBuf,
    },
    /// Write to a file what is not in memory, or nowhere, when it is wanted
    Faulting {
        /// Where the file is made
        folder: std::path::PathBuf,
        /// A folder of another file system
        scratch: std::path::PathBuf,
    },
    /// Strike at helpers at random moments while the volumes are at work
    Chaos(chaos::Options),
    /// Take memory until the kernel reclaims, whenever told
    Hog,
    /// Use known keys, or look for what is left of them in memory
    #[command(subcommand)]
    Residue(residue::Residue),
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
            Err(error) => failure(&error),
        },
        What::Fuzz(options) => match fuzz::run(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failure(&error),
        },
        What::Nth(options) => match nth::run(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failure(&error),
        },
        What::Pressure { mib, enough } => match pressure::run(mib, &enough) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error),
        },
        What::Faulting { folder, scratch } => match faulting::run(&folder, &scratch) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error),
        },
        What::Chaos(options) => match chaos::run(&options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failure(&error),
        },
        What::Hog => match chaos::hog::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error),
        },
        What::Residue(what) => match residue::run(what) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error),
        },
    }
}

fn failure(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("kgpu-guest: {error}");
    ExitCode::FAILURE
}
