//! Text for the kernel log and for status files, formatted without allocation.

use core::ffi::{c_int, c_void};
use core::fmt::{self, Write};
use core::ptr::NonNull;

use super::glue;

/// Levels of the kernel log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is broken.
    Error = 3,
    /// The helper misbehaved or the administrator should act; rate-limited.
    Warning = 4,
    /// What became of a helper that misbehaved; rate-limited apart, so that it does not drown.
    Notice = 5,
    /// A change of state.
    Info = 6,
}

/// A line of bounded length; what does not fit is cut off.
#[derive(Debug)]
pub struct Line {
    bytes: [u8; 240],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: [0; 240],
            len: 0,
        }
    }
}

impl Line {
    /// The text so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (to, from) in self.bytes.iter_mut().skip(self.len).zip(text.bytes()) {
            *to = from;
            self.len += 1;
        }
        Ok(())
    }
}

/// Writes a line to the kernel log.
pub fn log(level: Level, text: fmt::Arguments<'_>) {
    let mut line = Line::default();
    // Cannot fail: `Line` cuts off.
    let _always_ok = line.write_fmt(text);
    let bytes = line.bytes();
    // SAFETY: `bytes` is readable for its length.
    unsafe { glue::kgpu_glue_log(level as c_int, bytes.as_ptr(), bytes.len()) }
}

/// A status file being read.
///
/// # Invariants
/// Points to the `struct seq_file` of a show function that has not returned.
#[derive(Debug)]
pub struct Seq(NonNull<c_void>);

impl Seq {
    /// # Safety
    /// `seq` is the seq_file of the running show function, which outlives the result.
    pub(super) unsafe fn new(seq: NonNull<c_void>) -> Self {
        Self(seq)
    }
}

impl Write for Seq {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: a seq_file by the invariants; `text` is readable for its length.
        unsafe { glue::kgpu_glue_report(self.0.as_ptr(), text.as_ptr(), text.len()) };
        Ok(())
    }
}
