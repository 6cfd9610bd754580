//! What can go wrong with a peer, in words that say what to do.

/// What can go wrong with a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The library can't be loaded.
    #[error("{library} cannot be loaded ({why}): install Debian's package {package}")]
    Missing {
        /// Its file name.
        library: &'static str,
        /// Debian's package.
        package: &'static str,
        /// What the loader said.
        why: String,
    },
    /// The library lacks a function.
    #[error(
        "{library} has no {symbol} ({why}): it is too old or too new; {package} of Debian 12 has it"
    )]
    Symbol {
        /// Its file name.
        library: &'static str,
        /// Debian's package.
        package: &'static str,
        /// The function.
        symbol: &'static str,
        /// What the loader said.
        why: String,
    },
    /// The library was loaded but can't be used.
    #[error("{library} cannot be used: {why}")]
    Unusable {
        /// Its file name.
        library: &'static str,
        /// Why.
        why: String,
    },
    /// The library does not compute that.
    #[error("{peer} does not offer {algorithm} with keys of {key_len} bytes")]
    NotOffered {
        /// The library.
        peer: &'static str,
        /// The algorithm's name.
        algorithm: &'static str,
        /// Bytes of the key.
        key_len: usize,
    },
    /// The library does not take this very key.
    #[error("{peer} refuses this key: {why}")]
    Refused {
        /// The library.
        peer: &'static str,
        /// What it said.
        why: String,
    },
    /// An IV or data of a length that does not fit.
    #[error("{peer}: {what} of {len} bytes")]
    Length {
        /// The library.
        peer: &'static str,
        /// What is too long or too short.
        what: &'static str,
        /// Its length.
        len: usize,
    },
    /// The library failed.
    #[error("{peer}: {call} failed: {why}")]
    Failed {
        /// The library.
        peer: &'static str,
        /// The function.
        call: &'static str,
        /// What it said.
        why: String,
    },
}
