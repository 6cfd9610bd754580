//! Stands in for `-lcuda`: defines the driver functions that this workspace calls, and forwards each to
//! `libcuda.so.1`, opened on first use. No policy here, and no call of its own to any of them.
//!
//! Ask [`driver`] before the first call: it says in words why there is none.
#![allow(unsafe_code)]

mod code;
mod functions;

use std::error::Error;
use std::sync::OnceLock;

use libloading::Library;

/// The driver's file, as the dynamic linker looks for it.
const FILE: &str = "libcuda.so.1";

/// Whether there is a driver.
///
/// # Errors
/// The dynamic linker's words.
pub fn driver() -> Result<(), &'static str> {
    library().map(|_| ())
}

/// The driver library, which stays open until the process ends.
fn library() -> Result<&'static Library, &'static str> {
    static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
    LIBRARY
        .get_or_init(|| {
            // SAFETY: opening runs the library's constructors: NVIDIA's own, from the system's library
            // path, which is what linking to it would do before `main`.
            unsafe { Library::new(FILE) }.map_err(|error| {
                // The linker's own words are the source.
                error
                    .source()
                    .map_or_else(|| error.to_string(), ToString::to_string)
            })
        })
        .as_ref()
        .map_err(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cust_raw::CUresult;

    /// With or without a driver, a forwarded call answers, and agrees with [`driver`].
    #[test]
    fn calls_answer_without_a_driver() {
        let mut version = 0;
        // SAFETY: `version` is an integer that lives during the call.
        let answer = unsafe { functions::cuDriverGetVersion(&raw mut version) };
        match driver() {
            Ok(()) => assert!(answer == CUresult::CUDA_SUCCESS && version > 0),
            Err(why) => {
                assert_eq!(answer, CUresult::CUDA_ERROR_NOT_FOUND);
                assert!(why.contains(FILE), "{why}");
            }
        }
    }
}
