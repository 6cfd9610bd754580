//! Where a proof's values come from: all of them at once under Kani, random or each in turn in an
//! ordinary test of the same body.
//!
//! Proofs lie beside their code in modules named `proofs`; nothing of them is in a build. A body
//! returns whether its case was within its assumptions.

/// A source of values.
pub trait Source {
    /// Any value below `bound`, which is not 0.
    fn below(&mut self, bound: u64) -> u64;

    /// Any value.
    fn u64(&mut self) -> u64;

    /// Whether the case goes on: only where `holds`.
    fn assume(&mut self, holds: bool) -> bool;

    /// Any value of 32 bits.
    fn u32(&mut self) -> u32 {
        crate::num::low32(self.u64())
    }

    /// Either.
    fn bool(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Any value below `bound`, as an index.
    fn index(&mut self, bound: u64) -> usize {
        crate::num::index(self.below(bound))
    }
}

/// Every value, symbolically.
#[cfg(kani)]
#[derive(Debug)]
pub struct Symbolic;

#[cfg(kani)]
impl Source for Symbolic {
    fn below(&mut self, bound: u64) -> u64 {
        let value = kani::any();
        kani::assume(value < bound);
        value
    }

    fn u64(&mut self) -> u64 {
        kani::any()
    }

    fn assume(&mut self, holds: bool) -> bool {
        kani::assume(holds);
        true
    }
}

/// Random values, many of them near the edges of what an integer holds. The seed is fixed: a failure
/// comes again.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Runs a body until `cases` of its cases were within its assumptions.
    ///
    /// # Panics
    /// When that does not happen in a hundred times as many: the test would show nothing.
    pub fn run(cases: u32, body: impl Fn(&mut Self) -> bool) {
        let mut source = Self(0x9e37_79b9_7f4a_7c15);
        let mut counted = 0;
        for _ in 0..cases.saturating_mul(100) {
            counted += u32::from(body(&mut source));
            if counted == cases {
                return;
            }
        }
        panic!("{counted} of {cases} cases were within the assumptions");
    }

    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

impl Source for Random {
    fn below(&mut self, bound: u64) -> u64 {
        let roll = self.next();
        match roll % 8 {
            0 => 0,
            1 => bound - 1,
            _ => (roll >> 3) % bound,
        }
    }

    fn u64(&mut self) -> u64 {
        let (kind, value) = (self.next() % 6, self.next());
        match kind {
            0 => value % 4,
            1 => u64::MAX - value % 4,
            // Near a power of two.
            2 => (1u64 << (value % 64))
                .wrapping_add(value >> 6 & 3)
                .wrapping_sub(2),
            3 => value >> 32,
            4 => value % (1 << 17),
            _ => value,
        }
    }

    fn assume(&mut self, holds: bool) -> bool {
        holds
    }
}

/// Each combination of values once, for bodies that ask for bounded ones only.
#[derive(Debug, Default)]
pub struct Exhaustive {
    /// The value of each question in its order, and its bound.
    digits: [(u64, u64); 24],
    asked: usize,
}

impl Exhaustive {
    /// Runs a body over all of them. The result is how many were within its assumptions.
    pub fn run(body: impl Fn(&mut Self) -> bool) -> u64 {
        let mut source = Self::default();
        let mut counted = 0;
        loop {
            source.asked = 0;
            counted += u64::from(body(&mut source));
            if !source.advance() {
                return counted;
            }
        }
    }

    /// Counts on at the last question of the last case.
    fn advance(&mut self) -> bool {
        let (asked, later) = self.digits.split_at_mut(self.asked);
        later.fill((0, 0));
        for digit in asked.iter_mut().rev() {
            digit.0 += 1;
            if digit.0 < digit.1 {
                return true;
            }
            *digit = (0, 0);
        }
        false
    }
}

impl Source for Exhaustive {
    fn below(&mut self, bound: u64) -> u64 {
        let Some(digit) = self.digits.get_mut(self.asked) else {
            panic!("more questions than an exhaustive run keeps");
        };
        self.asked += 1;
        digit.1 = bound;
        digit.0
    }

    fn u64(&mut self) -> u64 {
        panic!("an exhaustive run has bounded values only");
    }

    fn assume(&mut self, holds: bool) -> bool {
        holds
    }
}

/// Declares a proof: under Kani of every value, unwinding loops so often; in a test of so many
/// random cases, or with `each` of every case.
#[macro_export]
macro_rules! prove {
    ($(#[$meta:meta])* $name:ident: $body:path, unwind $unwind:literal, each) => {
        $crate::prove!(@kani $name, $body, $unwind);
        $(#[$meta])*
        #[cfg(not(kani))]
        #[test]
        fn $name() {
            assert!($crate::proof::Exhaustive::run(|source| $body(source)) > 0);
        }
    };
    ($(#[$meta:meta])* $name:ident: $body:path, unwind $unwind:literal, $cases:literal cases) => {
        $crate::prove!(@kani $name, $body, $unwind);
        $(#[$meta])*
        #[cfg(not(kani))]
        #[test]
        fn $name() {
            $crate::proof::Random::run($cases, |source| $body(source));
        }
    };
    (@kani $name:ident, $body:path, $unwind:literal) => {
        #[cfg(kani)]
        #[kani::proof]
        #[kani::unwind($unwind)]
        fn $name() {
            $body(&mut $crate::proof::Symbolic);
        }
    };
}
