//! A set-up as the guest's module sends it: read once, checked against what this helper offered and can serve,
//! before anything is mapped.

use std::io::Read;

use kgpu_core::abi::guest::{PageRun, RUNS_MAX, RunsError, split};
use kgpu_core::abi::{Attach, Features, InvalidCode, Layout, PAGE, Reflect, RingSizes};
use kgpu_core::num::index;
use virtio_queue::Reader;
use zerocopy::FromBytes;

use super::memory::{Memory, Place, apart};

/// The largest region there is: what a session may ask for at most.
const LARGEST: RingSizes = RingSizes {
    entries: 1 << 16,
    tiles: 1 << 20,
    keys: 1 << 16,
    pool_bytes: (1 << 32) - PAGE,
};

/// Why a set-up is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetUpError {
    /// It is not a handshake and some runs.
    #[error("{0} bytes are no handshake with 1 to {RUNS_MAX} runs")]
    Length(usize),
    /// A buffer is not in the guest's memory.
    #[error("it is not in the guest's memory")]
    Buffer,
    /// A field of the handshake is off.
    #[error("the handshake has an {0}")]
    Handshake(InvalidCode),
    /// A part is larger than any can be, or is not whole pages.
    #[error("{bytes} bytes for the {what}: need whole pages, at most {most}")]
    Size {
        /// Which part.
        what: &'static str,
        /// What the handshake says.
        bytes: u64,
        /// What there can be.
        most: u64,
    },
    /// The runs are not the parts.
    #[error("{0}")]
    Runs(RunsError),
    /// A run is not whole inside one piece of the guest's memory.
    #[error("{} bytes at {:#x} are not inside one piece of the guest's memory", .0.bytes, .0.address)]
    Outside(PageRun),
    /// Two runs are the same memory.
    #[error("two runs share memory")]
    Overlap,
}

/// A set-up that holds together.
#[derive(Debug)]
pub struct SetUp {
    /// The handshake, both halves.
    pub attach: Attach,
    /// Where the parts lie, as the guest names it.
    pub runs: Vec<PageRun>,
    /// Where they lie in files: control, helper's, pool.
    pub places: [Vec<Place>; 3],
    /// The areas that sources may lie in outside of the pool; none where the module does without.
    pub sources: Vec<(PageRun, Place)>,
}

impl SetUp {
    /// Reads and checks a set-up.
    ///
    /// # Errors
    /// [`SetUpError`].
    pub fn read(from: &mut Reader<'_>, memory: &Memory) -> Result<Self, SetUpError> {
        let bytes = from.available_bytes();
        let runs = bytes.saturating_sub(Attach::SIZE) / PageRun::SIZE;
        if runs == 0 || runs > RUNS_MAX || bytes != Attach::SIZE + runs * PageRun::SIZE {
            return Err(SetUpError::Length(bytes));
        }
        let mut all = vec![0; bytes];
        from.read_exact(&mut all).map_err(|_| SetUpError::Buffer)?;
        let (attach, runs) = all.split_at(Attach::SIZE);
        let attach = Attach::read_from_bytes(attach).map_err(|_| SetUpError::Length(bytes))?;
        let runs = runs.chunks_exact(PageRun::SIZE);
        let runs: Vec<_> = runs
            .map_while(|run| PageRun::read_from_bytes(run).ok())
            .collect();
        Self::check(attach, runs, memory)
    }

    fn check(attach: Attach, runs: Vec<PageRun>, memory: &Memory) -> Result<Self, SetUpError> {
        let (_, features) = attach.check().map_err(SetUpError::Handshake)?;
        let in_force = Features::from_bits(attach.features_in_force);
        let Some(in_force) = in_force.filter(|in_force| features.contains(*in_force)) else {
            return Err(SetUpError::Handshake(InvalidCode {
                what: "features in force",
                value: attach.features_in_force,
            }));
        };
        let most = Layout::new(LARGEST).map_or([0; 3], |most| {
            [most.control_bytes, most.helper_bytes, most.sizes.pool_bytes]
        });
        let parts = [attach.control_bytes, attach.helper_bytes, attach.pool_bytes];
        let names = ["control pages", "helper pages", "pool"];
        for ((what, bytes), most) in names.into_iter().zip(parts).zip(most) {
            if bytes == 0 || bytes > most || !bytes.is_multiple_of(PAGE) {
                return Err(SetUpError::Size { what, bytes, most });
            }
        }
        let [control, helper, pool] = split(&runs, parts).map_err(SetUpError::Runs)?;
        let places = [
            memory.places(control)?,
            memory.places(helper)?,
            memory.places(pool)?,
        ];
        if !apart(&places) {
            return Err(SetUpError::Overlap);
        }
        let sources = if in_force.contains(Features::GUEST_SOURCES) {
            memory.sources()
        } else {
            Vec::new()
        };
        Ok(Self {
            attach,
            runs,
            places,
            sources,
        })
    }

    /// Whether the runs are still the same bytes of the same files; with `sources`, the areas of sources too.
    pub fn holds_in(&self, memory: &Memory, sources: bool) -> bool {
        let has = |(run, place): &(PageRun, Place)| memory.has(run, place);
        if sources && !self.sources.iter().all(has) {
            return false;
        }
        let parts = [
            self.attach.control_bytes,
            self.attach.helper_bytes,
            self.attach.pool_bytes,
        ];
        split(&self.runs, parts).is_ok_and(|runs| {
            let same = |(runs, places): (&[PageRun], &Vec<Place>)| {
                memory.places(runs).is_ok_and(|found| found == *places)
            };
            runs.into_iter().zip(&self.places).all(same)
        })
    }

    /// Bytes of all parts.
    pub const fn bytes(&self) -> usize {
        index(self.attach.control_bytes + self.attach.helper_bytes + self.attach.pool_bytes)
    }
}
