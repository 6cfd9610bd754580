//! A helper that harms on purpose, for the guest's suites and chaos runs.
//!
//! `lie` serves rightly until it tells its one lie; `serve` serves rightly and fast until it is
//! told over a socket to strike, and ends when its session does, with an exit code that says how;
//! `tell` is the other end of that socket. `events` is not in the guest but on its host, behind a device.
#![deny(unsafe_code)]

mod commands;
mod control;
mod events;
mod flip;
mod liar;
mod region;
mod rewrite;
mod serve;
mod start;
mod strike;
mod tricks;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kgpu_core::peer::Lie;

/// A helper that harms on purpose.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serve rightly until live, then lie in one way; stay until killed
    Lie {
        /// The lie: a class of the peer's, or `flip`, `rewrite`, `tricks`
        #[arg(value_parser = How::parse)]
        how: How,
        /// How long to go on where that is not until the session is over
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// What chance is made of
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// List the classes of lies
    Lies,
    /// Serve until told to strike
    Serve {
        /// Path of the socket that commands come on
        #[arg(long)]
        control: PathBuf,
        /// What chance is made of
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Take the device over from the helper that has it
        #[arg(long)]
        takeover: bool,
        /// Attach only when told `attach` on the socket
        #[arg(long)]
        wait: bool,
    },
    /// Be a guest's device that uses each event's buffer again at once, for as long as the guest has it
    Events {
        /// Path of the socket that the guest's machine connects to
        socket: PathBuf,
    },
    /// Send a command to a serving one and print what it answers
    Tell {
        /// Path of its socket
        control: PathBuf,
        /// The command
        #[arg(required = true)]
        words: Vec<String>,
    },
}

/// How to lie.
#[derive(Clone, Copy, Debug)]
enum How {
    /// As a class of the peer's.
    Told(Lie),
    /// Words and completions flipped by a second thread.
    Flip,
    /// Results rewritten by a second thread.
    Rewrite,
    /// The mappings played with.
    Tricks,
}

impl How {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "flip" => Self::Flip,
            "rewrite" => Self::Rewrite,
            "tricks" => Self::Tricks,
            label => Self::Told(Lie::by_label(label).ok_or("no such lie: see `lies`")?),
        })
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().what {
        What::Lie { how, seconds, seed } => match how {
            How::Told(lie) => liar::run(lie, seed),
            How::Flip => flip::run(seconds, seed),
            How::Rewrite => rewrite::run(seed),
            How::Tricks => tricks::run(),
        }
        .map(|()| ExitCode::SUCCESS),
        What::Lies => {
            for lie in Lie::ALL {
                println!("{}: {}; {}", lie.label(), lie.about(), lie.answer());
            }
            Ok(ExitCode::SUCCESS)
        }
        What::Serve {
            control,
            seed,
            takeover,
            wait,
        } => serve::run(&control, seed, takeover, wait).map(|over| ExitCode::from(over.code())),
        What::Events { socket } => events::run(&socket).map(|()| ExitCode::SUCCESS),
        What::Tell { control, words } => commands::tell(&control, &words.join(" ")),
    };
    done.unwrap_or_else(|trouble| {
        eprintln!("evil-helper: {trouble}");
        ExitCode::FAILURE
    })
}
