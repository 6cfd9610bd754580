//! The strikes: what a command asks for, as data.

use std::time::Duration;

/// What to do to the requests in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// So many completions of random classes that must not be believed.
    Garbage(u64),
    /// One wrong byte in each of the next results.
    WrongData(u64),
    /// All that is in hand is answered so much later.
    Slow(Duration),
    /// The next requests are said to have failed.
    Error(u64),
    /// An impossible ring word.
    Words,
    /// Killed, as by `kill -KILL`.
    Kill,
    /// Stopped, as by `kill -STOP`.
    Stop,
}

impl Strike {
    /// What the words after `strike` ask for.
    pub fn parse(words: &[&str]) -> Result<Self, String> {
        let number = |text: &str| {
            text.parse::<u64>()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| format!("{text}: a number above 0 is needed"))
        };
        match *words {
            ["garbage", n] => number(n).map(Self::Garbage),
            ["wrong-data", n] => number(n).map(Self::WrongData),
            ["slow", ms] => number(ms).map(|ms| Self::Slow(Duration::from_millis(ms))),
            ["error", n] => number(n).map(Self::Error),
            ["words"] => Ok(Self::Words),
            ["kill"] => Ok(Self::Kill),
            ["stop"] => Ok(Self::Stop),
            _ => {
                Err("strike garbage N, wrong-data N, slow MS, error N, words, kill or stop".into())
            }
        }
    }

    /// Its name.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Garbage(_) => "garbage",
            Self::WrongData(_) => "wrong-data",
            Self::Slow(_) => "slow",
            Self::Error(_) => "error",
            Self::Words => "words",
            Self::Kill => "kill",
            Self::Stop => "stop",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strikes_are_read_or_refused() {
        let read = |line: &str| Strike::parse(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(read("garbage 16"), Ok(Strike::Garbage(16)));
        assert_eq!(
            read("slow 1500"),
            Ok(Strike::Slow(Duration::from_millis(1500)))
        );
        assert_eq!(read("kill").map(Strike::label), Ok("kill"));
        for bad in [
            "",
            "garbage",
            "garbage 0",
            "garbage x",
            "kill 1",
            "words 2",
            "peace",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
