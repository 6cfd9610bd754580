//! The client of a serving helper's socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::region::Trouble;

/// How long the socket may take to appear.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a command and prints the answer; fails unless it is one to a command that was understood
/// and done.
pub fn tell(control: &Path, line: &str) -> Result<ExitCode, Trouble> {
    let since = Instant::now();
    let mut stream = loop {
        match UnixStream::connect(control) {
            Ok(stream) => break stream,
            Err(error) if since.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(20)),
        }
    };
    writeln!(stream, "{line}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    print!("{answer}");
    let done = ["struck ", "state ", "bye "];
    let done = done.iter().any(|start| answer.starts_with(start));
    Ok(if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
