//! Processor time, of the whole process and of one thread.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

fn now(clock: ClockId) -> Duration {
    // Every Linux has these clocks.
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

/// Processor time at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    process: Duration,
    thread: Duration,
}

/// Processor time between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// By all threads but the calling one.
    pub others: Duration,
    /// By the calling thread.
    pub own: Duration,
}

impl Clocks {
    /// Both clocks now: user and system time.
    #[must_use]
    pub fn now() -> Self {
        Self {
            process: now(ClockId::CLOCK_PROCESS_CPUTIME_ID),
            thread: now(ClockId::CLOCK_THREAD_CPUTIME_ID),
        }
    }

    /// What was spent since; to be called by the same thread.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let later = Self::now();
        let own = later.thread.saturating_sub(self.thread);
        Spent {
            others: later
                .process
                .saturating_sub(self.process)
                .saturating_sub(own),
            own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calling_thread_is_told_apart() {
        let start = Clocks::now();
        // Work that no compiler takes away, by another thread and then by this one.
        let work = |until: Duration| {
            let start = Clocks::now();
            let mut rounds = 0u64;
            while start.spent().own < until {
                rounds = std::hint::black_box(rounds + 1);
            }
        };
        let far = Duration::from_millis(40);
        std::thread::scope(|scope| scope.spawn(|| work(far)).join()).unwrap();
        let (before, near) = (start.spent(), Duration::from_millis(20));
        assert!(before.others >= far, "{before:?}");
        work(near);
        assert!(start.spent().own >= near + before.own);
    }
}
