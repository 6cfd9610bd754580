//! What a session has done, for the log at its end, and a bounded log of what went wrong.

use kgpu_core::abi::{Completion, RequestId};

use crate::backend::CPU_CODE;
use crate::fault::Fault;

/// Faults that are logged one by one; the rest is only counted.
const LOGGED: u64 = 16;

/// Counts of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests answered.
    pub requests: u64,
    /// Source bytes computed.
    pub bytes: u64,
    /// Requests computed, wholly or in part, by the CPU: all but where there is a device.
    pub by_cpu: u64,
    /// Requests answered with a fault.
    pub faults: u64,
    /// Times the module had to be woken.
    pub kicks: u64,
    /// Sleeps that ended by their time with work waiting, where that can be told: a doorbell was lost, or was on its way
    /// in that moment.
    pub overslept: u64,
    /// Prepared keys dropped because their slots moved on unused.
    pub swept: usize,
}

impl Tally {
    /// Counts an answered request.
    pub fn count(&mut self, completion: &Completion, bytes: u32, fault: Option<Fault>) {
        self.requests += 1;
        let Some(fault) = fault else {
            self.bytes += u64::from(bytes);
            self.by_cpu += u64::from(completion.backend == CPU_CODE);
            return;
        };
        self.faults += 1;
        if self.faults <= LOGGED {
            let id = RequestId::from_wire(completion.request);
            let status = fault.status();
            tracing::warn!(request = id.slot, %status, "request not computed: {fault}");
        }
        if self.faults == LOGGED {
            tracing::warn!("further faults of this session are only counted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    #[test]
    fn what_the_cpu_computed_is_told_apart() {
        let mut tally = Tally::default();
        for backend in [CPU_CODE, CPU_CODE + 1, CPU_CODE] {
            let completion = Completion {
                backend,
                ..Completion::new_zeroed()
            };
            tally.count(&completion, 512, None);
        }
        let found = (tally.requests, tally.bytes, tally.by_cpu, tally.faults);
        assert_eq!(found, (3, 1536, 2, 0));
    }
}
