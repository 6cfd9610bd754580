//! The module's one lock, and state that only its holder can reach.

use core::cell::UnsafeCell;

use super::glue;

/// Proof that the lock is held (interrupts off). Dropping it lets go.
#[derive(Debug)]
pub struct Guard {
    flags: u64,
}

/// Takes the lock. It guards the books (runs, slots, keys, who is attached): short, bounded work
/// from any context.
#[must_use]
pub fn lock() -> Guard {
    // SAFETY: no arguments; callable in any context but with the lock held already, which the
    // borrow of the one Guard in `Guarded::get` makes useless and lockdep would report.
    let flags = unsafe { glue::kgpu_glue_lock() };
    Guard { flags }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: this guard holds the lock; the flags are those of its taking.
        unsafe { glue::kgpu_glue_unlock(self.flags) }
    }
}

/// State that is reached with the lock held only.
#[derive(Debug, Default)]
pub struct Guarded<T>(UnsafeCell<T>);

// SAFETY: `get` asks for the guard of the one lock, exclusively, for as long as the reference
// lives, so there is never more than one reference.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    /// Guards a value.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The value, while the lock is held. Borrowing the guard exclusively means one guarded value
    /// at a time: copy out of one before reaching for the next.
    #[allow(clippy::mut_from_ref)]
    pub fn get<'a>(&'a self, _guard: &'a mut Guard) -> &'a mut T {
        // SAFETY: see the Sync proof.
        unsafe { &mut *self.0.get() }
    }
}
