//! One disk: what virtio 1.2, 5.2 ("Block Device") asks for, with one queue.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackendMut, VringRwLock, VringT};
use virtio_queue::{DescriptorChain, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

/// Bytes of a sector of the protocol's, whatever the disk's blocks are.
const SECTOR: u64 = 512;
/// Bytes of the disk's blocks.
const BLOCK: u32 = 4096;
/// As many as User-Mode Linux takes.
const QUEUE: u16 = 256;
/// Pieces of a request's data: less its header and its status.
const SEGMENTS: u32 = QUEUE as u32 - 2;
/// Bytes of a request's header: type, reserved, sector.
const HEADER: u32 = 16;

/// For how long it looks for more before it asks the guest to be told: telling costs the guest a system call.
const POLL: Duration = Duration::from_micros(50);
/// Requests of one interrupt at most: an interrupt costs the guest several system calls.
const TOGETHER: u32 = 4;

const F_SEG_MAX: u64 = 1 << 2;
const F_BLK_SIZE: u64 = 1 << 6;
const F_INDIRECT: u64 = 1 << 28;
const F_EVENT_IDX: u64 = 1 << 29;
const F_VERSION_1: u64 = 1 << 32;

/// What a request asks for.
const IN: u32 = 0;
const OUT: u32 = 1;
const FLUSH: u32 = 4;

/// Its outcome, in its last byte.
const OK: u8 = 0;
const ERROR: u8 = 1;
const UNSUPPORTED: u8 = 2;

type Memory = GuestMemoryAtomic<GuestMemoryMmap>;
type Chain = DescriptorChain<<Memory as GuestAddressSpace>::T>;

/// A disk and the guest's memory.
#[derive(Debug)]
pub(crate) struct Disk {
    bytes: Vec<u8>,
    memory: Memory,
}

impl Disk {
    /// A disk of zeros.
    pub(crate) fn new(mib: u32, memory: Memory) -> Self {
        Self {
            bytes: vec![0; (mib as usize) << 20],
            memory,
        }
    }

    /// What is queued now.
    fn serve(&mut self, vring: &VringRwLock) -> io::Result<()> {
        let mut untold = 0;
        loop {
            let memory = self.memory.memory();
            let next = vring.get_mut().get_queue_mut().pop_descriptor_chain(memory);
            if untold == TOGETHER || (next.is_none() && untold > 0) {
                untold = 0;
                if vring.needs_notification().map_err(io::Error::other)? {
                    vring.signal_used_queue()?;
                }
            }
            let Some(chain) = next else { return Ok(()) };
            let head = chain.head_index();
            let written = self.request(chain);
            vring.add_used(head, written).map_err(io::Error::other)?;
            untold += 1;
        }
    }

    /// Whether more was queued within a while.
    fn more_comes(&self, vring: &VringRwLock) -> io::Result<bool> {
        let since = Instant::now();
        while since.elapsed() < POLL {
            let memory = self.memory.memory();
            let mut state = vring.get_mut();
            let queue = state.get_queue_mut();
            let queued = queue
                .avail_idx(&*memory, Ordering::Acquire)
                .map_err(io::Error::other)?;
            if queued.0 != queue.next_avail() {
                return Ok(true);
            }
            std::hint::spin_loop();
        }
        Ok(false)
    }

    /// One request, its header and its status in pieces of their own, as Linux lays them out; the result is how many bytes
    /// were written to the guest's memory.
    fn request(&mut self, chain: Chain) -> u32 {
        let memory = chain.memory().clone();
        // (address, bytes, whether it is ours to write)
        let parts: Vec<_> = chain
            .map(|part| (part.addr(), part.len(), part.is_write_only()))
            .collect();
        let [(header, HEADER, false), data @ .., (status, 1.., true)] = parts.as_slice() else {
            return 0;
        };
        let (outcome, written) = self.carry_out(&memory, *header, data);
        match memory.write_obj(outcome, *status) {
            Ok(()) => written + 1,
            Err(_) => 0,
        }
    }

    fn carry_out(
        &mut self,
        memory: &GuestMemoryMmap,
        header: GuestAddress,
        data: &[(GuestAddress, u32, bool)],
    ) -> (u8, u32) {
        let (Ok(kind), Ok(sector)) = (
            memory.read_obj::<u32>(header),
            memory.read_obj::<u64>(GuestAddress(header.0 + 8)),
        ) else {
            return (ERROR, 0);
        };
        if kind == FLUSH {
            return (OK, 0);
        }
        if kind != IN && kind != OUT {
            return (UNSUPPORTED, 0);
        }
        let (mut at, mut written) = (sector.saturating_mul(SECTOR), 0);
        for (address, len, ours) in data {
            let end = at.saturating_add(u64::from(*len));
            let range = usize::try_from(at).ok().zip(usize::try_from(end).ok());
            let Some(bytes) = range.and_then(|(at, end)| self.bytes.get_mut(at..end)) else {
                return (ERROR, written);
            };
            let done = match (kind, ours) {
                (IN, true) => memory.write_slice(bytes, *address).map(|()| written += len),
                (OUT, false) => memory.read_slice(bytes, *address),
                _ => return (ERROR, written),
            };
            if done.is_err() {
                return (ERROR, written);
            }
            at = end;
        }
        (OK, written)
    }
}

impl VhostUserBackendMut for Disk {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        1
    }

    fn max_queue_size(&self) -> usize {
        usize::from(QUEUE)
    }

    fn features(&self) -> u64 {
        F_SEG_MAX
            | F_BLK_SIZE
            | F_INDIRECT
            | F_EVENT_IDX
            | F_VERSION_1
            | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::CONFIG
    }

    // The vring knows.
    fn set_event_idx(&mut self, _enabled: bool) {}

    fn update_memory(&mut self, _memory: Memory) -> io::Result<()> {
        Ok(())
    }

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        // Capacity, the largest piece (any), pieces, geometry (none), bytes of a block; the rest says nothing.
        let mut config = Vec::with_capacity(256);
        config.extend((self.bytes.len() as u64 / SECTOR).to_le_bytes());
        config.extend(0_u32.to_le_bytes());
        config.extend(SEGMENTS.to_le_bytes());
        config.extend([0; 4]);
        config.extend(BLOCK.to_le_bytes());
        config.resize(256, 0);
        let (from, len) = (offset as usize, size as usize);
        from.checked_add(len)
            .and_then(|to| config.get(from..to))
            .map(<[u8]>::to_vec)
            .unwrap_or_default()
    }

    fn handle_event(
        &mut self,
        event: u16,
        set: EventSet,
        vrings: &[VringRwLock],
        _thread: usize,
    ) -> io::Result<()> {
        let (0, EventSet::IN, [vring]) = (event, set, vrings) else {
            return Err(io::Error::other(format!("event {event}: {set:?}")));
        };
        loop {
            vring.disable_notification().map_err(io::Error::other)?;
            self.serve(vring)?;
            if self.more_comes(vring)? {
                continue;
            }
            // Whether something came before the guest could know that we want to be told.
            if !vring.enable_notification().map_err(io::Error::other)? {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: GuestAddress = GuestAddress(4096);
    const LEN: u32 = 1024;

    /// A disk of 1 MiB, its guest's memory, and a request over [`LEN`] bytes at [`DATA`], which are the disk's to write or not.
    fn ask(disk: &mut Disk, kind: u32, sector: u64, ours: bool) -> (u8, u32) {
        let memory = disk.memory.memory();
        memory.write_obj(kind, GuestAddress(0)).unwrap();
        memory.write_obj(sector, GuestAddress(8)).unwrap();
        disk.carry_out(&memory, GuestAddress(0), &[(DATA, LEN, ours)])
    }

    fn disk() -> Disk {
        let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), 1 << 16)]).unwrap();
        Disk::new(1, GuestMemoryAtomic::new(memory))
    }

    #[test]
    fn what_was_written_is_read() {
        let mut disk = disk();
        let memory = disk.memory.memory();
        memory.write_slice(&[7; LEN as usize], DATA).unwrap();
        assert_eq!(ask(&mut disk, OUT, 3, false), (OK, 0));
        memory.write_slice(&[0; LEN as usize], DATA).unwrap();
        assert_eq!(ask(&mut disk, IN, 3, true), (OK, LEN));
        let mut found = [0; LEN as usize];
        memory.read_slice(&mut found, DATA).unwrap();
        assert_eq!(found, [7; LEN as usize]);
        assert_eq!(disk.bytes[..3 * 512], [0; 3 * 512]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut disk = disk();
        let last = (1 << 20) / SECTOR - 2;
        assert_eq!(ask(&mut disk, OUT, last, false), (OK, 0));
        for sector in [last + 1, 1 << 60, u64::MAX] {
            assert_eq!(ask(&mut disk, OUT, sector, false), (ERROR, 0), "{sector}");
            assert_eq!(ask(&mut disk, IN, sector, true), (ERROR, 0), "{sector}");
        }
        // Data that the guest lets nobody write, or nobody read.
        assert_eq!(ask(&mut disk, IN, 0, false), (ERROR, 0));
        assert_eq!(ask(&mut disk, OUT, 0, true), (ERROR, 0));
        assert_eq!(ask(&mut disk, 11, 0, true), (UNSUPPORTED, 0));
        assert_eq!(ask(&mut disk, FLUSH, 0, true), (OK, 0));
    }

    #[test]
    fn data_outside_the_guests_memory_is_refused() {
        let mut disk = disk();
        let memory = disk.memory.memory();
        memory.write_obj(IN, GuestAddress(0)).unwrap();
        memory.write_obj(0_u64, GuestAddress(8)).unwrap();
        let outside = [(GuestAddress((1 << 16) - 512), LEN, true)];
        assert_eq!(disk.carry_out(&memory, GuestAddress(0), &outside).0, ERROR);
    }

    #[test]
    fn its_configuration_tells_its_size() {
        let disk = disk();
        assert_eq!(disk.get_config(0, 8), 2048_u64.to_le_bytes());
        assert_eq!(disk.get_config(20, 4), BLOCK.to_le_bytes());
        assert_eq!(disk.get_config(0, 60).len(), 60);
        assert!(disk.get_config(250, 8).is_empty());
        assert!(disk.get_config(u32::MAX, 8).is_empty());
    }
}
