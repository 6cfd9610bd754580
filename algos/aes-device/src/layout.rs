//! Where things lie in a schedule, and in shared memory.

/// Rounds at most, those of a key of 32 bytes.
pub(crate) const ROUNDS_MAX: u32 = 14;

/// Rounds with MixColumns at most, four words of the schedule each.
pub(crate) const MIDDLE: u32 = ROUNDS_MAX - 1;

/// Where the key before the first round of encryption is, in words; word 0 is the number of rounds.
pub(crate) const FIRST: u32 = 4;
/// The key after encryption's last round.
pub(crate) const LAST: u32 = 8;
/// The keys of the rounds between, for encryption, in the form of `MIX_KEYS`.
pub(crate) const ENCRYPT: u32 = 12;
/// Those for decryption, in the order in which it uses them, in the form of `UNMIX_KEYS`.
pub(crate) const DECRYPT: u32 = ENCRYPT + 4 * MIDDLE;
/// Words of one key's schedule.
pub const WORDS: u32 = DECRYPT + 4 * MIDDLE;

/// Bytes of a round key's 32 planes in shared memory.
pub(crate) const PLANES_BYTES: u32 = 128;
/// Where in shared memory encryption's planes are, behind the schedule's first words as they are.
pub(crate) const ENCRYPT_PLANES: u32 = ENCRYPT * 4;
/// Decryption's planes.
pub(crate) const DECRYPT_PLANES: u32 = ENCRYPT_PLANES + MIDDLE * PLANES_BYTES;
/// Bytes of shared memory that a key takes.
pub const SHARED_BYTES: u32 = DECRYPT_PLANES + MIDDLE * PLANES_BYTES;
