//! A helper that serves rightly, on one thread, until it has something to lie about.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use kgpu_core::abi::{
    AlgorithmId, Completion, IOC_KICK, IOC_START, Layout, MAP_CONTROL, MAP_HELPER, MAP_POOL,
    Reflect, SessionState, Status, Submission, Tile, word,
};
use kgpu_core::cpu::{Data, Work};
use kgpu_core::keytable;
use kgpu_core::ring::{CompletionProducer, RingPlace, SubmissionConsumer};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use std::os::fd::OwnedFd;

use crate::device::{Mapping, attach, handshake, ioctl, open};

/// As many wrong completions as get a helper quarantined for sure.
const ENOUGH: usize = 20;

/// What to lie about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lie {
    /// Known answers with a wrong byte
    Answers,
    /// No known answers at all
    Silence,
    /// Completions of a slot that does not exist
    UnknownSlot,
    /// Completions of a request that is over
    Stale,
    /// Completions that claim another length
    WrittenLength,
    /// Completions with a status that does not exist
    UnknownStatus,
    /// Completions of another session
    ForeignSession,
    /// Completions with a reserved field set
    Reserved,
    /// A submission head before the published ones
    Head,
    /// A submission head that goes backwards
    HeadBack,
    /// A completion tail more than a ring ahead
    Tail,
    /// A completion tail that goes backwards
    TailBack,
    /// Every request failed, honestly said
    Failing,
    /// Wrong results, well formed
    Corrupt,
    /// The first requests answered, wrongly, when their deadline is long over; rightly from then on
    Late,
}

/// How late: more than twice the deadline of the suite that asks for it.
const LATE: Duration = Duration::from_secs(3);
/// As many requests are answered late.
const HELD: usize = 24;

/// Why it could not even lie.
#[derive(Debug)]
pub struct Trouble(&'static str, Option<Errno>);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(errno) => write!(f, "{}: {errno}", self.0),
            None => f.write_str(self.0),
        }
    }
}

fn trouble(what: &'static str) -> impl FnOnce(Errno) -> Trouble {
    move |errno| Trouble(what, Some(errno))
}

struct Liar {
    lie: Lie,
    device: OwnedFd,
    control: Mapping,
    helper: Mapping,
    pool: Mapping,
    layout: Layout,
    session: u32,
    submissions: SubmissionConsumer,
    completions: CompletionProducer,
    /// Requests to be answered late, and since when the last of them waits.
    held: Vec<Submission>,
    since: Instant,
    late: bool,
}

/// Serves, lies, and stays until killed: what it does then must hurt nobody.
///
/// # Errors
/// [`Trouble`]: the device did not let it start.
pub fn run(lie: Lie) -> Result<(), Trouble> {
    let mut liar = Liar::attach(lie)?;
    ioctl(&liar.device, IOC_START.request).map_err(trouble("start"))?;
    while liar.state().is_some_and(SessionState::is_open) {
        liar.turn();
        sleep(Duration::from_micros(200));
    }
    println!("over: {}", liar.state().map_or("?", SessionState::label));
    // The kernel must not care what is in the region from now on.
    for byte in (0..=u8::MAX).cycle() {
        liar.pool.fill(byte);
        liar.helper.fill(byte);
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl Liar {
    fn attach(lie: Lie) -> Result<Self, Trouble> {
        let device = open().map_err(trouble("open"))?;
        let mut answer = handshake();
        attach(&device, &mut answer).map_err(trouble("attach"))?;
        let map = |offset, bytes, prot| {
            Mapping::new(&device, offset, bytes, prot, MapFlags::SHARED).map_err(trouble("mmap"))
        };
        let write = ProtFlags::READ | ProtFlags::WRITE;
        let control = map(MAP_CONTROL, answer.control_bytes, ProtFlags::READ)?;
        let helper = map(MAP_HELPER, answer.helper_bytes, write)?;
        let pool = map(MAP_POOL, answer.pool_bytes, write)?;
        let layout = control
            .words()
            .load_entry(0)
            .and_then(|header| Layout::from_header(&header).ok())
            .ok_or(Trouble("the header describes no region", None))?;
        Ok(Self {
            lie,
            device,
            control,
            helper,
            pool,
            layout,
            session: answer.session,
            submissions: SubmissionConsumer::new(RingPlace::submissions(&layout)),
            completions: CompletionProducer::new(RingPlace::completions(&layout)),
            held: Vec::new(),
            since: Instant::now(),
            late: false,
        })
    }

    fn state(&self) -> Option<SessionState> {
        SessionState::try_from(self.control.words().load(word::STATE)).ok()
    }

    fn turn(&mut self) {
        let heartbeat = self.helper.words().load(word::HEARTBEAT);
        self.helper.words().store(word::HEARTBEAT, heartbeat + 1);
        let mut any = false;
        while let Ok(Some(submission)) = self.submissions.pop(self.control.words()) {
            any = true;
            // Live is what is asked for before the request is looked at: the state changes once
            // only, after the last known answer.
            if self.state() == Some(SessionState::Live) {
                self.serve_falsely(&submission);
            } else if self.lie != Lie::Silence {
                self.serve(&submission, self.lie == Lie::Answers);
            }
            self.submissions.release(self.helper.words());
        }
        any |= self.be_late();
        if any {
            self.completions.publish(self.helper.words());
            self.break_words();
            // Whether it sleeps or not: a kick too many is no fault.
            let _over = ioctl(&self.device, IOC_KICK.request);
        }
    }

    /// Answers what was held back, when the kernel has long done it itself.
    fn be_late(&mut self) -> bool {
        if self.held.is_empty() || self.since.elapsed() < LATE {
            return false;
        }
        for submission in std::mem::take(&mut self.held) {
            for at in submission.tile_first..submission.tile_first + submission.tile_count {
                if let Some(tile) = self.tile_at(at) {
                    let len = usize::try_from(tile.dst_len).unwrap_or(0);
                    self.pool.write(tile.dst, &vec![0xee; len]);
                }
            }
            let completion = self.answer(&submission);
            self.post(&completion);
        }
        self.late = true;
        println!("wrote late");
        true
    }

    fn tile_at(&self, at: u32) -> Option<Tile> {
        let offset = self.layout.tile_offset + u64::from(at) * u64::try_from(Tile::SIZE).ok()?;
        self.control.words().load_entry(offset)
    }

    /// Ring words that can't be, once live.
    fn break_words(&self) {
        if self.state() != Some(SessionState::Live) {
            return;
        }
        let words = self.helper.words();
        match self.lie {
            Lie::Head => words.store(word::SQ_HEAD, u64::MAX / 2),
            Lie::HeadBack => words.store(word::SQ_HEAD, 0),
            Lie::Tail => words.store(word::CQ_TAIL, u64::MAX / 2),
            Lie::TailBack => words.store(word::CQ_TAIL, 1),
            _ => {}
        }
    }

    fn answer(&self, submission: &Submission) -> Completion {
        Completion {
            request: submission.request,
            session: self.session,
            written_len: submission.written_len,
            status: Status::Ok as u16,
            backend: 0,
            reserved: 0,
            detail: 0,
        }
    }

    fn post(&mut self, completion: &Completion) {
        let (helper, control) = (self.helper.words(), self.control.words());
        // A full ring or a broken one: then this lie is not told.
        let _told = self.completions.push(helper, control, completion);
    }

    fn serve_falsely(&mut self, submission: &Submission) {
        let honest = self.answer(submission);
        let mut lie = honest;
        match self.lie {
            Lie::UnknownSlot => lie.request |= 0xffff_ffff,
            Lie::Stale => lie.request ^= 1 << 63,
            Lie::WrittenLength => lie.written_len += 16,
            Lie::UnknownStatus => lie.status = 77,
            Lie::ForeignSession => lie.session += 1,
            Lie::Reserved => lie.reserved = 1,
            Lie::Failing => {
                lie.status = Status::BackendFailed as u16;
                lie.written_len = 0;
                lie.detail = 0xbad;
                return self.post(&lie);
            }
            Lie::Corrupt => return self.serve(submission, true),
            Lie::Late if !self.late && self.held.len() < HELD => {
                self.since = Instant::now();
                return self.held.push(*submission);
            }
            // Ring words are broken afterwards.
            _ => return self.serve(submission, false),
        }
        for _ in 0..ENOUGH {
            self.post(&lie);
        }
    }

    /// Computes a request and completes it; with one wrong byte if `wrong`.
    fn serve(&mut self, submission: &Submission, wrong: bool) {
        for at in submission.tile_first..submission.tile_first + submission.tile_count {
            if self.tile(submission, at, wrong).is_none() {
                eprintln!("kgpu-guest: tile {at} could not be computed");
            }
        }
        let completion = self.answer(submission);
        self.post(&completion);
    }

    fn tile(&self, submission: &Submission, at: u32, wrong: bool) -> Option<()> {
        let control = self.control.words();
        let tile = self.tile_at(at)?;
        let algorithm = kgpu_algos::by_id(AlgorithmId(submission.algorithm))?;
        let key = if algorithm.has_key() {
            let entry = keytable::read(control, &self.layout, tile.key_slot, tile.key_generation)?;
            (algorithm.cpu)(entry.key.get(..usize::from(entry.key_len))?).ok()?
        } else {
            (algorithm.cpu)(&[]).ok()?
        };
        let src = self.pool.read(tile.src, tile.len)?;
        let mut dst = vec![0; usize::try_from(tile.dst_len).ok()?];
        let data = Data::Apart {
            src: &src,
            dst: &mut dst,
        };
        key.run(&Work::try_from(&tile).ok()?, data).ok()?;
        if wrong && let Some(byte) = dst.last_mut() {
            *byte ^= 1;
        }
        self.pool.write(tile.dst, &dst);
        Some(())
    }
}
