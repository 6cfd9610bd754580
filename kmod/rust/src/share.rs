//! Fair shares: how much of pool and slots one owner may hold.
//!
//! Owners are hashed into a fixed number of accounts, so that there is nothing to allocate; two
//! owners that meet in one account share its allowance.

use kgpu_core::num::{index, low32};

const ACCOUNTS: usize = 64;

/// One account.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    bytes: u64,
    slots: u32,
}

/// What is in flight, by owner.
#[derive(Debug)]
pub struct Shares {
    accounts: [Account; ACCOUNTS],
    bytes_limit: u64,
    slots_limit: u32,
}

impl Shares {
    /// Empty accounts with these limits each.
    #[must_use]
    pub const fn new(bytes_limit: u64, slots_limit: u32) -> Self {
        Self {
            accounts: [Account { bytes: 0, slots: 0 }; ACCOUNTS],
            bytes_limit,
            slots_limit,
        }
    }

    fn account(&mut self, owner: u64) -> &mut Account {
        // Fibonacci hashing: neighbouring user and process ids land in different accounts.
        let hash = low32(owner.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58);
        let at = index(u64::from(hash)) % ACCOUNTS;
        &mut self.accounts[at]
    }

    /// Whether the owner may take `bytes` more, and one more slot if `slot`.
    pub fn allows(&mut self, owner: u64, bytes: u64, slot: bool) -> bool {
        let (bytes_limit, slots_limit) = (self.bytes_limit, self.slots_limit);
        let account = self.account(owner);
        account.bytes + bytes <= bytes_limit && (!slot || account.slots < slots_limit)
    }

    /// Takes.
    pub fn take(&mut self, owner: u64, bytes: u64, slot: bool) {
        let account = self.account(owner);
        account.bytes += bytes;
        account.slots += u32::from(slot);
    }

    /// Whether nothing is taken.
    #[cfg(any(test, feature = "mock"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.iter().all(|a| a.bytes == 0 && a.slots == 0)
    }

    /// Gives back.
    pub fn give(&mut self, owner: u64, bytes: u64, slot: bool) {
        let account = self.account(owner);
        account.bytes = account.bytes.saturating_sub(bytes);
        account.slots = account.slots.saturating_sub(u32::from(slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_cannot_take_what_is_anothers() {
        let mut shares = Shares::new(1000, 2);
        shares.take(1, 900, true);
        shares.take(1, 100, true);
        assert!(!shares.allows(1, 1, false), "bytes are used up");
        assert!(shares.allows(2, 1000, true), "another owner has its own");
        shares.give(1, 900, false);
        assert!(shares.allows(1, 900, false));
        assert!(!shares.allows(1, 1, true), "slots are used up");
        shares.give(1, 100, true);
        assert!(shares.allows(1, 1, true));
    }

    #[test]
    fn giving_back_too_much_wraps_nothing() {
        let mut shares = Shares::new(10, 1);
        shares.give(7, 100, true);
        assert!(shares.allows(7, 10, true));
        assert!(!shares.allows(7, 11, false));
    }
}
