//! What the golden layout test and the C header share: walks over the parts of the ABI that are
//! not structures.

use kgpu_core::abi::{AttachFlags, Features, SessionState, SubmissionFlags, TileFlags};

/// The command that writes the C header, run in the repository's root.
pub const HEADER_COMMAND: &str =
    "cargo run -p kgpu-core --example c_header > kmod/include/kgpu_abi.h";

/// Every session state, in wire order.
pub fn session_states() -> impl Iterator<Item = SessionState> {
    (0..=u64::from(u8::MAX)).filter_map(|code| SessionState::try_from(code).ok())
}

/// Every flag: its set, its name, its bits.
pub fn flags() -> Vec<(&'static str, &'static str, u64)> {
    let mut all = Vec::new();
    for (name, flag) in Features::all().iter_names() {
        all.push(("Features", name, flag.bits()));
    }
    for (name, flag) in AttachFlags::all().iter_names() {
        all.push(("AttachFlags", name, u64::from(flag.bits())));
    }
    for (name, flag) in SubmissionFlags::all().iter_names() {
        all.push(("SubmissionFlags", name, u64::from(flag.bits())));
    }
    for (name, flag) in TileFlags::all().iter_names() {
        all.push(("TileFlags", name, u64::from(flag.bits())));
    }
    all
}
