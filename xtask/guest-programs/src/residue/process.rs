//! Another process's memory: all of its mappings, and which page frames they have.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use kgpu_core::abi::{DEVICE_PATH, MAP_CONTROL, MAP_HELPER, MAP_POOL};
use kgpu_verify::residue::Search;

use super::Found;

/// Bytes read at a time.
const CHUNK: usize = 1 << 16;
/// Bytes of a page.
const PAGE: u64 = 4096;
/// A page frame number's bits in a page map's entry, and whether it has one.
const FRAME: u64 = (1 << 55) - 1;
const PRESENT: u64 = 1 << 63;

/// A mapping of a process.
#[derive(Debug)]
struct Mapping {
    start: u64,
    end: u64,
    place: String,
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// Reads a line of /proc/PID/maps; `stacks` are the stack pointers of its threads.
fn mapping(line: &str, stacks: &[u64]) -> Option<Mapping> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (start, end) = (hex(start)?, hex(end)?);
    let readable = words.next()?.starts_with('r');
    let offset = hex(words.next()?)?;
    let path = words.nth(2).unwrap_or("");
    let place = match (path, offset) {
        ("[vvar]" | "[vvar_vclock]" | "[vsyscall]", _) => return None,
        (DEVICE_PATH, MAP_CONTROL) => "region:control",
        (DEVICE_PATH, MAP_HELPER) => "region:helper",
        (DEVICE_PATH, MAP_POOL) => "region:pool",
        ("[heap]", _) => "heap",
        ("[stack]", _) => "stack",
        ("", _) if stacks.iter().any(|at| (start..end).contains(at)) => "stack",
        ("", _) => "memory",
        _ => "file",
    };
    readable.then(|| Mapping {
        start,
        end,
        place: place.into(),
    })
}

/// Where a process's threads have their stacks, as far as they sleep in the kernel.
fn stacks(pid: u32) -> io::Result<Vec<u64>> {
    let mut stacks = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that runs has `running` here.
        let at = fs::read_to_string(thread?.path().join("syscall")).unwrap_or_default();
        let mut words = at.split_ascii_whitespace().rev();
        let pointer = words.nth(1).and_then(|word| hex(word.strip_prefix("0x")?));
        stacks.extend(pointer);
    }
    Ok(stacks)
}

fn mappings(pid: u32) -> io::Result<Vec<Mapping>> {
    let stacks = stacks(pid)?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    Ok(maps
        .lines()
        .filter_map(|line| mapping(line, &stacks))
        .collect())
}

/// Searches all of it. The result is how many bytes that were.
///
/// # Errors
/// What could not be read; a page that the process never touched is no error.
pub fn scan(pid: u32, search: &Search, found: &mut Found) -> io::Result<u64> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    for mapping in mappings(pid)? {
        let mut at = mapping.start;
        while at < mapping.end {
            let len = usize::try_from(mapping.end - at)
                .unwrap_or(CHUNK)
                .min(CHUNK);
            let Some(room) = buffer.get_mut(..len) else {
                break;
            };
            let read = match memory.read_at(room, at) {
                Ok(0) => break,
                Ok(read) => read,
                // Behind the end of a file, or not the process's to read.
                Err(_) => {
                    at = (at / PAGE + 1) * PAGE;
                    continue;
                }
            };
            let mut hits = 0;
            let part = room.get(..read).unwrap_or_default();
            search.each(part, |name, _| {
                hits += 1;
                found.add(name, &mapping.place);
            });
            room.fill(0);
            if hits > 0 {
                // The kernel passes the bytes through a page of its own and frees it as it is: the next one gets it.
                let _ = memory.read_at(room, at.wrapping_sub(PAGE) & !(PAGE - 1));
                room.fill(0);
            }
            bytes += u64::try_from(read).unwrap_or(0);
            let step = if read == len && at + u64::try_from(len).unwrap_or(0) < mapping.end {
                read - search.overlap()
            } else {
                read
            };
            at += u64::try_from(step.max(1)).unwrap_or(1);
        }
    }
    if bytes == 0 {
        return Err(io::Error::other(format!(
            "nothing of process {pid} could be read: run as root"
        )));
    }
    Ok(bytes)
}

/// Prints its page frames.
///
/// # Errors
/// What could not be read.
pub fn pages(pid: u32) -> io::Result<()> {
    let map = File::open(format!("/proc/{pid}/pagemap"))?;
    for mapping in mappings(pid)? {
        if mapping.place == "file" {
            continue;
        }
        for page in mapping.start / PAGE..mapping.end / PAGE {
            let mut entry = [0; 8];
            if map.read_at(&mut entry, page * 8)? != 8 {
                break;
            }
            let entry = u64::from_ne_bytes(entry);
            if entry & PRESENT != 0 && entry & FRAME != 0 {
                println!("{} {}", entry & FRAME, mapping.place);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_told_apart() {
        let place = |line: &str| mapping(line, &[0x7000_1000]).map(|mapping| mapping.place);
        let named = |line| place(line).unwrap_or_default();
        assert_eq!(named("1000-2000 rw-p 00000000 00:00 0 [heap]"), "heap");
        assert_eq!(
            named("1000-2000 rw-s 200000000 00:05 9 /dev/kgpu"),
            "region:pool"
        );
        assert_eq!(
            named("1000-2000 r--s 00000000 00:05 9 /dev/kgpu"),
            "region:control"
        );
        assert_eq!(named("70000000-70002000 rw-p 00000000 00:00 0"), "stack");
        assert_eq!(named("70002000-70004000 rw-p 00000000 00:00 0"), "memory");
        assert_eq!(
            named("1000-2000 r-xp 00000000 00:05 9 /usr/bin/kgpu"),
            "file"
        );
        assert!(place("1000-2000 ---p 00000000 00:00 0").is_none());
        assert!(place("nonsense").is_none());
    }

    #[test]
    fn this_process_finds_what_it_holds() {
        let mut mine: Vec<u8> = crate::residue::secrets::key(3).take(16).collect();
        mine.iter_mut()
            .for_each(|byte| *byte ^= kgpu_verify::residue::MASK);
        let mut found = Found::default();
        let search = Search::new(super::super::secrets::all());
        let bytes = scan(std::process::id(), &search, &mut found).unwrap();
        assert!(bytes > 1 << 20);
        let named = found
            .0
            .keys()
            .any(|(name, place)| name == "key3-low" && place != "file");
        assert!(named, "{found:?}");
        drop(std::hint::black_box(mine));
    }
}
