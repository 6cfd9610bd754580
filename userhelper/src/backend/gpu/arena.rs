//! Key schedules in device memory: slots of one size, filled once per schedule through a queue of the arena's
//! own, cleared as soon as the schedule is dropped.
#![allow(unsafe_code)]

use std::sync::Arc;

use kgpu_core::num::index;
use zerocopy::IntoBytes;
use zeroize::Zeroize;

use super::device::{Address, Device, DeviceError, Pinned, Queue};
use super::schedule::{Place, Schedule, Schedules};

/// Bytes that slots are multiples of: a multiple of a cell, and of a memory transaction.
const SLOT_GRAIN: usize = 256;
/// Schedules that can be on their way to the device at the same time.
const STAGED: usize = 64;

/// The arena.
///
/// # Invariants
/// A slot is in `free`, or belongs to one schedule that lives, or (until the next [`Arena::tidy`]) to one that
/// was dropped. Jobs in flight hold their schedules, so a dropped one's slot is read by no kernel.
#[derive(Debug)]
pub(super) struct Arena {
    home: Arc<Schedules>,
    number: u32,
    base: Address,
    slot_bytes: usize,
    free: Vec<u32>,
    /// By slot: the upload that filled it.
    filled: Vec<u64>,
    /// Uploads begun, and those known to be done.
    begun: u64,
    done: u64,
    /// Whether the mark is behind the last upload.
    marked: bool,
    queue: Queue,
    staging: Pinned,
    staged: usize,
    left: Vec<u32>,
}

impl Arena {
    /// An arena of `slots` slots that each hold schedules of up to `words` words. Its queue is its own.
    pub(super) fn new(
        device: &mut dyn Device,
        home: Arc<Schedules>,
        queue: Queue,
        slots: u32,
        words: usize,
    ) -> Result<Self, DeviceError> {
        let slot_bytes = (words * 4).next_multiple_of(SLOT_GRAIN).max(SLOT_GRAIN);
        let count = index(u64::from(slots));
        Ok(Self {
            number: home.new_arena(),
            home,
            base: device.allocate(slot_bytes * count)?,
            slot_bytes,
            free: (0..slots).rev().collect(),
            filled: vec![0; count],
            begun: 0,
            done: 0,
            marked: true,
            queue,
            staging: device.pinned(slot_bytes * STAGED)?,
            staged: 0,
            left: Vec::with_capacity(count),
        })
    }

    /// What tiles count their keys' places from.
    pub(super) const fn base(&self) -> Address {
        self.base
    }

    /// Bytes of a slot in front of `slot`.
    fn offset(&self, slot: u32) -> usize {
        self.slot_bytes * index(u64::from(slot))
    }

    /// Cells between the base and a slot.
    pub(super) fn cell(&self, slot: u32) -> u32 {
        u32::try_from(self.offset(slot) / 16).unwrap_or(u32::MAX)
    }

    /// The slot of a schedule, which is uploaded if need be; `None` when there is no slot. The second is whether
    /// the upload may still be going on: then a launch must follow the arena's queue.
    pub(super) fn place(
        &mut self,
        device: &dyn Device,
        schedule: &Schedule,
    ) -> Result<Option<(u32, bool)>, DeviceError> {
        if let Some(slot) = schedule.slot(self.number) {
            let filled = self.filled.get(index(u64::from(slot))).copied();
            return Ok(Some((slot, filled.unwrap_or(u64::MAX) > self.done)));
        }
        let words = schedule.words().as_bytes();
        if words.len() > self.slot_bytes {
            return Ok(None);
        }
        if self.staged == STAGED {
            device.finish(self.queue)?;
            self.arrived();
        }
        let Some(slot) = self.free.pop() else {
            return Ok(None);
        };
        let from = self.staged * self.slot_bytes;
        // SAFETY: the device lives; uploads that may be going on read the parts before this one.
        let staging = unsafe { self.staging.part(from, words.len()) };
        staging.copy_from_slice(words);
        // SAFETY: the part of the staging memory just written, which stays until `arrived`; the slot is the
        // schedule's alone.
        unsafe {
            device.copy_in(
                self.queue,
                self.base + u64::try_from(self.offset(slot)).unwrap_or(0),
                self.staging.base().add(from),
                words.len(),
            )
        }?;
        self.staged += 1;
        self.begun += 1;
        self.marked = false;
        if let Some(filled) = self.filled.get_mut(index(u64::from(slot))) {
            *filled = self.begun;
        }
        schedule.settle(Place {
            arena: self.number,
            slot,
        });
        Ok(Some((slot, true)))
    }

    /// Makes a queue wait for all uploads so far.
    pub(super) fn lead(&self, device: &dyn Device, queue: Queue) -> Result<(), DeviceError> {
        device.follow(queue, self.queue)
    }

    /// Notes that all uploads are done, and clears what they were staged in.
    fn arrived(&mut self) {
        self.done = self.begun;
        let used = self.staged * self.slot_bytes;
        // SAFETY: the device lives, and no upload is going on.
        unsafe { self.staging.part(0, used) }.zeroize();
        self.staged = 0;
    }

    /// Clears the slots of dropped schedules, and the staging memory of uploads that are done.
    pub(super) fn tidy(&mut self, device: &dyn Device) -> Result<(), DeviceError> {
        self.home.left(self.number, &mut self.left);
        while let Some(slot) = self.left.pop() {
            let at = self.base + u64::try_from(self.offset(slot)).unwrap_or(0);
            // SAFETY: a slot that no schedule has and no kernel reads (invariant). What is uploaded there next
            // goes through the same queue.
            unsafe { device.clear(self.queue, at, self.slot_bytes) }?;
            self.free.push(slot);
        }
        if self.staged > 0 {
            if !self.marked {
                device.mark(self.queue)?;
                self.marked = true;
            }
            if device.reached(self.queue)? {
                self.arrived();
            }
        }
        Ok(())
    }
}
