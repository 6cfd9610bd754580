//! Rights, on threads of their own: what is dropped stays dropped, what is kept is off until used.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use kgpu_userhelper::privileges::{KEPT, drop_all, drop_all_but_kept, with_kept};
use rustix::thread::{
    CapabilitySet, capabilities, capability_is_in_bounding_set, no_new_privs, set_capabilities,
};

/// Rights are a thread's own: the test's other threads keep theirs.
fn on_a_thread(test: impl FnOnce() + Send + 'static) {
    std::thread::spawn(test).join().unwrap();
}

#[test]
fn the_main_thread_keeps_one_right_switched_off() {
    on_a_thread(|| {
        let before = capabilities(None).unwrap();
        drop_all_but_kept().unwrap();
        let after = capabilities(None).unwrap();
        assert!(after.effective.is_empty() && after.inheritable.is_empty());
        assert_eq!(after.permitted, before.permitted & KEPT);
        assert!(no_new_privs().unwrap());
        if before.effective.contains(CapabilitySet::SETPCAP) {
            assert!(!capability_is_in_bounding_set(CapabilitySet::SYS_ADMIN).unwrap());
        }
        let inside = with_kept(|| capabilities(None).unwrap().effective).unwrap();
        assert_eq!(inside, before.permitted & KEPT);
        assert!(capabilities(None).unwrap().effective.is_empty());
        // Nothing else comes back.
        let all = rustix::thread::CapabilitySets {
            effective: CapabilitySet::CHOWN,
            permitted: CapabilitySet::CHOWN,
            inheritable: CapabilitySet::empty(),
        };
        assert!(set_capabilities(None, all).is_err());
    });
}

#[test]
fn other_threads_and_those_they_start_have_none() {
    on_a_thread(|| {
        drop_all().unwrap();
        let none = || {
            let held = capabilities(None).unwrap();
            assert!(held.effective.is_empty() && held.permitted.is_empty());
            assert!(with_kept(|| ()).is_ok());
            assert!(capabilities(None).unwrap().effective.is_empty());
        };
        none();
        std::thread::spawn(none).join().unwrap();
    });
}
