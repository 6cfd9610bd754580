//! Private copies of the bytes that a lane works on, for a pool whose other side may change them at any moment: a
//! guest. Ciphers then see bytes that stay as they are, and no reference of ours covers memory that others write.

use std::fmt;

use zeroize::Zeroize;

/// A lane's copies, cleared when the lane goes. They grow for a tile that is larger than the helper asked for: a guest that
/// makes one waits for the memory.
pub(super) struct Copies {
    src: Vec<u8>,
    dst: Vec<u8>,
}

impl Copies {
    /// With room for tiles of `len` bytes, every page of it taken now.
    pub(super) fn with_room(len: usize) -> Self {
        // Of zeros the system would only promise pages.
        let taken = || vec![1; len];
        Self {
            src: taken(),
            dst: taken(),
        }
    }

    /// Room for a source and a destination. What it holds is what was there before.
    pub(super) fn room(&mut self, src: usize, dst: usize) -> (&mut [u8], &mut [u8]) {
        (grown(&mut self.src, src), grown(&mut self.dst, dst))
    }
}

/// The first `len` bytes, of which no old copy stays behind when it moves to grow.
fn grown(bytes: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if bytes.len() < len {
        bytes.zeroize();
        *bytes = vec![0; len];
    }
    // PANIC: none, it was made at least as long.
    &mut bytes[..len]
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.src.zeroize();
        self.dst.zeroize();
    }
}

impl fmt::Debug for Copies {
    /// Prints no data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies")
            .field("src", &self.src.len())
            .field("dst", &self.dst.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_there_from_the_start() {
        let mut copies = Copies::with_room(4096);
        let at = (copies.src.as_ptr(), copies.dst.as_ptr());
        let (src, dst) = copies.room(4096, 16);
        assert_eq!((src.len(), dst.len()), (4096, 16));
        src.fill(7);
        assert_eq!((copies.src.as_ptr(), copies.dst.as_ptr()), at);
        assert_eq!(
            copies.room(5000, 5000).0,
            [0; 5000],
            "nothing is carried over"
        );
    }
}
