//! One virtqueue of the device: its rings in the guest's memory, the descriptors it is rung by and rings by.

use std::fs::File;
use std::sync::Arc;

use vhost::vhost_user::{Error, Result};
use virtio_queue::{DescriptorChain, Queue, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::memory::Memory;

/// Most entries of a queue: a set-up of every run in one buffer of pages needs 257 without indirect tables.
pub const SIZE_MAX: u16 = 1024;

/// A buffer chain, taken from a queue.
pub type Chain = DescriptorChain<Arc<GuestMemoryMmap>>;

/// Where a queue lies in the guest's memory.
#[derive(Clone, Copy, Debug)]
pub struct Rings {
    /// The table of descriptors, 16 bytes each.
    pub descriptors: GuestAddress,
    /// The driver's ring: two numbers of 16 bits, then as many entries of 16 bits.
    pub available: GuestAddress,
    /// The device's ring: two numbers of 16 bits, then as many entries of 8 bytes.
    pub used: GuestAddress,
    /// Entries.
    pub entries: u16,
}

/// A queue.
#[derive(Debug)]
pub struct Vring {
    queue: Queue,
    kick: Option<Arc<File>>,
    call: Option<File>,
    enabled: bool,
}

impl Vring {
    /// A queue that the driver has yet to set up.
    pub fn new() -> Result<Self> {
        Ok(Self {
            queue: Queue::new(SIZE_MAX).map_err(|_| Error::BackendInternalError)?,
            kick: None,
            call: None,
            enabled: false,
        })
    }

    /// Sets the number of entries.
    pub fn set_size(&mut self, entries: u32) -> Result<()> {
        let entries = u16::try_from(entries).map_err(|_| Error::InvalidParam)?;
        self.queue
            .try_set_size(entries)
            .map_err(|_| Error::InvalidParam)
    }

    /// Sets where the rings are, by addresses in the guest's machine. What was used of it before goes on.
    pub fn set_rings(
        &mut self,
        memory: &Memory,
        descriptors: u64,
        available: u64,
        used: u64,
    ) -> Result<()> {
        let find = |user| memory.of_user(user).ok_or(Error::InvalidParam);
        let (descriptors, available, used) = (find(descriptors)?, find(available)?, find(used)?);
        let queue = &mut self.queue;
        queue
            .try_set_desc_table_address(descriptors)
            .and_then(|()| queue.try_set_avail_ring_address(available))
            .and_then(|()| queue.try_set_used_ring_address(used))
            .map_err(|_| Error::InvalidParam)?;
        let at = queue
            .used_idx(&**memory.mapped(), std::sync::atomic::Ordering::Relaxed)
            .map_err(|_| Error::InvalidParam)?;
        queue.set_next_used(at.0);
        Ok(())
    }

    /// Sets which entry is looked at next.
    pub fn set_base(&mut self, base: u32) -> Result<()> {
        let base = u16::try_from(base).map_err(|_| Error::InvalidParam)?;
        self.queue.set_next_avail(base);
        Ok(())
    }

    /// Which entry is looked at next.
    pub fn base(&self) -> u16 {
        self.queue.next_avail()
    }

    /// Sets what the driver rings, which starts the queue.
    pub fn set_kick(&mut self, kick: Option<File>) {
        self.queue.set_ready(kick.is_some());
        self.kick = kick.map(Arc::new);
    }

    /// Sets what the driver is rung by.
    pub fn set_call(&mut self, call: Option<File>) {
        self.call = call;
    }

    /// Lets the queue be used or not.
    pub const fn enable(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Stops the queue until it is set up anew.
    pub fn stop(&mut self) {
        self.queue.set_ready(false);
        self.kick = None;
        self.call = None;
    }

    /// Whether the driver uses the queue.
    pub fn works(&self) -> bool {
        self.enabled && self.queue.ready()
    }

    /// What the driver rings, while the queue is used.
    pub fn doorbell(&self) -> Option<Arc<File>> {
        self.kick.as_ref().filter(|_| self.works()).map(Arc::clone)
    }

    /// Forgets a doorbell that is none.
    pub fn drop_doorbell(&mut self, doorbell: &Arc<File>) {
        self.kick.take_if(|kick| Arc::ptr_eq(kick, doorbell));
    }

    /// The next buffer of the driver; `None` when there is none, or the rings are not such that one can be had.
    pub fn pop(&mut self, memory: &Memory) -> Option<Chain> {
        self.works()
            .then(|| self.queue.pop_descriptor_chain(Arc::clone(memory.mapped())))?
    }

    /// Where the rings are, while the driver uses the queue.
    pub fn rings(&self) -> Option<Rings> {
        self.works().then(|| Rings {
            descriptors: GuestAddress(self.queue.desc_table()),
            available: GuestAddress(self.queue.avail_ring()),
            used: GuestAddress(self.queue.used_ring()),
            entries: self.queue.size(),
        })
    }

    /// Rings the driver.
    pub fn ring(&self) {
        if let Some(call) = &self.call {
            let _ = rustix::io::write(call, &1u64.to_ne_bytes());
        }
    }

    /// Gives a buffer back with a number in it, if it has room for one, and rings. Whether it had.
    pub fn give(
        &mut self,
        memory: &Memory,
        head: u16,
        to: Option<GuestAddress>,
        value: u64,
    ) -> bool {
        let written = to.is_some_and(|to| memory.mapped().write_obj(value.to_le(), to).is_ok());
        let bytes = if written { 8 } else { 0 };
        // Rings that moved out of the memory since: the driver sees nothing, as it wants.
        let _ = self.queue.add_used(&**memory.mapped(), head, bytes);
        self.ring();
        written
    }
}

/// Where a number can be written into a buffer.
pub fn room(chain: &Chain) -> Option<GuestAddress> {
    let mut room = chain.clone().writable();
    room.find(|buffer| buffer.len() >= 8)
        .map(|buffer| buffer.addr())
}
