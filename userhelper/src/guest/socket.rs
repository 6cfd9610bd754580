//! The socket that a guest's machine connects to: this user's alone, and never another helper's.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::umask;

use crate::error::{UserError, exit};

/// Makes the socket, for its owner only. One that a dead helper left is replaced. To be called before there are
/// other threads that make files: the process's mask is changed for a moment.
///
/// # Errors
/// [`UserError`]: somebody listens there, the path is something else, or bind(2) failed.
pub fn listen(path: &Path) -> Result<UnixListener, UserError> {
    clear_the_way(path)?;
    let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let bound = UnixListener::bind(path);
    umask(before);
    bound.map_err(|error| UserError {
        what: format!("making the socket {} failed: {error}", path.display()),
        next: "name a path in a folder of yours, of at most 107 bytes".into(),
        code: match error.kind() {
            ErrorKind::PermissionDenied => exit::NO_RIGHTS,
            _ => exit::FAILURE,
        },
    })
}

/// Whether somebody waits to be accepted.
///
/// # Errors
/// What poll(2) said.
pub fn someone(listener: &UnixListener) -> Result<bool, Errno> {
    let mut fds = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
    match poll(&mut fds, Some(&Timespec::default())) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn clear_the_way(path: &Path) -> Result<(), UserError> {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    let at = path.display();
    if !found.file_type().is_socket() {
        return Err(UserError::failure(
            format!("{at} is there already and is no socket"),
            "name another path",
        ));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(UserError {
            what: format!("another process listens on {at}"),
            next: "stop it, or name another path: each guest has a helper of its own".into(),
            code: exit::BUSY,
        }),
        // Whose process is gone.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path)
            .map_err(|error| {
                UserError::failure(
                    format!("removing the stale socket {at} failed: {error}"),
                    "remove it, or name another path",
                )
            }),
        Err(error) => Err(UserError::failure(
            format!("looking whether somebody listens on {at} failed: {error}"),
            "name another path",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_stale_socket_is_replaced_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("kgpu-socket-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("guest");
        let first = listen(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(listen(&path).unwrap_err().code, exit::BUSY);
        drop(first);
        let second = listen(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        drop(second);
        let file = folder.join("file");
        std::fs::write(&file, "mine").unwrap();
        assert!(listen(&file).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
        assert!(listen(&folder.join("none").join("guest")).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
