//! Private copies of the bytes that a lane works on, for a pool whose other side may change them at any moment: a
//! guest. Ciphers then see bytes that stay as they are, and no reference of ours covers memory that others write.

use std::fmt;

use zeroize::Zeroize;

/// A lane's copies. Made as large as the largest span so far, cleared when the lane goes.
#[derive(Default)]
pub(super) struct Copies {
    src: Vec<u8>,
    dst: Vec<u8>,
}

impl Copies {
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
