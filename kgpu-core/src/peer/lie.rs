//! Every class of lie that a helper can tell, as data: its name, what it puts where the module
//! reads, and what the module answers with. Telling them is `helper`'s part.

use crate::abi::{Completion, RequestId, word};
use crate::inflight::Reject;

/// When a lie is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// To a known answer, before the helper is live.
    Testing,
    /// To the first request afterwards.
    Live,
}

/// What the module answers a lie with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The completion is rejected: the index of its kind, [`Reject::kind`].
    Rejected(usize),
    /// [`crate::ring::RingError::InvalidHead`]; the helper is quarantined.
    InvalidHead,
    /// [`crate::ring::RingError::InvalidTail`]; the helper is quarantined.
    InvalidTail,
    /// A known answer is wrong; the helper is quarantined.
    KnownAnswer,
    /// A known answer does not come by its deadline; the helper is quarantined.
    NoKnownAnswer,
    /// The deadline: the module does the request itself.
    Deadline,
    /// The request's status: the module does the request itself.
    Failed,
    /// Only who computes the result again can tell: a module that rechecks, or the caller.
    Recheck,
}

impl Answer {
    /// The module's counter that moves: its name, or for counters kept by algorithm what its name
    /// ends with.
    #[must_use]
    pub const fn counter(self) -> &'static str {
        match self {
            // In the order of `Reject::LABELS`, of which the module makes the names.
            Self::Rejected(0) => "rejected.foreign-session",
            Self::Rejected(1) => "rejected.unknown-slot",
            Self::Rejected(2) => "rejected.stale",
            Self::Rejected(3) => "rejected.written-length",
            Self::Rejected(4) => "rejected.unknown-status",
            Self::Rejected(5) => "rejected.reserved",
            // Kinds to come: those of an algorithm's requests.
            Self::Rejected(_) => "rejected",
            Self::InvalidHead => "ring-errors.head",
            Self::InvalidTail => "ring-errors.tail",
            Self::KnownAnswer => "known-answers-failed",
            Self::NoKnownAnswer => "known-answers-missing",
            Self::Deadline => "fallback.deadline.requests",
            Self::Failed => "fallback.failed.requests",
            Self::Recheck => "rechecks-wrong",
        }
    }
}

/// Declares the classes with everything that is known of each.
macro_rules! lies {
    ($( $(#[doc = $doc:literal])+ $name:ident = $label:literal, $stage:ident, $answer:expr; )*) => {
        /// A class of lie.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Lie {
            $( $(#[doc = $doc])+ $name, )*
        }

        impl Lie {
            /// Every class.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];

            /// Its stable name, for command lines, logs and tables.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $( Self::$name => $label, )* }
            }

            /// What it is, in a line.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $( Self::$name => concat!($($doc),+).trim_start(), )* }
            }

            /// When it is told.
            #[must_use]
            pub const fn stage(self) -> Stage {
                match self { $( Self::$name => Stage::$stage, )* }
            }

            /// What the module answers it with.
            #[must_use]
            pub const fn answer(self) -> Answer {
                match self { $( Self::$name => $answer, )* }
            }
        }
    };
}

lies! {
    /// A completion for a slot that the module's table does not have
    UnknownSlot = "unknown-slot", Live, Answer::Rejected(1);
    /// A completion posted a second time
    Doubled = "doubled", Live, Answer::Rejected(2);
    /// A completion for another generation of its slot
    Stale = "stale", Live, Answer::Rejected(2);
    /// A completion of another session
    ForeignSession = "foreign-session", Live, Answer::Rejected(0);
    /// A completion that claims another length
    WrittenLength = "written-length", Live, Answer::Rejected(3);
    /// A completion of a failure that claims to have written
    FailedLength = "failed-length", Live, Answer::Rejected(3);
    /// A completion with a status that does not exist
    UnknownStatus = "unknown-status", Live, Answer::Rejected(4);
    /// A completion with a reserved field set
    Reserved = "reserved", Live, Answer::Rejected(5);
    /// A completion whose every field is impossible
    Wild = "wild", Live, Answer::Rejected(0);
    /// A submission head beyond anything published
    HeadAhead = "head-ahead", Live, Answer::InvalidHead;
    /// A submission head that goes back to the session's start
    HeadBack = "head-back", Live, Answer::InvalidHead;
    /// A submission head of all ones
    HeadWild = "head-wild", Live, Answer::InvalidHead;
    /// A completion tail more than a ring ahead
    TailAhead = "tail-ahead", Live, Answer::InvalidTail;
    /// A completion tail one before what the module has consumed
    TailBack = "tail-back", Live, Answer::InvalidTail;
    /// A completion tail of all ones
    TailWild = "tail-wild", Live, Answer::InvalidTail;
    /// A known answer with one wrong byte
    WrongAnswer = "wrong-answer", Testing, Answer::KnownAnswer;
    /// No known answers at all
    NoAnswer = "no-answer", Testing, Answer::NoKnownAnswer;
    /// A result with one wrong byte, in a completion without fault
    WrongData = "wrong-data", Live, Answer::Recheck;
    /// A request said to have failed, which is no lie
    Failing = "failing", Live, Answer::Failed;
    /// A request taken and never answered
    Silence = "silence", Live, Answer::Deadline;
    /// A request answered, and written, long after its deadline
    Late = "late", Live, Answer::Deadline;
}

impl Lie {
    /// The class of a name.
    #[must_use]
    pub fn by_label(label: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lie| lie.label() == label)
    }

    /// Whether it is a completion that must not be believed.
    #[must_use]
    pub const fn is_completion(self) -> bool {
        matches!(self.answer(), Answer::Rejected(_))
    }

    /// Whether it is a ring word that cannot be.
    #[must_use]
    pub const fn is_word(self) -> bool {
        matches!(self.answer(), Answer::InvalidHead | Answer::InvalidTail)
    }

    /// What becomes of a good completion: `None` unless the lie is one of completions. `Doubled`
    /// leaves it as it is; the lie is in posting it again.
    #[must_use]
    pub fn bend(self, good: &Completion) -> Option<Completion> {
        let id = RequestId::from_wire(good.request);
        Some(match self {
            Self::UnknownSlot => Completion {
                request: RequestId {
                    slot: u32::MAX,
                    ..id
                }
                .to_wire(),
                ..*good
            },
            Self::Doubled => *good,
            Self::Stale => Completion {
                request: RequestId {
                    generation: id.generation ^ 1 << 31,
                    ..id
                }
                .to_wire(),
                ..*good
            },
            Self::ForeignSession => Completion {
                session: good.session.wrapping_add(1),
                ..*good
            },
            Self::WrittenLength => Completion {
                written_len: good.written_len.wrapping_add(1),
                ..*good
            },
            Self::FailedLength => Completion {
                status: crate::abi::Status::BackendFailed.code(),
                written_len: good.written_len.max(1),
                ..*good
            },
            Self::UnknownStatus => Completion {
                status: 77,
                ..*good
            },
            Self::Reserved => Completion {
                reserved: 1,
                ..*good
            },
            Self::Wild => Completion {
                request: u64::MAX,
                session: !good.session,
                written_len: u32::MAX,
                status: u16::MAX,
                backend: u16::MAX,
                reserved: u32::MAX,
                detail: u64::MAX,
            },
            _ => return None,
        })
    }

    /// The ring word and the value it is given: `None` unless the lie is one of words. None of the
    /// values can become true by what the module does meanwhile.
    #[must_use]
    pub fn word(self, at: &RingNow) -> Option<(u64, u64)> {
        let ring = u64::from(at.entries) + 1;
        Some(match self {
            Self::HeadAhead => (word::SQ_HEAD, at.published.wrapping_add(ring)),
            Self::HeadBack => (word::SQ_HEAD, 0),
            Self::HeadWild => (word::SQ_HEAD, u64::MAX),
            Self::TailAhead => (word::CQ_TAIL, at.posted.wrapping_add(ring)),
            Self::TailBack => (word::CQ_TAIL, at.consumed.saturating_sub(1)),
            Self::TailWild => (word::CQ_TAIL, u64::MAX),
            _ => return None,
        })
    }
}

/// Where the rings stand, for lies about it.
#[derive(Clone, Copy, Debug)]
pub struct RingNow {
    /// Entries of a ring.
    pub entries: u32,
    /// Submissions the module has published.
    pub published: u64,
    /// Completions the helper has posted.
    pub posted: u64,
    /// Completions the module says it has consumed.
    pub consumed: u64,
}

/// The label of an answer's kind of reject, as the module's counters have it.
impl core::fmt::Display for Answer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Rejected(kind) => Reject::LABELS.get(*kind).copied().unwrap_or("?"),
            Self::InvalidHead => "invalid head",
            Self::InvalidTail => "invalid tail",
            Self::KnownAnswer => "known answer failed",
            Self::NoKnownAnswer => "no known answer",
            Self::Deadline => "deadline",
            Self::Failed => "failed",
            Self::Recheck => "recheck",
        })
    }
}
