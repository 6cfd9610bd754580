//! A guest's machine: memory in a file, two queues in it, and the socket to the helper. Everything of the guest is read
//! and written through the file, which is what the helper has mapped.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kgpu_core::abi::guest::{Event, PageRun, QUEUE_EVENTS, QUEUE_SETUP, Setup};
use kgpu_core::abi::{Attach, PAGE};
use kgpu_userhelper::region::Piece;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use vhost::vhost_user::message::{VhostUserConfigFlags, VhostUserProtocolFeatures};
use vhost::vhost_user::{Frontend, VhostUserFrontend};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};
use zerocopy::{FromBytes, IntoBytes};

use super::helper::{Helper, PATIENCE};

/// Address, bytes and place in the file of the guest's memory: two pieces, as a machine with a hole has them.
pub const AREAS: [(u64, u64, u64); 2] =
    [(0x10_0000, 4 << 20, 0), (0x1_0000_0000, 12 << 20, 4 << 20)];
/// Where the machine has the file, for what it names by its own addresses.
const USER: u64 = 0x7f00_0000_0000;
/// Entries of a queue, and descriptors of a chain at most.
const ENTRIES: u16 = 64;
const CHAIN: u16 = 4;
/// Buffers for events.
pub const EVENTS: u32 = 4;

/// The guest's memory.
#[derive(Clone)]
pub struct Memory(pub Arc<File>);

impl Memory {
    fn new() -> Self {
        let file = File::from(memfd_create("kgpu-guest", MemfdFlags::CLOEXEC).unwrap());
        ftruncate(&file, 16 << 20).unwrap();
        Self(Arc::new(file))
    }

    pub fn at(&self, address: u64) -> u64 {
        let inside =
            |(start, bytes, _): &&(u64, u64, u64)| (*start..start + bytes).contains(&address);
        let (start, _, offset) = AREAS.iter().find(inside).unwrap();
        address - start + offset
    }

    pub fn write(&self, address: u64, bytes: &[u8]) {
        self.0.write_all_at(bytes, self.at(address)).unwrap();
    }

    pub fn read<const N: usize>(&self, address: u64) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact_at(&mut bytes, self.at(address)).unwrap();
        bytes
    }

    pub fn pieces(&self, runs: &[PageRun]) -> Vec<Piece> {
        let piece = |run: &PageRun| Piece {
            file: Arc::clone(&self.0),
            offset: self.at(run.address),
            bytes: run.bytes,
        };
        runs.iter().map(piece).collect()
    }
}

/// The driver's side of a queue.
pub struct Queue {
    memory: Memory,
    base: u64,
    added: u16,
    seen: u16,
    pub kick: EventFd,
    pub call: EventFd,
}

impl Queue {
    fn new(memory: &Memory, index: u64) -> Self {
        let base = AREAS[0].0 + index * 0x4000;
        memory.write(base, &[0; 0x4000]);
        Self {
            memory: memory.clone(),
            base,
            added: 0,
            seen: 0,
            kick: EventFd::new(EFD_NONBLOCK).unwrap(),
            call: EventFd::new(EFD_NONBLOCK).unwrap(),
        }
    }

    /// The head of the chain that is offered next.
    pub const fn next_head(&self) -> u16 {
        (self.added % (ENTRIES / CHAIN)) * CHAIN
    }

    /// Offers a chain: address, bytes, whether the device writes.
    pub fn add(&mut self, buffers: &[(u64, u32, bool)]) -> u16 {
        let head = self.next_head();
        for (i, (address, bytes, write)) in (0u16..).zip(buffers) {
            let last = usize::from(i) + 1 == buffers.len();
            let flags = u16::from(!last) | u16::from(*write) << 1;
            let mut entry = [0; 16];
            entry[..8].copy_from_slice(&address.to_le_bytes());
            entry[8..12].copy_from_slice(&bytes.to_le_bytes());
            entry[12..14].copy_from_slice(&flags.to_le_bytes());
            entry[14..].copy_from_slice(&(head + i + 1).to_le_bytes());
            self.memory
                .write(self.base + 16 * u64::from(head + i), &entry);
        }
        let ring = self.base + 0x1000;
        let at = ring + 4 + 2 * u64::from(self.added % ENTRIES);
        self.memory.write(at, &head.to_le_bytes());
        self.added = self.added.wrapping_add(1);
        self.memory.write(ring + 2, &self.added.to_le_bytes());
        head
    }

    pub fn ring(&self) {
        self.kick.write(1).unwrap();
    }

    /// The next chain that the device is done with: its head, and the bytes it wrote.
    pub fn used(&mut self) -> Option<(u16, u32)> {
        let ring = self.base + 0x2000;
        if u16::from_le_bytes(self.memory.read(ring + 2)) == self.seen {
            return None;
        }
        let at = ring + 4 + 8 * u64::from(self.seen % ENTRIES);
        let entry: [u8; 8] = self.memory.read(at);
        self.seen = self.seen.wrapping_add(1);
        let [head, bytes] =
            [0, 4].map(|at| u32::from_le_bytes(entry[at..at + 4].try_into().unwrap()));
        Some((u16::try_from(head).unwrap(), bytes))
    }

    /// Waits for the device to be done with a chain.
    pub fn wait(&mut self, patience: Duration) -> Option<(u16, u32)> {
        let since = Instant::now();
        loop {
            if let Some(used) = self.used() {
                return Some(used);
            }
            let left = patience.checked_sub(since.elapsed())?;
            wait(&self.call, left.min(Duration::from_millis(200)));
            let _ = self.call.read();
        }
    }
}

/// Waits until an event is there or the time is over.
pub fn wait(event: &EventFd, timeout: Duration) {
    let epoll = Epoll::new().unwrap();
    let wanted = EpollEvent::new(EventSet::IN, 0);
    epoll
        .ctl(ControlOperation::Add, event.as_raw_fd(), wanted)
        .unwrap();
    let timeout = i32::try_from(timeout.as_millis()).unwrap();
    let _ = epoll.wait(timeout, &mut [EpollEvent::default()]);
}

/// A set-up's buffer and its answer's place; those of events.
const SET_UP: u64 = AREAS[0].0 + 0x2_0000;
const ANSWER: u64 = AREAS[0].0 + 0x8_0000;
const EVENT: u64 = AREAS[0].0 + 0x8_1000;
/// From here on an area is free for sessions.
pub const FREE: u64 = 0x10_0000;

/// Where the device writes the event of a chain.
pub const fn event_buffer(head: u16) -> u64 {
    EVENT + 8 * head as u64
}

/// The machine, connected to a helper.
pub struct Machine {
    pub memory: Memory,
    pub front: Frontend,
    pub setup: Queue,
    pub events: Queue,
    /// What the helper offers.
    pub offer: Attach,
}

pub fn regions(memory: &Memory, areas: &[(u64, u64, u64)]) -> Vec<VhostUserMemoryRegionInfo> {
    let region = |&(guest_phys_addr, memory_size, mmap_offset): &(u64, u64, u64)| {
        VhostUserMemoryRegionInfo {
            guest_phys_addr,
            memory_size,
            userspace_addr: USER + mmap_offset,
            mmap_offset,
            mmap_handle: memory.0.as_raw_fd(),
        }
    };
    areas.iter().map(region).collect()
}

impl Machine {
    /// Connects and brings the device up, as far as a driver does it on its own.
    pub fn start(helper: &Helper) -> Self {
        let memory = Memory::new();
        let mut front = Frontend::connect(&helper.socket, 2).unwrap();
        front.set_owner().unwrap();
        let features = front.get_features().unwrap();
        assert_ne!(features & (1 << 32), 0, "virtio 1");
        let offered = front.get_protocol_features().unwrap();
        // What User-Mode Linux takes of it.
        let wanted = VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::CONFIG
            | VhostUserProtocolFeatures::REPLY_ACK;
        assert!(offered.contains(wanted | VhostUserProtocolFeatures::BACKEND_REQ));
        assert!(!offered.contains(VhostUserProtocolFeatures::INBAND_NOTIFICATIONS));
        front.set_protocol_features(wanted).unwrap();
        assert_eq!(front.get_queue_num().unwrap(), 2);
        front.set_features(features & (1 << 32 | 1 << 30)).unwrap();
        let size = u32::try_from(size_of::<Attach>()).unwrap();
        let flags = VhostUserConfigFlags::empty();
        let (_, offer) = front.get_config(0, size, flags, &[0; 128]).unwrap();
        let offer = Attach::read_from_bytes(&offer).unwrap();
        let (setup, events) = (Queue::new(&memory, 0), Queue::new(&memory, 1));
        let mut machine = Self {
            memory,
            front,
            setup,
            events,
            offer,
        };
        machine.set_memory(&AREAS);
        machine.start_queues();
        machine
    }

    pub fn set_memory(&mut self, areas: &[(u64, u64, u64)]) {
        self.front
            .set_mem_table(&regions(&self.memory, areas))
            .unwrap();
        // It does not answer that; to this it does, after it.
        self.front.get_features().unwrap();
    }

    /// Starts the queues, empty, and offers buffers for events.
    pub fn start_queues(&mut self) {
        self.start_empty_queues();
        for _ in 0..EVENTS {
            self.offer_event();
        }
    }

    /// Starts the queues, without a buffer for an event.
    pub fn start_empty_queues(&mut self) {
        self.setup = Queue::new(&self.memory, 0);
        self.events = Queue::new(&self.memory, 1);
        for (index, queue) in [(0, &self.setup), (1, &self.events)] {
            let user = USER + self.memory.at(queue.base);
            self.front.set_vring_num(index, ENTRIES).unwrap();
            self.front.set_vring_base(index, 0).unwrap();
            let rings = VringConfigData {
                queue_max_size: 1024,
                queue_size: ENTRIES,
                flags: 0,
                desc_table_addr: user,
                used_ring_addr: user + 0x2000,
                avail_ring_addr: user + 0x1000,
                log_addr: None,
            };
            self.front.set_vring_addr(index, &rings).unwrap();
            self.front.set_vring_call(index, &queue.call).unwrap();
            self.front.set_vring_kick(index, &queue.kick).unwrap();
            self.front.set_vring_enable(index, true).unwrap();
        }
    }

    /// Offers one more buffer for an event, at the place of its chain.
    pub fn offer_event(&mut self) {
        let head = self.events.next_head();
        let offered = self.events.add(&[(event_buffer(head), 8, true)]);
        assert_eq!(offered, head);
        self.events.ring();
    }

    /// Stops the queues, as a driver's end does. Nothing touches the session's memory afterwards.
    pub fn stop_queues(&mut self) {
        for index in [usize::from(QUEUE_SETUP), usize::from(QUEUE_EVENTS)] {
            self.front.get_vring_base(index).unwrap();
        }
    }

    /// The next event but the rings; its buffer is offered again.
    pub fn event(&mut self, patience: Duration) -> Option<Event> {
        let since = Instant::now();
        loop {
            let (head, bytes) = self.events.wait(patience.checked_sub(since.elapsed())?)?;
            assert_eq!(bytes, 8);
            let buffer = event_buffer(head);
            let event = Event::try_from(u64::from_le_bytes(self.memory.read(buffer))).unwrap();
            self.offer_event();
            if event != Event::Kick {
                return Some(event);
            }
        }
    }

    /// The next event, which must be this one.
    #[track_caller]
    pub fn expect(&mut self, event: Event) {
        assert_eq!(self.event(PATIENCE), Some(event));
    }

    /// Sends a set-up as it is.
    pub fn send(&mut self, attach: &Attach, runs: &[PageRun]) {
        self.send_bytes(&[attach.as_bytes(), runs.as_bytes()].concat());
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.lay_bytes(bytes);
        self.setup.ring();
    }

    /// Offers a set-up and does not ring.
    pub fn lay_bytes(&mut self, bytes: &[u8]) {
        self.memory.write(SET_UP, bytes);
        let len = u32::try_from(bytes.len()).unwrap();
        self.setup.add(&[(SET_UP, len, false), (ANSWER, 8, true)]);
    }

    /// The answer to the last set-up.
    #[track_caller]
    pub fn answer(&mut self) -> Setup {
        let (_, bytes) = self.setup.wait(PATIENCE).unwrap();
        assert_eq!(bytes, 8);
        Setup::try_from(u64::from_le_bytes(self.memory.read(ANSWER))).unwrap()
    }
}

/// Pages of an area from its free part on, one run.
pub fn pages(area: usize, first: u64, count: u64) -> PageRun {
    PageRun {
        address: AREAS[area].0 + FREE + first * PAGE,
        bytes: count * PAGE,
    }
}
