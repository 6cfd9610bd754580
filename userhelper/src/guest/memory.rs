//! The guest's memory as its machine tells it: which guest addresses are which bytes of which file. Everything the
//! guest names by address is looked up here, and what is not there whole is refused.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;

use kgpu_core::abi::PAGE;
use kgpu_core::abi::guest::{AREAS_MAX, PageRun};
use kgpu_core::num::index;
use rustix::fs::FileType;
use vhost::vhost_user::message::VhostUserMemoryRegion;
use vm_memory::{GuestAddress, GuestMemoryMmap, GuestRegionMmap};

use super::setup::SetUpError;
use crate::region::{Piece, SourceArea};

/// Which file: device and inode.
type FileId = (u64, u64);

/// A table of memory that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// Addresses or sizes are not of whole pages, or wrap.
    #[error("{bytes} bytes of guest memory at {address:#x} are not whole pages")]
    Unaligned {
        /// Guest-physical address.
        address: u64,
        /// Bytes.
        bytes: u64,
    },
    /// What is behind it is no file, or a shorter one.
    #[error("behind {bytes} bytes of guest memory at {address:#x} is no file of {end} bytes")]
    File {
        /// Guest-physical address.
        address: u64,
        /// Bytes.
        bytes: u64,
        /// Bytes that the file must have.
        end: u64,
    },
    /// The file can't be mapped, or two parts lie on each other.
    #[error("guest memory can't be mapped: {0}")]
    Map(String),
}

/// Guest memory that is one stretch of a file.
#[derive(Debug)]
struct Area {
    address: u64,
    bytes: u64,
    /// Address in the guest's machine, by which it names the queues.
    user: u64,
    offset: u64,
    file: Arc<File>,
    id: FileId,
}

/// A stretch of a file that a session uses.
#[derive(Clone, Debug)]
pub struct Place {
    id: FileId,
    /// Which bytes.
    pub piece: Piece,
}

impl Place {
    fn end(&self) -> u64 {
        self.piece.offset.saturating_add(self.piece.bytes)
    }
}

/// An area as a region maps it.
pub fn source((run, place): &(PageRun, Place)) -> SourceArea {
    SourceArea {
        address: run.address,
        piece: place.piece.clone(),
    }
}

impl PartialEq for Place {
    /// The same bytes of the same file, whichever descriptor it is open by.
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.piece.offset, self.piece.bytes)
            == (other.id, other.piece.offset, other.piece.bytes)
    }
}

/// The guest's memory.
#[derive(Debug)]
pub struct Memory {
    areas: Vec<Area>,
    mapped: Arc<GuestMemoryMmap>,
}

impl Memory {
    /// Takes a table over and maps it, for the queues. Nothing is touched.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn new(regions: &[VhostUserMemoryRegion], files: Vec<File>) -> Result<Self, MemoryError> {
        let map = |error: &dyn std::fmt::Debug| MemoryError::Map(format!("{error:?}"));
        let (mut areas, mut mapped) = (Vec::new(), Vec::new());
        for (region, file) in regions.iter().zip(files) {
            let (address, bytes) = (region.guest_phys_addr, region.memory_size);
            let (user, offset) = (region.user_addr, region.mmap_offset);
            let ends = [address, user, offset].map(|start| start.checked_add(bytes));
            let whole = (address | bytes | offset).is_multiple_of(PAGE);
            if bytes == 0 || !whole || ends.contains(&None) {
                return Err(MemoryError::Unaligned { address, bytes });
            }
            let stat = rustix::fs::fstat(file.as_fd()).map_err(|errno| map(&errno))?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            let end = offset.saturating_add(bytes);
            // What it is shortened by later is SIGBUS (`region::lost`).
            if kind != FileType::RegularFile
                || u64::try_from(stat.st_size).is_ok_and(|size| size < end)
            {
                return Err(MemoryError::File {
                    address,
                    bytes,
                    end,
                });
            }
            let piece = region.mmap_region(file).map_err(|error| map(&error))?;
            let backed = piece.file_offset().map(|at| Arc::clone(at.arc()));
            areas.push(Area {
                address,
                bytes,
                user,
                offset,
                file: backed.ok_or_else(|| map(&"no file"))?,
                id: (stat.st_dev, stat.st_ino),
            });
            let piece = GuestRegionMmap::new(piece, GuestAddress(address));
            mapped.push(piece.ok_or(MemoryError::Unaligned { address, bytes })?);
        }
        areas.sort_unstable_by_key(|area| area.address);
        mapped.sort_unstable_by_key(vm_memory::GuestMemoryRegion::start_addr);
        let mapped = GuestMemoryMmap::from_regions(mapped).map_err(|error| map(&error))?;
        Ok(Self {
            areas,
            mapped: Arc::new(mapped),
        })
    }

    /// As the queues see it.
    pub const fn mapped(&self) -> &Arc<GuestMemoryMmap> {
        &self.mapped
    }

    /// The guest-physical address of an address in the guest's machine.
    pub fn of_user(&self, user: u64) -> Option<GuestAddress> {
        self.areas.iter().find_map(|area| {
            let at = user.checked_sub(area.user)?;
            (at < area.bytes).then(|| GuestAddress(area.address + at))
        })
    }

    /// Where runs lie; those that follow on each other in a file are one place.
    ///
    /// # Errors
    /// `SetUpError::Outside` for the first run that is not whole inside one area.
    pub fn places(&self, runs: &[PageRun]) -> Result<Vec<Place>, SetUpError> {
        let mut places: Vec<Place> = Vec::new();
        for run in runs {
            let place = self.place(run).ok_or(SetUpError::Outside(*run))?;
            match places.last_mut() {
                Some(last) if last.id == place.id && last.end() == place.piece.offset => {
                    last.piece.bytes += place.piece.bytes;
                }
                _ => places.push(place),
            }
        }
        Ok(places)
    }

    /// The areas that sources may lie in: all of the memory, or the largest ones where a session can't name so many.
    pub fn sources(&self) -> Vec<(PageRun, Place)> {
        let mut areas: Vec<_> = self.areas.iter().collect();
        areas.sort_by_key(|area| std::cmp::Reverse(area.bytes));
        areas.truncate(AREAS_MAX);
        areas.sort_unstable_by_key(|area| area.address);
        let run = |area: &&Area| PageRun {
            address: area.address,
            bytes: area.bytes,
        };
        let runs = areas.iter().map(run);
        runs.filter_map(|run| Some((run, self.place(&run)?)))
            .collect()
    }

    /// Whether a run is still those bytes, however the memory is cut into areas.
    pub fn has(&self, run: &PageRun, place: &Place) -> bool {
        let (mut address, mut offset, mut left) = (run.address, place.piece.offset, run.bytes);
        while left > 0 {
            let Some(area) = self.area(address) else {
                return false;
            };
            let at = address - area.address;
            let here = left.min(area.bytes.saturating_sub(at));
            if here == 0 || area.id != place.id || area.offset + at != offset {
                return false;
            }
            // None of the sums is beyond an area's end, which is a number.
            (address, offset, left) = (address + here, offset + here, left - here);
        }
        true
    }

    /// The last area that begins at or before an address.
    fn area(&self, address: u64) -> Option<&Area> {
        let before = self.areas.partition_point(|area| area.address <= address);
        self.areas.get(before.checked_sub(1)?)
    }

    fn place(&self, run: &PageRun) -> Option<Place> {
        let area = self.area(run.address)?;
        let at = run.address.checked_sub(area.address)?;
        (at.checked_add(run.bytes)? <= area.bytes).then(|| Place {
            id: area.id,
            piece: Piece {
                file: Arc::clone(&area.file),
                offset: area.offset + at,
                bytes: run.bytes,
            },
        })
    }
}

/// Whether no two places share a byte, by whatever addresses the guest has them.
pub fn apart(places: &[Vec<Place>]) -> bool {
    let mut all: Vec<&Place> = places.iter().flatten().collect();
    all.sort_unstable_by_key(|place| (place.id, place.piece.offset));
    all.windows(2).all(|pair| match pair {
        [a, b] => a.id != b.id || a.end() <= b.piece.offset,
        _ => true,
    })
}

/// Mappings that places need, in all.
pub fn mappings(places: &[Vec<Place>]) -> usize {
    places.iter().map(Vec::len).sum()
}

/// Mappings that a process may have (`vm.max_map_count`), less what it needs for itself.
pub fn most_mappings() -> usize {
    /// Far more than a helper has beside its region.
    const OWN: usize = 4096;
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count");
    let limit = limit.ok().and_then(|text| text.trim().parse().ok());
    index(limit.unwrap_or(65_530)).saturating_sub(OWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

    fn memory(areas: &[(u64, u64, u64, u64)]) -> Result<Memory, MemoryError> {
        let file = File::from(memfd_create("kgpu-test", MemfdFlags::CLOEXEC).unwrap());
        ftruncate(&file, 1 << 20).unwrap();
        let regions: Vec<_> = areas
            .iter()
            .map(|&(address, bytes, user, offset)| {
                VhostUserMemoryRegion::new(address, bytes, user, offset)
            })
            .collect();
        let files = areas.iter().map(|_| file.try_clone().unwrap()).collect();
        Memory::new(&regions, files)
    }

    const fn run(address: u64, bytes: u64) -> PageRun {
        PageRun { address, bytes }
    }

    #[test]
    fn runs_are_found_in_the_file_and_joined() {
        // Told in any order.
        let memory = memory(&[
            (0x10_0000, 0x8000, 0x7000_0000, 0x1000),
            (0x1000, 0x4000, 0x6000_0000, 0x9_0000),
        ])
        .unwrap();
        let places = memory
            .places(&[
                run(0x10_0000, 0x1000),
                run(0x10_1000, 0x2000),
                run(0x1000, 0x4000),
                run(0x10_7000, 0x1000),
            ])
            .unwrap();
        let found: Vec<_> = places
            .iter()
            .map(|place| (place.piece.offset, place.piece.bytes))
            .collect();
        let expected = [(0x1000, 0x3000), (0x9_0000, 0x4000), (0x8000, 0x1000)];
        assert_eq!(found, expected);
        assert!(apart(&[places.clone(), Vec::new()]));
        assert!(!apart(&[places.clone(), places[..1].to_vec()]));
        assert_eq!(mappings(&[places, Vec::new()]), 3);
        assert_eq!(memory.of_user(0x7000_0010), Some(GuestAddress(0x10_0010)));
        assert_eq!(memory.of_user(0x6000_3fff), Some(GuestAddress(0x4fff)));
        assert_eq!(memory.of_user(0x6000_4000), None);
        assert_eq!(memory.of_user(0), None);
    }

    #[test]
    fn runs_that_leave_their_area_are_refused() {
        // Neighbours by address are still two areas.
        let memory = memory(&[(0x1000, 0x1000, 0, 0), (0x2000, 0x1000, 0x1000, 0x5000)]).unwrap();
        for bad in [
            run(0, 0x1000),
            run(0x1000, 0x2000),
            run(0x2000, 0x2000),
            run(0x3000, 0x1000),
            run(u64::MAX - 0xfff, 0x1000),
            run(0x1000, u64::MAX - 0xfff),
        ] {
            let refused = memory.places(&[run(0x1000, 0x1000), bad]);
            assert_eq!(refused.unwrap_err(), SetUpError::Outside(bad));
        }
    }

    #[test]
    fn aliases_of_the_same_bytes_are_seen() {
        let memory = memory(&[(0x1000, 0x2000, 0, 0), (0x8000, 0x2000, 0x4000, 0x1000)]).unwrap();
        let one = memory.places(&[run(0x2000, 0x1000)]).unwrap();
        let two = memory.places(&[run(0x8000, 0x1000)]).unwrap();
        assert!(!apart(&[one.clone(), two]));
        let beside = memory.places(&[run(0x9000, 0x1000)]).unwrap();
        assert!(apart(&[one, beside]));
    }

    #[test]
    fn sources_are_the_largest_areas() {
        let table = |count: u64| -> Vec<_> {
            let area = |n: u64| (n << 20, (1 + n % 5) << 12, n << 20, n << 16);
            (1..=count).map(area).collect()
        };
        let all = memory(&table(3)).unwrap().sources();
        let runs: Vec<_> = all.iter().map(|(run, _)| *run).collect();
        let expected = [1, 2, 3].map(|n| run(n << 20, (1 + n) << 12));
        assert_eq!(runs, expected);
        assert_eq!(all[1].1.piece.offset, 2 << 16);
        let most = memory(&table(12)).unwrap().sources();
        let pages: Vec<_> = most.iter().map(|(run, _)| run.bytes >> 12).collect();
        // Of 2 3 4 5 1 2 3 4 5 1 2 3.
        assert_eq!(pages, [2, 3, 4, 5, 3, 4, 5, 3]);
    }

    #[test]
    fn memory_is_the_same_however_it_is_cut() {
        let whole = memory(&[(0x1000, 0x4000, 0, 0x2000)]).unwrap();
        let (run, place) = &whole.sources()[0];
        assert!(whole.has(run, place));
        // The same file, which `memory` makes anew.
        let file = &whole.areas[0].file;
        let told = |areas: &[(u64, u64, u64)]| {
            let user = |at: u64| 0x7000_0000 + at;
            let region = |&(address, bytes, offset): &(u64, u64, u64)| {
                VhostUserMemoryRegion::new(address, bytes, user(address), offset)
            };
            let regions: Vec<_> = areas.iter().map(region).collect();
            let files = areas.iter().map(|_| file.try_clone().unwrap()).collect();
            Memory::new(&regions, files).unwrap().has(run, place)
        };
        assert!(told(&[(0x1000, 0x4000, 0x2000)]));
        assert!(told(&[(0x1000, 0x1000, 0x2000), (0x2000, 0x3000, 0x3000)]));
        assert!(told(&[(0, 0x8000, 0x1000)]));
        assert!(!told(&[(0x1000, 0x4000, 0x3000)]));
        assert!(!told(&[(0x1000, 0x1000, 0x2000), (0x2000, 0x3000, 0x4000)]));
        assert!(!told(&[(0x1000, 0x1000, 0x2000), (0x3000, 0x2000, 0x4000)]));
        assert!(!told(&[(0x1000, 0x3000, 0x2000)]));
        assert!(!told(&[(0x2000, 0x3000, 0x3000)]));
        let other = memory(&[(0x1000, 0x4000, 0, 0x2000)]).unwrap();
        assert!(!other.has(run, place));
    }

    #[test]
    fn tables_that_are_none() {
        for bad in [
            &[(1, 0x1000, 0, 0)][..],
            &[(0, 0x1001, 0, 0)],
            &[(0, 0, 0, 0)],
            &[(0, 0x1000, 0, 5)],
            &[(0, 0x1000, u64::MAX, 0)],
            &[(u64::MAX - 0xfff, 0x2000, 0, 0)],
            // Beyond the file's end, and on each other.
            &[(0, 2 << 20, 0, 0)],
            &[(0, 0x2000, 0, 0), (0x1000, 0x1000, 0x9000, 0x8000)],
            &[],
        ] {
            assert!(memory(bad).is_err(), "{bad:?}");
        }
    }
}
