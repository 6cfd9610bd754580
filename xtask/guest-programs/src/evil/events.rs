//! A device of a guest, on its host, that never stops telling: before the driver has taken one event, the next one is
//! there, in a buffer that it has not handed out again yet. Its handshake is none, so that it is never attached.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use kgpu_core::abi::Attach;
use kgpu_core::abi::guest::Event;
use kgpu_userhelper::guest::connection::Connection;
use kgpu_userhelper::guest::memory::Memory;
use kgpu_userhelper::guest::queue::{Rings, Vring};
use kgpu_userhelper::guest::shared::Shared;
use kgpu_userhelper::guest::socket;
use vm_memory::{Address, Bytes, GuestAddress};
use zerocopy::FromZeros;

use crate::region::{Trouble, system};

/// What it tells, in turn: all that there is, and what there is not. A buffer that is told of before anything new is in
/// it has 0, which is not either.
const CODES: [u64; 6] = [
    Event::Kick.code(),
    Event::Detach.code(),
    Event::Attach.code(),
    0,
    Event::Attach.code() + 1,
    u64::MAX,
];
/// Bytes that it says to have written, by place in the ring: one of these is not an event's.
const LENGTHS: [u32; 4] = [8, 8, 8, 4];
/// How far it says to be ahead of what the driver posted: nearly once around, and not in what is posted.
const AHEAD: u16 = u16::MAX - 64;
/// In one of so many turns it rings a driver that does not want to be rung. Not in each: a driver that is kept does not
/// read what it is rung by, and who fills that would wait.
const UNWANTED: usize = 256;
/// Between two turns: no driver takes [`AHEAD`] events in this time.
const PAUSE: Duration = Duration::from_micros(100);
/// Before a driver is there.
const IDLE: Duration = Duration::from_millis(10);

/// Serves one guest's machine after the other until killed.
pub fn run(path: &Path) -> Result<(), Trouble> {
    let listener = socket::listen(path).map_err(|error| Trouble::Other(error.what))?;
    loop {
        let (stream, _) = listener.accept()?;
        let shared = Arc::new(Shared::new().map_err(system("eventfd"))?);
        let connection = Connection::start(stream, Arc::clone(&shared), &Attach::new_zeroed())?;
        let mut turn = 0;
        loop {
            let device = shared.device();
            if device.gone {
                break;
            }
            let [_, events] = &device.queues;
            let told = device.memory().zip(events.rings());
            let told = told.and_then(|(memory, rings)| tell(memory, rings, events, turn));
            // The thread that answers the machine wants it too.
            drop(device);
            turn = turn.wrapping_add(1);
            sleep(if told.is_some() { PAUSE } else { IDLE });
        }
        connection.end();
    }
}

/// Fills every buffer, says that all are used, many times over, and rings, mostly when that is wanted. `None` where the driver has posted nothing.
fn tell(memory: &Memory, rings: Rings, events: &Vring, turn: usize) -> Option<()> {
    let memory = memory.mapped();
    let at = |base: GuestAddress, bytes: usize| base.checked_add(u64::try_from(bytes).ok()?);
    // Each buffer is posted again by the descriptor that it had: it is the last one that got free.
    let mut posted = 0;
    for (head, code) in CODES.iter().cycle().skip(turn % CODES.len()).enumerate() {
        if head >= usize::from(rings.entries) {
            break;
        }
        let descriptor = at(rings.descriptors, head * 16)?;
        let address: u64 = memory.read_obj(descriptor).ok()?;
        let bytes: u32 = memory.read_obj(at(descriptor, 8)?).ok()?;
        if bytes != 8 {
            break;
        }
        memory.write_obj(*code, GuestAddress(address)).ok()?;
        posted = head + 1;
    }
    if posted == 0 {
        return None;
    }
    for entry in 0..usize::from(rings.entries) {
        let head = u32::try_from(entry % posted).ok()?;
        let used = at(rings.used, 4 + entry * 8)?;
        memory.write_obj(head, used).ok()?;
        let length = LENGTHS.get(entry % LENGTHS.len())?;
        memory.write_obj(*length, at(used, 4)?).ok()?;
    }
    let ordering = std::sync::atomic::Ordering::SeqCst;
    let available: u16 = memory.load(at(rings.available, 2)?, ordering).ok()?;
    let ahead = available.wrapping_add(AHEAD);
    memory.store(ahead, at(rings.used, 2)?, ordering).ok()?;
    // The first of the driver's numbers is 1 while it wants none.
    let quiet: u16 = memory.load(rings.available, ordering).ok()?;
    if quiet == 0 || turn.is_multiple_of(UNWANTED) {
        events.ring();
    }
    Some(())
}
