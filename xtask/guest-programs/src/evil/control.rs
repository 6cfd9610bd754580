//! The socket that commands come on: a line in, a line out, any number of clients. What a command
//! means is `serve`'s to know.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::region::Trouble;

/// Longest line that is taken.
const LINE: usize = 256;

/// The client a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct From(u64);

#[derive(Debug)]
struct Client {
    id: u64,
    stream: UnixStream,
    line: Vec<u8>,
}

/// The socket and its clients.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    listener: UnixListener,
    clients: Vec<Client>,
    next: u64,
}

impl Control {
    /// Listens at a path; what an earlier run left there is removed.
    pub fn listen(path: &Path) -> Result<Self, Trouble> {
        let _none = std::fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            path: path.to_owned(),
            listener,
            clients: Vec::new(),
            next: 0,
        })
    }

    /// What to sleep on.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let clients = self.clients.iter().map(|client| client.stream.as_fd());
        std::iter::once(self.listener.as_fd()).chain(clients)
    }

    /// Takes what has come: whole lines, and who sent them. Never sleeps.
    pub fn lines(&mut self) -> Vec<(From, String)> {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.next += 1;
                self.clients.push(Client {
                    id: self.next,
                    stream,
                    line: Vec::new(),
                });
            }
        }
        let mut lines = Vec::new();
        self.clients.retain_mut(|client| client.read(&mut lines));
        lines
    }

    /// Answers a line. Who is gone gets nothing.
    pub fn answer(&mut self, to: From, line: &str) {
        for client in &mut self.clients {
            if client.id == to.0 {
                let _gone = writeln!(client.stream, "{line}");
            }
        }
    }
}

impl Client {
    /// Reads lines; whether the client is still there.
    fn read(&mut self, lines: &mut Vec<(From, String)>) -> bool {
        let mut bytes = [0; LINE];
        let there = match self.stream.read(&mut bytes) {
            Ok(0) => return false,
            Ok(len) => {
                self.line.extend(bytes.iter().take(len));
                true
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            lines.push((From(self.id), line));
        }
        there && self.line.len() < LINE
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
