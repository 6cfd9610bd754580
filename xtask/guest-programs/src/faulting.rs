//! Writes to a file whose bytes are not in memory, or nowhere, when write(2) wants them: from the file's own pages, and
//! from memory that ends within.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;
use vm_memory::{FileOffset, MmapRegion, VolatileMemory, VolatileMemoryError, WriteVolatile};

const PAGE: usize = 4096;
/// Pages of the file: more than a batch takes.
const PAGES: usize = 1200;
/// Pages of the memory that ends within.
const THERE: usize = 151;

/// Writes a file in `folder` in such ways, with more memory in `scratch`, which knows nothing of eCryptfs.
///
/// # Errors
/// The first write that did not do what POSIX says, or the file's wrong bytes.
pub fn run(folder: &Path, scratch: &Path) -> io::Result<()> {
    let name = folder.join("faulting");
    let mut expected: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(PAGES * PAGE)
        .collect();
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&name)?;
    file.write_all(&expected)?;

    // Onto themselves, all of them, and a part of them onto others.
    for (from, to, pages) in [(0, 0, PAGES), (700, 100, 400), (5, 900, 300)] {
        // A new mapping, of which no page was touched, of pages that are not in memory.
        forget(&file)?;
        let own = map(&file, PAGES * PAGE)?;
        let written = write(&mut file, &own, from, to, pages)?;
        if written != Ok(pages * PAGE) {
            return Err(wrong(&format!("{pages} of its own pages"), &written));
        }
        let end = (from + pages) * PAGE;
        expected.copy_within(from * PAGE..end, to * PAGE);
        compare(&mut file, &expected)?;
    }

    // What is there of the caller's bytes is written; then there is nothing.
    let mut other = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(scratch.join("ends-within"))?;
    other.write_all(&vec![0xa5; 2 * THERE * PAGE])?;
    let memory = map(&other, 2 * THERE * PAGE)?;
    other.set_len(u64::try_from(THERE * PAGE - 1).unwrap_or(0))?;
    let written = write(&mut file, &memory, 0, 40, 2 * THERE)?;
    // The page that ends within is there as a whole.
    if written != Ok(THERE * PAGE) {
        return Err(wrong("memory that ends within", &written));
    }
    let last = (40 + THERE) * PAGE - 1;
    if let Some(bytes) = expected.get_mut(40 * PAGE..last) {
        bytes.fill(0xa5);
    }
    if let Some(byte) = expected.get_mut(last) {
        *byte = 0;
    }
    let written = write(&mut file, &memory, THERE, 600, THERE)?;
    if written != Err(Errno::FAULT) {
        return Err(wrong("memory that is not there", &written));
    }
    compare(&mut file, &expected)?;
    std::fs::remove_file(scratch.join("ends-within"))
}

fn wrong(what: &str, written: &Result<usize, Errno>) -> io::Error {
    io::Error::other(format!("write(2) of {what}: {written:?}"))
}

fn map(file: &File, len: usize) -> io::Result<MmapRegion> {
    MmapRegion::from_file(FileOffset::new(file.try_clone()?, 0), len).map_err(io::Error::other)
}

/// One write(2) of pages of a mapping, to a page of the file.
fn write(
    file: &mut File,
    memory: &MmapRegion,
    from: usize,
    to: usize,
    pages: usize,
) -> io::Result<Result<usize, Errno>> {
    file.seek(SeekFrom::Start(u64::try_from(to * PAGE).unwrap_or(0)))?;
    let slice = memory
        .get_slice(from * PAGE, pages * PAGE)
        .map_err(io::Error::other)?;
    match file.write_volatile(&slice) {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(VolatileMemoryError::IOError(error)) => match Errno::from_io_error(&error) {
            Some(errno) => Ok(Err(errno)),
            None => Err(error),
        },
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Has the file's pages written and put out of memory.
fn forget(file: &File) -> io::Result<()> {
    file.sync_all()?;
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// What memory holds, and what is read again.
fn compare(file: &mut File, expected: &[u8]) -> io::Result<()> {
    for place in ["memory", "the file"] {
        let mut read = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut read)?;
        if read != expected {
            let at = std::iter::zip(&read, expected).position(|(read, expected)| read != expected);
            return Err(io::Error::other(format!(
                "{place} holds {} bytes, wrong at {at:?}",
                read.len()
            )));
        }
        forget(file)?;
    }
    Ok(())
}
