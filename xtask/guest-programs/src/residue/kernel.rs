//! The machine's memory by page frames: through the kernel's own image of it, `/proc/kcore`, an ELF file whose
//! segments say which physical addresses they show. What a frame is used for tells `/proc/kpageflags`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use kgpu_verify::residue::Search;

use super::Found;

const PAGE: u64 = 4096;
const CHUNK: usize = 1 << 16;
/// A segment of memory with content.
const PT_LOAD: u32 = 1;
/// Bits of a frame's flags: slab, free, anonymous, of a file or swap cache.
const SLAB: u64 = 1 << 7;
const BUDDY: u64 = 1 << 10;
const ANON: u64 = 1 << 12;
const LRU: u64 = 1 << 5;
const NOPAGE: u64 = 1 << 20;

/// Physical memory, and where the file has it.
#[derive(Clone, Copy, Debug)]
struct Segment {
    offset: u64,
    physical: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Kernel {
    memory: File,
    flags: File,
    segments: Vec<Segment>,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk::<N>());
    found.copied().unwrap_or([0; N])
}

/// The segments of physical memory in an ELF file's headers (64-bit, little-endian).
fn segments(headers: &[u8]) -> Vec<Segment> {
    let long = |at| u64::from_le_bytes(number(headers, at));
    let first = usize::try_from(long(32)).unwrap_or(usize::MAX);
    let size = usize::from(u16::from_le_bytes(number(headers, 54)));
    let count = usize::from(u16::from_le_bytes(number(headers, 56)));
    (0..count)
        .map(|n| first.saturating_add(n * size))
        .filter(|at| u32::from_le_bytes(number(headers, *at)) == PT_LOAD)
        .map(|at| {
            let segment = Segment {
                offset: long(at + 8),
                physical: long(at + 24),
                bytes: long(at + 32),
            };
            (long(at + 16), segment)
        })
        // Others are addresses without memory of their own; the kernel's image lies in the memory too.
        .filter(|(virtual_at, segment)| {
            segment.physical != u64::MAX && *virtual_at < 0xffff_ffff_8000_0000
        })
        .map(|(_, segment)| segment)
        .collect()
}

impl Kernel {
    fn open() -> io::Result<Self> {
        let memory = File::open("/proc/kcore")?;
        let mut headers = vec![0; 1 << 16];
        let read = memory.read_at(&mut headers, 0)?;
        headers.truncate(read);
        let segments = segments(&headers);
        if segments.is_empty() {
            return Err(io::Error::other("/proc/kcore shows no memory"));
        }
        Ok(Self {
            memory,
            flags: File::open("/proc/kpageflags")?,
            segments,
        })
    }

    /// What a page frame is used for. One that a processor keeps for itself, free, has no flag: `kernel` as well.
    fn place(&self, frame: u64) -> &'static str {
        let mut flags = [0; 8];
        if self.flags.read_at(&mut flags, frame * 8).ok() != Some(8) {
            return "unknown";
        }
        match u64::from_ne_bytes(flags) {
            flags if flags & NOPAGE != 0 => "no-page",
            flags if flags & BUDDY != 0 => "free",
            flags if flags & SLAB != 0 => "slab",
            flags if flags & ANON != 0 => "process",
            flags if flags & LRU != 0 => "file",
            _ => "kernel",
        }
    }

    /// Searches a part of the file. The result is how many bytes could be read.
    fn search(
        &self,
        from: u64,
        bytes: u64,
        search: &Search,
        mut found: impl FnMut(&str, u64),
    ) -> u64 {
        let mut buffer = vec![0; CHUNK];
        let (mut at, end, mut all) = (from, from + bytes, 0);
        while at < end {
            let len = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
            let Some(room) = buffer.get_mut(..len) else {
                break;
            };
            let Ok(read @ 1..) = self.memory.read_at(room, at) else {
                at = (at / PAGE + 1) * PAGE;
                continue;
            };
            let mut hits = 0;
            let part = room.get(..read).unwrap_or_default();
            if part.iter().any(|byte| *byte != 0) {
                search.each(part, |name, place| {
                    hits += 1;
                    found(name, at + u64::try_from(place).unwrap_or(0));
                });
            }
            if hits > 0 {
                // This process's memory is searched as well, and the page that the kernel passes the bytes through, which
                // it frees as it is: nothing may be found there. Another page goes through it.
                let first = self.segments.first().map_or(0, |segment| segment.offset);
                room.fill(0);
                let _ = self.memory.read_at(room, first);
                room.fill(0);
            }
            all += u64::try_from(read).unwrap_or(0);
            let step = if at + u64::try_from(read).unwrap_or(0) < end {
                read.saturating_sub(search.overlap())
            } else {
                read
            };
            at += u64::try_from(step.max(1)).unwrap_or(1);
        }
        all
    }
}

/// Searches all memory. What is in a frame of the list `apart` has a place of its own. The result is how many bytes
/// that were.
///
/// # Errors
/// What could not be read, or a list that is none.
pub fn scan(apart: Option<&Path>, search: &Search, found: &mut Found) -> io::Result<u64> {
    let apart: BTreeMap<u64, String> = match apart {
        Some(list) => frames(list)?.into_iter().collect(),
        None => BTreeMap::new(),
    };
    let kernel = Kernel::open()?;
    let mut bytes = 0;
    for segment in &kernel.segments {
        bytes += kernel.search(segment.offset, segment.bytes, search, |name, at| {
            let frame = (segment.physical + (at - segment.offset)) / PAGE;
            if apart.contains_key(&frame) {
                found.add(name, "listed");
            } else {
                found.add(name, kernel.place(frame));
            }
        });
    }
    Ok(bytes)
}

/// The page frames that `pages` noted, with their places.
fn frames(list: &Path) -> io::Result<Vec<(u64, String)>> {
    let noted = fs::read_to_string(list)?;
    let frame = |line: &str| {
        let wrong = || io::Error::other(format!("`{line}` is no page frame and place"));
        let (frame, place) = line.split_once(' ').ok_or_else(wrong)?;
        Ok((frame.parse().map_err(|_| wrong())?, place.to_owned()))
    };
    noted.lines().map(frame).collect()
}

/// Searches page frames that `pages` noted. The result is how many bytes that were.
///
/// # Errors
/// What could not be read, or a list that is none.
pub fn scan_pages(list: &Path, search: &Search, found: &mut Found) -> io::Result<u64> {
    let kernel = Kernel::open()?;
    let mut bytes = 0;
    for (frame, place) in frames(list)? {
        let physical = frame * PAGE;
        let holds = |s: &&Segment| (s.physical..s.physical + s.bytes).contains(&physical);
        let Some(segment) = kernel.segments.iter().find(holds) else {
            continue;
        };
        let at = segment.offset + (physical - segment.physical);
        bytes += kernel.search(at, PAGE, search, |name, _| {
            found.add(name, &format!("{place}:{}", kernel.place(frame)));
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_those_of_memory() {
        let mut file = vec![0u8; 64 + 4 * 56];
        file[32] = 64;
        file[54] = 56;
        file[56] = 4;
        let mut segment = |n: usize, kind: u8, virtual_at: u64, physical: u64| {
            let at = 64 + n * 56;
            file[at] = kind;
            for (field, value) in [(8, 4096), (16, virtual_at), (24, physical), (32, 8192)] {
                file[at + field..at + field + 8].copy_from_slice(&u64::to_le_bytes(value));
            }
        };
        segment(0, 4, 0, 0);
        segment(1, 1, 0xffff_ffff_8100_0000, 0x10_0000);
        segment(2, 1, 0xffff_c900_0000_0000, u64::MAX);
        segment(3, 1, 0xffff_8880_0000_1000, 0x1000);
        let found = segments(&file);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].physical, found[0].bytes, found[0].offset),
            (0x1000, 8192, 4096)
        );
        assert!(segments(&[]).is_empty());
    }
}
