//! libgcrypt: loading, initialising, cipher handles.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr::{self, NonNull};

use super::{Loaded, functions, text};
use crate::gcrypt::NAME;
use crate::{PeerError, search};

functions! {
    /// `gcrypt.h`.
    struct GcryptFunctions {
        gcry_check_version: unsafe extern "C" fn(*const c_char) -> *const c_char,
        gcry_control: unsafe extern "C" fn(c_int, ...) -> c_uint,
        gcry_strerror: unsafe extern "C" fn(c_uint) -> *const c_char,
        gcry_cipher_open: unsafe extern "C" fn(*mut *mut c_void, c_int, c_int, c_uint) -> c_uint,
        gcry_cipher_close: unsafe extern "C" fn(*mut c_void),
        gcry_cipher_ctl: unsafe extern "C" fn(*mut c_void, c_int, *mut c_void, usize) -> c_uint,
        gcry_cipher_setkey: unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_uint,
        gcry_cipher_setiv: unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_uint,
        gcry_cipher_setctr: unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_uint,
        gcry_cipher_encrypt: unsafe extern "C" fn(*mut c_void, *mut c_void, usize, *const c_void, usize) -> c_uint,
        gcry_cipher_decrypt: unsafe extern "C" fn(*mut c_void, *mut c_void, usize, *const c_void, usize) -> c_uint,
    }
}

/// libgcrypt, initialised.
pub(crate) struct Gcrypt {
    f: GcryptFunctions,
    pub(crate) version: String,
}

const GCRYCTL_DISABLE_SECMEM: c_int = 37;
const GCRYCTL_INITIALIZATION_FINISHED: c_int = 38;
const GCRYCTL_SET_ALLOW_WEAK_KEY: c_int = 79;
/// The low 16 bits of an error are its code, the rest its source (`gpg-error.h`).
const GPG_ERR_CODE_MASK: c_uint = 0xffff;
const GPG_ERR_WEAK_KEY: c_uint = 43;

impl Gcrypt {
    /// Loads and initialises the library; at most once in a process.
    pub(crate) fn load() -> Result<Self, PeerError> {
        const FILE: &str = "libgcrypt.so.20";
        let folder = search::bundled();
        if let Some(folder) = folder.as_deref() {
            // Its own dependency first: from a bundle the loader would not find it by itself.
            let errors = Loaded::open(Some(folder), "libgpg-error.so.0", "libgpg-error0");
            std::mem::forget(errors);
        }
        let f = GcryptFunctions::of(Loaded::open(folder.as_deref(), FILE, "libgcrypt20")?)?;
        // SAFETY: null asks for no particular version; the string is constant. This call comes
        // before any other, as the library wants it.
        let version = unsafe { text((f.gcry_check_version)(ptr::null())) };
        if version.is_empty() {
            return Err(PeerError::Unusable {
                library: FILE,
                why: "it tells no version".into(),
            });
        }
        // SAFETY: both commands take one int that they ignore.
        let failed = unsafe {
            (f.gcry_control)(GCRYCTL_DISABLE_SECMEM, 0 as c_int)
                | (f.gcry_control)(GCRYCTL_INITIALIZATION_FINISHED, 0 as c_int)
        };
        if failed != 0 {
            return Err(PeerError::Unusable {
                library: FILE,
                why: "it could not be initialised".into(),
            });
        }
        Ok(Self { f, version })
    }

    /// Expands a key for a cipher and a mode by their numbers.
    pub(crate) fn open_handle(
        &self,
        cipher: c_int,
        mode: c_int,
        key: &[u8],
    ) -> Result<GcryptHandle, PeerError> {
        let mut handle = ptr::null_mut();
        // SAFETY: the library writes one pointer to `handle`; it checks both numbers.
        let code = unsafe { (self.f.gcry_cipher_open)(&raw mut handle, cipher, mode, 0) };
        let f = self.f;
        let failed = |call, code| gcrypt_failed(&f, call, code);
        let handle = match NonNull::new(handle) {
            Some(handle) if code == 0 => GcryptHandle { f, handle },
            _ => return Err(failed("gcry_cipher_open", code)),
        };
        let raw = handle.handle.as_ptr();
        // Keys that it finds weak are computed with like any other (versions before 1.10 do not
        // know the command and go on refusing them). SAFETY: the command takes no buffer, only its
        // length as a switch.
        unsafe { (f.gcry_cipher_ctl)(raw, GCRYCTL_SET_ALLOW_WEAK_KEY, ptr::null_mut(), 1) };
        // SAFETY: an open handle; the key is read for its own length and not kept.
        let code = unsafe { (f.gcry_cipher_setkey)(raw, key.as_ptr().cast(), key.len()) };
        match code & GPG_ERR_CODE_MASK {
            0 => Ok(handle),
            GPG_ERR_WEAK_KEY if weak_keys_work(&self.version) => Ok(handle),
            GPG_ERR_WEAK_KEY => Err(PeerError::Refused {
                peer: NAME,
                why: "it is weak".into(),
            }),
            _ => Err(failed("gcry_cipher_setkey", code)),
        }
    }
}

/// Whether a version computes with weak keys when it is told to: 1.10 and later.
fn weak_keys_work(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= (1, 10),
        _ => false,
    }
}

fn gcrypt_failed(f: &GcryptFunctions, call: &'static str, code: c_uint) -> PeerError {
    PeerError::Failed {
        peer: NAME,
        call,
        // SAFETY: the library's strings are constant.
        why: unsafe { text((f.gcry_strerror)(code)) },
    }
}

/// An open cipher handle with its key set.
///
/// # Invariants
/// `handle` is open and used by one thread at a time: it is reached through `&mut self` only.
pub(crate) struct GcryptHandle {
    f: GcryptFunctions,
    handle: NonNull<c_void>,
}

// SAFETY: libgcrypt's handles belong to no thread; they must only not be used by two at once, which
// the absence of `Sync` and of `Clone` rules out.
unsafe impl Send for GcryptHandle {}

impl GcryptHandle {
    fn check(&self, call: &'static str, code: c_uint) -> Result<(), PeerError> {
        if code == 0 {
            Ok(())
        } else {
            Err(gcrypt_failed(&self.f, call, code))
        }
    }

    pub(crate) fn set_iv(&mut self, iv: &[u8]) -> Result<(), PeerError> {
        // SAFETY: an open handle; the IV is copied, no more of it than its length.
        let code = unsafe {
            (self.f.gcry_cipher_setiv)(self.handle.as_ptr(), iv.as_ptr().cast(), iv.len())
        };
        self.check("gcry_cipher_setiv", code)
    }

    pub(crate) fn set_counter(&mut self, iv: &[u8]) -> Result<(), PeerError> {
        // SAFETY: as in `set_iv`.
        let code = unsafe {
            (self.f.gcry_cipher_setctr)(self.handle.as_ptr(), iv.as_ptr().cast(), iv.len())
        };
        self.check("gcry_cipher_setctr", code)
    }

    pub(crate) fn encrypt(&mut self, data: &mut [u8]) -> Result<(), PeerError> {
        let (handle, out) = (self.handle.as_ptr(), data.as_mut_ptr().cast());
        // SAFETY: an open handle; without an input the library works in place on `data`.
        let code = unsafe { (self.f.gcry_cipher_encrypt)(handle, out, data.len(), ptr::null(), 0) };
        self.check("gcry_cipher_encrypt", code)
    }

    pub(crate) fn decrypt(&mut self, data: &mut [u8]) -> Result<(), PeerError> {
        let (handle, out) = (self.handle.as_ptr(), data.as_mut_ptr().cast());
        // SAFETY: as in `encrypt`.
        let code = unsafe { (self.f.gcry_cipher_decrypt)(handle, out, data.len(), ptr::null(), 0) };
        self.check("gcry_cipher_decrypt", code)
    }
}

impl Drop for GcryptHandle {
    fn drop(&mut self) {
        // SAFETY: an open handle, closed once. The library clears it.
        unsafe { (self.f.gcry_cipher_close)(self.handle.as_ptr()) }
    }
}
