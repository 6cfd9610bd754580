//! How a guest's module and the helper on its host meet: a virtio device whose backend is
//! `kgpu serve --vhost-user`. The device only brings them together; requests go through the same
//! region as with `/dev/kgpu`, which lies in the guest's own memory and which the helper maps.
//!
//! | what | where | who | means |
//! | --- | --- | --- | --- |
//! | handshake | configuration space | device | [`super::Attach`], the helper's half |
//! | set-up | queue [`QUEUE_SETUP`] | driver, one buffer a session | out: [`super::Attach`] with the module's half, then [`PageRun`]s; in: a `u64`, [`Setup`] |
//! | events | queue [`QUEUE_EVENTS`] | driver, some buffers of 8 bytes | in: a `u64`, [`Event`] |
//! | doorbell | a notification of [`QUEUE_SETUP`] | driver | there are submissions, or the state word changed; no buffer goes with it |
//!
//! The runs are those of the control part, then of the helper's, then of the pool; each part's runs
//! are as many bytes as the handshake says, in pages, and none belongs to two parts. The device
//! answers a set-up when its helper serves the ring: that is what `KGPU_IOC_START` says elsewhere. It
//! need not be told of a wake-up that it did not ask for: the doorbell is rung after a
//! submission only while [`super::word::ASLEEP`] is not 0, and after every change of the state.
//!
//! * A set-up comes only after [`Event::Attach`], and is answered once; what lies in its queue before
//!   a device has said so is a former process's, and is answered [`Setup::Failed`]. It may have any number of
//!   descriptors, and indirect ones.
//! * While another helper is attached the driver waits, and sends the set-up later.
//! * After an answer but [`Setup::Serving`] the driver waits for the next [`Event::Attach`].
//! * [`Event::Attach`] while there is a session ends it as closing `/dev/kgpu` does; the set-up of the
//!   next one follows.
//! * A device without a buffer to tell something in keeps it until there is one; what is equal may
//!   be told once.
//! * A device that is reset, or whose queue is stopped or disabled, has no session any more: its
//!   helper has finished and unmapped before the device goes on.
//! * Answers and events are 8 bytes, no more and no less.
//! * With [`super::Features::GUEST_SOURCES`] in force the helper names areas of the guest's memory, [`SourceAreas`],
//!   before it answers a set-up, and reads the sources of tiles there that say so.
//! * Addresses are the guest's physical ones: a device that wants them translated
//!   (`VIRTIO_F_ACCESS_PLATFORM`) is refused.

mod sources;

pub use sources::{AREAS_MAX, SourceAreas, holds};

/// The device's virtio id: an experimental one, used by no driver of a stock kernel. Module and
/// helper's machine may agree on another (module parameter `virtio_id`; the machine's option).
pub const VIRTIO_ID: u32 = 22;
/// Where sessions are set up; its notification is the doorbell.
pub const QUEUE_SETUP: u16 = 0;
/// Where the device tells events.
pub const QUEUE_EVENTS: u16 = 1;
/// Most runs of a set-up: a pool of 4 GiB in pieces of 64 KiB.
pub const RUNS_MAX: usize = 1 << 16;

abi_struct! {
    /// Guest memory that follows on itself.
    #[derive(Debug)]
    pub struct PageRun [16] {
        /// Guest-physical address, a multiple of 4096.
        pub address: u64,
        /// Bytes, a multiple of 4096, not 0.
        pub bytes: u64,
    }
}

/// What a device answers a set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Setup {
    /// The helper serves the ring.
    Serving = 1,
    /// The handshake or the runs are not such that a helper can serve them; it says why in its log.
    Refused = 2,
    /// The helper could not, though all was right: no memory, no device; it says why in its log.
    Failed = 3,
}

/// What a device tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Event {
    /// Completions were posted while the module slept, as `KGPU_IOC_KICK`.
    Kick = 1,
    /// Stop routing to this helper, as `KGPU_IOC_DETACH`.
    Detach = 2,
    /// The helper has no session, or is done with the one it had and has unmapped it: it wants one.
    /// A device says so first thing.
    Attach = 3,
}

impl Setup {
    /// As it is written.
    #[must_use]
    pub const fn code(self) -> u64 {
        self as u64
    }
}

impl TryFrom<u64> for Setup {
    type Error = super::InvalidCode;

    fn try_from(value: u64) -> Result<Self, Self::Error> {
        match value {
            1 => Ok(Self::Serving),
            2 => Ok(Self::Refused),
            3 => Ok(Self::Failed),
            value => Err(super::InvalidCode {
                what: "set-up answer",
                value,
            }),
        }
    }
}

impl Event {
    /// As it is written.
    #[must_use]
    pub const fn code(self) -> u64 {
        self as u64
    }
}

impl TryFrom<u64> for Event {
    type Error = super::InvalidCode;

    fn try_from(value: u64) -> Result<Self, Self::Error> {
        match value {
            1 => Ok(Self::Kick),
            2 => Ok(Self::Detach),
            3 => Ok(Self::Attach),
            value => Err(super::InvalidCode {
                what: "event",
                value,
            }),
        }
    }
}

/// Why runs do not make up the parts of a region, or are no areas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsError {
    /// An address or a length that is no multiple of the page, or a length of 0.
    NotPages(PageRun),
    /// A run reaches beyond what is left of its part, or of all addresses.
    TooLong(PageRun),
    /// The runs end before the parts do.
    TooFew,
    /// There are more runs than parts to fill.
    TooMany,
    /// So many areas, more than there can be.
    Areas(u64),
    /// An area beyond their count.
    Uncounted(PageRun),
}

impl core::fmt::Display for RunsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotPages(run) => write!(
                f,
                "a run of {} bytes at {:#x} is not of whole pages",
                run.bytes, run.address
            ),
            Self::TooLong(run) => write!(
                f,
                "a run of {} bytes at {:#x} is more than is left of its part",
                run.bytes, run.address
            ),
            Self::TooFew => write!(f, "the runs are less than the parts"),
            Self::TooMany => write!(f, "there are more runs than the parts need"),
            Self::Areas(count) => write!(f, "{count} areas: there can be {AREAS_MAX}"),
            Self::Uncounted(run) => write!(
                f,
                "an area of {} bytes at {:#x} is not counted",
                run.bytes, run.address
            ),
        }
    }
}

impl core::error::Error for RunsError {}

/// Cuts `runs` into those of each part, of `parts` bytes.
///
/// # Errors
/// [`RunsError`] unless the runs are exactly the parts, one after the other.
pub fn split<const N: usize>(
    mut runs: &[PageRun],
    parts: [u64; N],
) -> Result<[&[PageRun]; N], RunsError> {
    let mut out: [&[PageRun]; N] = [&[]; N];
    for (part, bytes) in out.iter_mut().zip(parts) {
        let mut left = bytes;
        let mut count = 0;
        while left > 0 {
            let run = *runs.get(count).ok_or(RunsError::TooFew)?;
            if run.bytes == 0 || !(run.bytes | run.address).is_multiple_of(super::PAGE) {
                return Err(RunsError::NotPages(run));
            }
            if run.address.checked_add(run.bytes).is_none() {
                return Err(RunsError::TooLong(run));
            }
            left = left.checked_sub(run.bytes).ok_or(RunsError::TooLong(run))?;
            count += 1;
        }
        (*part, runs) = runs.split_at(count);
    }
    if runs.is_empty() {
        Ok(out)
    } else {
        Err(RunsError::TooMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn run(address: u64, bytes: u64) -> PageRun {
        PageRun { address, bytes }
    }

    #[test]
    fn runs_are_the_parts_exactly() {
        let runs = [run(0, 4096), run(1 << 20, 8192), run(8192, 4096)];
        let [a, b] = split(&runs, [4096, 12288]).unwrap();
        assert_eq!((a, b), (&runs[..1], &runs[1..]));
        let none = split(&runs[..1], [4096, 0]).unwrap();
        assert!(none[1].is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        let one = [run(4096, 8192)];
        for (runs, parts, why) in [
            (&one[..], [4096, 4096], RunsError::TooLong(one[0])),
            (&one, [8192, 4096], RunsError::TooFew),
            (&one, [0, 0], RunsError::TooMany),
            (
                &[run(1, 8192)],
                [8192, 0],
                RunsError::NotPages(run(1, 8192)),
            ),
            (
                &[run(0, 8193)],
                [8193, 0],
                RunsError::NotPages(run(0, 8193)),
            ),
            (&[run(0, 0)], [4096, 0], RunsError::NotPages(run(0, 0))),
            (
                &[run(u64::MAX - 4095, 4096)],
                [4096, 0],
                RunsError::TooLong(run(u64::MAX - 4095, 4096)),
            ),
        ] {
            assert_eq!(split(runs, parts), Err(why));
        }
    }

    #[test]
    fn codes_are_what_they_are_read_as() {
        for code in 0..5 {
            assert!(Setup::try_from(code).map_or(true, |setup| setup.code() == code));
            assert!(Event::try_from(code).map_or(true, |event| event.code() == code));
        }
        assert!(Setup::try_from(0).is_err() && Event::try_from(4).is_err());
    }
}
