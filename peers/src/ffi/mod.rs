//! The libraries' functions behind types that can't be misused: the only unsafe code of this crate.
//! It knows pointers and lengths, and nothing of algorithms. This file loads, the others call.
#![allow(unsafe_code)]

mod gcrypt;
mod openssl;

use std::ffi::{CStr, c_char};
use std::path::Path;

use libloading::Library;

use crate::{PeerError, search};

pub(crate) use gcrypt::{Gcrypt, GcryptHandle};
pub(crate) use openssl::{EvpHandle, OpenSsl};

/// A library that stays loaded until the process ends, so that its functions may be kept.
struct Loaded {
    library: Library,
    name: &'static str,
    package: &'static str,
}

impl Loaded {
    fn open(
        folder: Option<&Path>,
        name: &'static str,
        package: &'static str,
    ) -> Result<Self, PeerError> {
        let mut why = String::new();
        for place in search::places(folder, name) {
            // SAFETY: loading runs the library's initialisers. The libraries named in this file
            // have none that ask anything of their caller.
            match unsafe { Library::new(&place) } {
                Ok(library) => {
                    return Ok(Self {
                        library,
                        name,
                        package,
                    });
                }
                Err(error) => why = error.to_string(),
            }
        }
        Err(PeerError::Missing {
            library: name,
            package,
            why,
        })
    }

    /// Looks a function up.
    ///
    /// # Safety
    /// `F` is the type of the function of this name, and the library is never unloaded.
    unsafe fn function<F: Copy>(&self, symbol: &'static str) -> Result<F, PeerError> {
        // SAFETY: the caller's promise.
        let found = unsafe { self.library.get::<F>(symbol) };
        found
            .map(|function| *function)
            .map_err(|error| PeerError::Symbol {
                library: self.name,
                package: self.package,
                symbol,
                why: error.to_string(),
            })
    }
}

/// Declares a table of functions of a library: each field is looked up under its own name.
macro_rules! functions {
    ($(#[$meta:meta])* struct $table:ident { $( $symbol:ident: $type:ty, )* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy)]
        struct $table { $( $symbol: $type, )* }
        impl $table {
            /// Takes the functions of a library, which stays loaded from here on.
            fn of(loaded: Loaded) -> Result<Self, PeerError> {
                // Leaked: functions are kept without a lifetime.
                let loaded: &'static Loaded = Box::leak(Box::new(loaded));
                Ok(Self {
                    $(
                        // SAFETY: the types below are those of the library's header, and `loaded`
                        // is never dropped.
                        $symbol: unsafe { loaded.function(stringify!($symbol))? },
                    )*
                })
            }
        }
    };
}
use functions;

/// A C string that a library gave, or nothing.
///
/// # Safety
/// `text` is null or points to a string that ends with 0 and stays as it is during the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    functions! {
        struct NoSuch { kgpu_has_no_such_function: unsafe extern "C" fn(), }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Loaded::open(None, "libkgpu-none.so.9", "some-package").map(|_| ());
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("libkgpu-none.so.9") && text.contains("some-package"),
            "{text}"
        );
        let loaded = Loaded::open(None, "libc.so.6", "libc6").unwrap();
        let text = NoSuch::of(loaded)
            .map(|table| table.kgpu_has_no_such_function)
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("libc.so.6") && text.contains("kgpu_has_no_such"),
            "{text}"
        );
    }
}
