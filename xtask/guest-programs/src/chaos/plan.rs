//! What will be struck, in which order and with which numbers: all of it follows from the seed.
//! Nothing here looks at the machine, so that two runs of a seed strike the same way.

use clap::ValueEnum;
use fastrand::Rng;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// SIGKILL.
    Kill,
    /// SIGSTOP until the module has taken its requests back, then SIGCONT.
    Stop,
    /// Another helper takes over while it serves.
    Takeover,
    /// Completions that nobody asked for.
    Garbage,
    /// Impossible ring words.
    Words,
    /// Well-formed completions with wrong bytes, every one rechecked.
    WrongData,
    /// Completions that come late.
    Slow,
    /// The backend fails, honestly said.
    Error,
    /// The kernel reclaims memory.
    Pressure,
}

impl Kind {
    /// Its name in reports: broken ring words are garbage too.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Takeover => "takeover",
            Self::Garbage | Self::Words => "garbage",
            Self::WrongData => "wrong-data",
            Self::Slow => "slow",
            Self::Error => "error",
            Self::Pressure => "pressure",
        }
    }

    /// Whether it can strike at any helper; the others need one that misbehaves when told to.
    pub const fn suits_any_helper(self) -> bool {
        matches!(
            self,
            Self::Kill | Self::Stop | Self::Takeover | Self::Pressure
        )
    }

    /// Whether another helper serves afterwards.
    pub const fn ends_session(self) -> bool {
        matches!(
            self,
            Self::Kill | Self::Takeover | Self::Garbage | Self::Words | Self::WrongData
        )
    }
}

/// Which helper program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// `kgpu serve`.
    Product,
    /// `evil-helper serve`: honest until told otherwise.
    Evil,
}

impl Who {
    /// Its name in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Evil => "evil",
        }
    }
}

/// How many of each kind are in a deck, which is shuffled and dealt, and then the next one: so every
/// kind has its share in any long run. The slowest ones come least.
const DECK: &[(Kind, usize)] = &[
    (Kind::Kill, 6),
    (Kind::Stop, 5),
    (Kind::Takeover, 5),
    (Kind::Garbage, 4),
    (Kind::Words, 3),
    (Kind::WrongData, 6),
    (Kind::Slow, 7),
    (Kind::Error, 10),
    (Kind::Pressure, 4),
];

/// One in so many sessions that begin with a kind that suits any helper is the product's: a fifth of all.
const PRODUCT_ONE_IN: usize = 2;
/// Longest pause before a strike.
const PAUSE_MS: u64 = 50;

/// One fault to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What happens.
    pub kind: Kind,
    /// Who serves when it does.
    pub at: Who,
    /// Who serves afterwards.
    pub next: Who,
    /// Milliseconds from the last recovery to the strike.
    pub pause_ms: u64,
    /// A number for the kind: how many completions, how late.
    pub number: u64,
    /// A seed for the helper that serves afterwards.
    pub seed: u64,
}

/// An endless plan.
#[derive(Debug)]
pub struct Plan {
    rng: Rng,
    deck: Vec<Kind>,
    kinds: Vec<Kind>,
    on: Who,
    next: Option<Kind>,
}

impl Plan {
    /// The plan of a seed, with these kinds only. It begins on the helper that misbehaves when told to, if
    /// there is a kind that needs it.
    pub fn new(seed: u64, kinds: &[Kind]) -> Self {
        let on = if kinds.iter().all(|kind| kind.suits_any_helper()) {
            Who::Product
        } else {
            Who::Evil
        };
        let mut plan = Self {
            rng: Rng::with_seed(seed),
            deck: Vec::new(),
            kinds: kinds.to_vec(),
            on,
            next: None,
        };
        plan.next = plan.deal();
        plan
    }

    /// Who serves before the first strike.
    pub const fn first(&self) -> Who {
        self.on
    }

    fn deal(&mut self) -> Option<Kind> {
        if self.deck.is_empty() {
            for (kind, count) in DECK {
                if self.kinds.contains(kind) {
                    self.deck.extend(std::iter::repeat_n(*kind, *count));
                }
            }
            self.rng.shuffle(&mut self.deck);
        }
        self.deck.pop()
    }

    /// Who should serve when `kind` strikes.
    fn who_for(&mut self, kind: Kind) -> Who {
        let product = self.rng.usize(..PRODUCT_ONE_IN) == 0;
        if kind.suits_any_helper() && (product || self.only_product()) {
            Who::Product
        } else {
            Who::Evil
        }
    }

    fn only_product(&self) -> bool {
        self.kinds.iter().all(|kind| kind.suits_any_helper())
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let planned = self.next?;
        // The product does not misbehave: it makes room, by one more kill or takeover.
        let kind = if self.on == Who::Product && !planned.suits_any_helper() {
            if self.kinds.contains(&Kind::Takeover) && self.rng.bool() {
                Kind::Takeover
            } else {
                Kind::Kill
            }
        } else {
            self.next = self.deal();
            planned
        };
        let at = self.on;
        if kind.ends_session() {
            let following = self.next?;
            self.on = self.who_for(following);
        }
        Some(Step {
            kind,
            at,
            next: self.on,
            pause_ms: self.rng.u64(..=PAUSE_MS),
            number: self.rng.u64(1..=32),
            seed: self.rng.u64(..),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 9] = [
        Kind::Kill,
        Kind::Stop,
        Kind::Takeover,
        Kind::Garbage,
        Kind::Words,
        Kind::WrongData,
        Kind::Slow,
        Kind::Error,
        Kind::Pressure,
    ];

    #[test]
    fn a_seed_gives_one_plan() {
        let steps = |seed| Plan::new(seed, &ALL).take(500).collect::<Vec<_>>();
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(8));
    }

    #[test]
    fn every_kind_has_six_percent_of_any_long_run() {
        for seed in 0..20 {
            let steps: Vec<_> = Plan::new(seed, &ALL).take(1000).collect();
            for kind in ALL.iter().filter(|kind| **kind != Kind::Words) {
                let count = steps
                    .iter()
                    .filter(|step| step.kind.label() == kind.label())
                    .count();
                assert!(count >= 60, "seed {seed}: {kind:?} {count} of 1000");
            }
        }
    }

    #[test]
    fn what_the_product_does_not_do_is_never_planned_for_it() {
        let mut on = Plan::new(3, &ALL).first();
        let mut product = 0;
        for step in Plan::new(3, &ALL).take(2000) {
            assert_eq!(step.at, on);
            assert!(step.at == Who::Evil || step.kind.suits_any_helper());
            assert!(step.kind.ends_session() || step.next == step.at);
            on = step.next;
            product += usize::from(on == Who::Product);
        }
        assert!(product > 150, "{product}");
    }
}
